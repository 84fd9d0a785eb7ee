"""What more processes, nginx's cache and a replica bring on one machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from time import monotonic, perf_counter

from tests.benchmarks import load, upkeep
from tests.benchmarks.environment import Workspace
from tests.benchmarks.offload import configured
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import SETTINGS, Site, keep
from tests.servers.nginx import NginxServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import LOOPBACK, free_port
from tests.servers.unavailable import Unavailable
from tests.servers.web import WebServer

_MIB = 1024 * 1024
_SMALL, _LARGE = 10 * 1024, 40 * _MIB

_PROCESSES = (1, 2, 4)

#: At the same time, for small files and for large ones.
_CLIENTS, _READERS = 16, 4

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    rounds: int
    #: Of each contender in each round, for small files.
    seconds: int
    #: After so many seconds no other round begins, on a machine that has much else to do.
    patience: float


_THOROUGH = Effort(rounds=5, seconds=4, patience=100)
_QUICK = Effort(rounds=1, seconds=1, patience=10)


@dataclass(slots=True, kw_only=True)
class Measured:
    """One way to serve files, and what it did in each round."""

    name: str
    #: Does it once, and appends to *values*.
    take: Callable[["Measured"], object]
    #: By case and unit, such as ``("10 KiB", "requests/s")``.
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    #: Why a round is missing.
    failure: str = ""

    def note(self, case: str, value: float, unit: str) -> None:
        """Keep a value of this round."""
        self.values.setdefault((case, unit), []).append(value)

    def results(self, workspace: Workspace) -> list[Result]:
        """Return the medians."""
        return [
            Result(
                topic="load",
                case=case,
                contender=self.name,
                value=median(values),
                unit=unit,
                database=workspace.database,
                note=self.failure,
            )
            for (case, unit), values in self.values.items()
        ]


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure in turns: processes, with a replica of PostgreSQL too, then nginx's cache."""
    effort = _QUICK if quick else _THOROUGH
    small, large = (keep(workspace, size, names=(OURS,))[0] for size in (_SMALL, _LARGE))
    with ExitStack() as stack:
        servers = {
            f"{processes} process{'es' * (processes > 1)}": stack.enter_context(
                _server(workspace, processes)
            )
            for processes in _PROCESSES
        }
        if workspace.postgres is not None:
            env = stack.enter_context(_replica(workspace, workspace.postgres))
            servers["2 processes, a replica"] = stack.enter_context(_server(workspace, 2, **env))
        direct = [
            Measured(name=name, take=_Visitors(workspace, server, small, large, effort))
            for name, server in servers.items()
        ]
        _take_turns(direct, effort)
    with _nginx(workspace, large) as cached:
        _take_turns(cached, effort)
    results = [result for each in (*direct, *cached) for result in each.results(workspace)]
    if workspace.postgres is not None:
        results += upkeep.measure(workspace, workspace.postgres, quick=quick)
    return results


def _take_turns(contenders: list[Measured], effort: Effort) -> None:
    """Let each do its work in each round: a noisy moment falls on all alike."""
    end = monotonic() + effort.patience
    for number in range(effort.rounds):
        start = number % len(contenders)
        for contender in (*contenders[start:], *contenders[:start]):
            try:
                contender.take(contender)
            except load.LoadFailed as error:  # of this round alone
                contender.failure = str(error)
        if monotonic() > end:
            return


@dataclass(frozen=True, slots=True)
class _Visitors:
    """Those who fetch small files and large ones from a server."""

    workspace: Workspace
    server: WebServer
    small: Site
    large: Site
    effort: Effort

    def __call__(self, measured: Measured) -> None:
        """Note how many small files were sent, how soon, and how fast large ones."""
        try:
            stood = load.press(
                self.server.url + self.small.url, clients=_CLIENTS, seconds=self.effort.seconds
            )
        except Unavailable as error:
            measured.failure = str(error)
        else:
            measured.note("10 KiB", stood.requests_per_second, "requests/s")
            measured.note("10 KiB, p99", stood.p99_milliseconds, "ms")
        before, began = self._spent(), perf_counter()
        load.fetch(self.server.url + self.large.url, self.large.size, clients=_READERS)
        sent = _READERS * self.large.size
        measured.note("40 MiB", sent / (perf_counter() - began) / 1e6, "MB/s")
        if self.workspace.postgres is not None:
            measured.note("the primary's processor", (self._spent() - before) / sent * 1e9, "s/GB")

    def _spent(self) -> float:
        """Return what the primary has used of the processor, in seconds."""
        server = self.workspace.postgres
        return load.processor_seconds(server.pid) if server is not None else 0


@contextmanager
def _nginx(workspace: Workspace, large: Site) -> Iterator[list[Measured]]:
    """Start nginx before two processes; yield its cache with a file, without it, and no cache."""
    place = workspace.directory.parent / f"scaling-{os.urandom(4).hex()}"
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    streamed = large.url.replace("/files/", "/streamed/", 1)

    def fetch(path: str, measured: Measured) -> None:
        began = perf_counter()
        load.fetch(url + path, large.size)
        speed = large.size / (perf_counter() - began) / 1e6
        measured.note("40 MiB through nginx, one client", speed, "MB/s")

    def fetch_cold(measured: Measured) -> None:
        # nginx fetches again what is no longer on the disk.
        for file in (place / "cache").rglob("*"):
            if file.is_file():
                file.unlink()
        fetch(large.url, measured)

    with (
        _server(workspace, 2) as server,
        NginxServer(place, "", http=configured(server.port, port, workspace.directory)),
    ):
        load.fetch(url + large.url, large.size)
        yield [
            Measured(name="offload, hot", take=lambda each: fetch(large.url, each)),
            Measured(name="offload, cold", take=fetch_cold),
            Measured(name="no offload", take=lambda each: fetch(streamed, each)),
        ]


def _server(workspace: Workspace, processes: int, **more: str) -> WebServer:
    place = workspace.directory.parent / f"gunicorn-{next(_numbers)}-{os.urandom(4).hex()}"
    env = {name: value for name, value in workspace.env.items() if "SETTINGS" not in name}
    return WebServer(
        "gunicorn",
        log=place.with_suffix(".log"),
        settings=SETTINGS,
        env=env | more,
        workers=processes,
    )


@contextmanager
def _replica(workspace: Workspace, primary: PostgresServer) -> Iterator[dict[str, str]]:
    """Start a standby, and yield what tells web servers to read from it."""
    place = workspace.directory.parent / "replica"
    with PostgresServer(place, primary=primary) as standby:
        yield {"DBSTORAGE_BENCHMARK_REPLICA": standby.host}
