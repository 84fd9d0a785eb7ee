"""End the servers of a process that died without ending them, by SIGTERM or SIGKILL.

A pipe leads from the tests to a small process in a separate session. When the tests end, for any
reason, the pipe closes and this process stops the servers still on its list. Lines:
``start PID SIGNAL``, ``stop PID``, ``mount PATH``, ``unmounted PATH``, ``directory PATH`` and
``removed PATH``.

It runs as a script, so it imports only the standard library.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO

_GRACE_SECONDS = 5.0


class Cleanup:
    """Our end of the pipe."""

    def __init__(self) -> None:
        """Start the cleanup process."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal must not reach it.
            text=True,
        )
        atexit.register(self._close)

    def tell(self, *words: object) -> None:
        """Write one line of the list."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@cache
def cleanup() -> Cleanup:
    """Return the one cleanup of this process."""
    return Cleanup()


def stop_groups(running: Mapping[int, int]) -> None:
    """Ask processes to stop, each by its signal, then end them and all that they started.

    Each leads a process group; they may be our children or orphans.
    """
    for pid, stop_signal in running.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, stop_signal)
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(map(_is_alive, running)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        # WNOWAIT: the exit status stays for whoever holds the Popen object.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _read_list(lines: IO[str]) -> tuple[dict[int, int], set[Path], set[Path]]:
    running: dict[int, int] = {}
    mounts: set[Path] = set()
    directories: set[Path] = set()
    for line in lines:
        verb, rest = line.rstrip("\n").split(" ", 1)
        match verb:
            case "start":
                pid, stop_signal = map(int, rest.split())
                running[pid] = stop_signal
            case "stop":
                running.pop(int(rest), None)
            case "mount":
                mounts.add(Path(rest))
            case "unmounted":
                mounts.discard(Path(rest))
            case "directory":
                directories.add(Path(rest))
            case "removed":
                directories.discard(Path(rest))
    return running, mounts, directories


def _main() -> None:
    running, mounts, directories = _read_list(sys.stdin)
    stop_groups(running)
    for mount in mounts:
        subprocess.run(["umount", "--lazy", mount], check=False)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _main()
