"""Builds every engine client that this machine can build: `python3 -m tools.clients`.

`make clients` runs it, and the tests use its parts. Standard library alone: no virtual environment.
"""
