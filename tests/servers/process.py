"""One server process: started, waited for, measured, stopped."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from tests.servers.account import Identity
from tests.servers.cleanup import cleanup, stop_groups

LOOPBACK = "127.0.0.1"

#: Ports among ours that browsers refuse, by the Fetch standard's list of bad ports.
_REFUSED_BY_BROWSERS = {10080}


class StartFailed(Exception):
    """Raised when a server ends or says nothing instead of answering; shows the end of its log."""


class ServerProcess:
    """A server with its log file. It leads a process group, so that its children end with it."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        identity: Identity | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start the command in ``cwd`` (else the log's directory), with ``env`` added to ours."""
        #: The file with everything it prints.
        self.log = log
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd or log.parent,
                env=os.environ | dict(env or {}),
                start_new_session=True,
                **(identity or {}),
            )
        cleanup().tell("start", self.pid, int(stop_signal))

    @property
    def pid(self) -> int:
        """The process that was started; its children are others."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether the process has not ended."""
        return self._process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_seconds: float = 120) -> Self:
        """Return as soon as the server is ready; stop it and raise StartFailed if it never is."""
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.is_running or time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"{self._process.args!r} did not start:\n{self.log_tail()}")
            time.sleep(0.02)
        return self

    def listens(self, port: int) -> bool:
        """Tell whether this server accepts connections on a port of loopback.

        Between the choice of a free port and our start, another's server may take it. That one
        accepts, too.
        """
        return accepts((LOOPBACK, port)) and any(
            _is_listening(process, port) for process in self._family()
        )

    def rss(self) -> int:
        """Return the resident memory of the process and all its descendants, in bytes."""
        total = 0
        for process in self._family():
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue  # It ended while we counted.
        return total

    def log_tail(self, characters: int = 2000) -> str:
        """Return the end of what the server has printed."""
        return self.log.read_text(errors="replace")[-characters:]

    def kill(self) -> None:
        """End the server and all its descendants at once, as a crash does. May be called again."""
        if self._process.returncode is not None:
            return
        # The parent first, so that it starts no other. Descendants may lead other groups.
        family = self._family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family[1:])
        cleanup().tell("stop", self.pid)

    def stop(self) -> None:
        """End the server and its children. May be called again."""
        if self._process.returncode is None:
            stop_groups({self.pid: self._stop_signal})
            self._process.wait()
            cleanup().tell("stop", self.pid)

    def _family(self) -> list[psutil.Process]:
        """Return the process and all its descendants."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]


def _is_listening(process: psutil.Process, port: int) -> bool:
    try:
        held = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return False  # It has ended meanwhile.
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in held)


def free_port() -> int:
    """Return a TCP port on loopback that nobody uses now.

    Linux gives the ports from 32768 up to clients, so one of those could be taken before our
    server starts. Below them, two test processes hardly ever choose the same.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        if port in _REFUSED_BY_BROWSERS:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def accepts(address: tuple[str, int] | Path) -> bool:
    """Tell whether somebody accepts connections on this port or socket file."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(address) if isinstance(address, Path) else address) == 0
