"""Avatar Service: one portrait photo and speech in, a living face streamed out."""

__version__ = "0.1.0"
