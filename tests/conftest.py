"""Makes `fakes` importable by every test (pytest puts this folder on the path)."""
