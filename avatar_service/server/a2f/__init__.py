"""A second door: the wire interface of NVIDIA Audio2Face-3D, so that its clients work unchanged."""
