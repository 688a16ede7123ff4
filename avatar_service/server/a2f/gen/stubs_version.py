"""Stubs by mypy-protobuf 5.1.0."""
