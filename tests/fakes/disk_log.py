"""What is told to a disk and in which order, to say what a cut of the power would leave."""

import os
from pathlib import Path


class DiskLog:
    """Notes what this process syncs and what it gives a name to, from now on."""

    def __init__(self, monkeypatch):
        self._events = []
        fsync = os.fsync

        def note_sync(handle):
            fsync(handle)
            self._events.append(("synced", os.fstat(handle).st_ino))

        def noting(give_name):
            def note_name(source, target):
                give_name(source, target)
                self._events.append(("named", os.path.abspath(target)))

            return note_name

        monkeypatch.setattr(os, "fsync", note_sync)
        monkeypatch.setattr(Path, "rename", noting(Path.rename))
        monkeypatch.setattr(os, "replace", noting(os.replace))
        monkeypatch.setattr(os, "link", noting(os.link))

    def clear(self):
        """Forget all before."""
        self._events.clear()

    def assert_whole(self, path, *parts):
        """Check that path and its parts were on disk before it got its name, and that after."""
        naming = self._events.index(("named", os.path.abspath(path)))
        for part in (path, *parts):
            assert _synced(part) in self._events[:naming], f"{part.name} may be missing"
        assert _synced(path.parent) in self._events[naming:], f"{path.name} may lose its name"

    def num_syncs(self, path):
        """Return how often something was synced."""
        return self._events.count(_synced(path))

    def assert_synced(self, *paths):
        """Check that something was synced."""
        for path in paths:
            assert _synced(path) in self._events, path.name


def _synced(path):
    return ("synced", path.stat().st_ino)
