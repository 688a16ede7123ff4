"""Avatar Service: one portrait photo and speech in, a living face streamed out."""

import os

__version__ = "0.1.0"

# NumPy's OpenBLAS makes a thread for each core, and these spin between the many small products of
# a frame: a second core's worth of nothing. Here sessions run in parallel, not products. To be set
# before NumPy is loaded; a value of the user's own stays.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
