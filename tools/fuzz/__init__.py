"""Fuzzing of everything that reads bytes from outside: `python -m tools.fuzz --help`."""
