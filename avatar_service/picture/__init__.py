"""How good the picture is: measured on pixels, judged against photos and real video."""
