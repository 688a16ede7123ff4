"""Client of the Avatar Service: push speech, read a living face."""

__version__ = "0.1.0"
