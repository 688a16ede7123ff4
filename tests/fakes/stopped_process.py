"""Python that stops at a function in the middle of its work, to be killed or to go on there."""

import subprocess
import sys

_STOP = """
import os, sys
def stop(*arguments, _go_on=os.{name}):
    print("stopped", flush=True)
    sys.stdin.read()
    return _go_on(*arguments)
os.{name} = stop
"""


class StoppedProcess:
    """Runs `script` with `arguments` up to its first call of os.`name`."""

    def __init__(self, name, script, *arguments):
        command = [sys.executable, "-c", _STOP.format(name=name) + script, *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "stopped\n"

    def kill(self):
        """End it there, with SIGKILL."""
        self._process.kill()
        self._end()

    def go_on(self):
        """Let it come to its end."""
        self._process.stdin.close()
        assert self._end() == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _end(self):
        code = self._process.wait(60)
        self._process.stdin.close()
        self._process.stdout.close()
        return code
