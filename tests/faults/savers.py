"""The tests' side of the processes that save."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.faults.saver import LENGTH

_ROOT = Path(__file__).parents[2]

#: As many bytes as one read of a stream asks for.
_PIECE = 65536


class SaverProcess:
    """One process that saves; ``SaverProcess`` after ``SaverProcess`` may start side by side."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Start it. It ends with us: its pipe is then at its end."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.saver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env={**os.environ, **env, "DJANGO_SETTINGS_MODULE": "tests.faults.settings"},
        )

    def is_ready(self) -> Self:
        """Return when Django is loaded."""
        assert self.line() == "ready"
        return self

    def do(self, what: str, **arguments: object) -> None:
        """Give a command."""
        self.send(json.dumps({"do": what, **arguments}).encode())

    def line(self) -> str:
        """Wait for the next line and return it; nothing when the process has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().rstrip("\n")

    def feed(self, content: bytes) -> None:
        """Let content be saved, and return when all its whole rows are in the transaction."""
        for start in range(0, len(content), _PIECE):
            self._asked()
            self.send(content[start : start + _PIECE])
        self._asked()

    def end(self) -> str:
        """Say that the content is at its end, and return what became of it."""
        self.send(b"")
        return self.line()

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        assert self._process.stdin is not None
        self._process.stdin.write(LENGTH.pack(len(frame)) + frame)
        self._process.stdin.flush()

    def kill(self) -> list[str]:
        """End it by SIGKILL, and return the lines that it had told and nobody had read."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return []
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with self._process.stdout as output:
            rest = output.read().decode().splitlines()
        self._process.wait()
        return rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _asked(self) -> None:
        line = self.line()
        assert line == "asked", line
