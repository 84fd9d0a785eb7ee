"""Both sides of pacing in one run: the speed of one reader, and the memory of 500 stalled ones."""

import resource
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import psutil

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.load import LoadFailed
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import FLOOR, Setup, Site, keep, open_sites, setups

_MIB = 1024 * 1024

_SMALL = 10 * 1024

_FAST_SIZES = (2 * _MIB, 64 * _MIB, 100 * _MIB)

_STALLED_SIZES = (2 * _MIB, 40 * _MIB)

#: Memory that 500 stalled readers may take, and leave, in MiB; time of a small request, in ms.
_TARGETS = {"peak": 400, "left": 150, "p99": 1000}

#: Until a server has seen that its readers left, and has given their memory back.
_AFTERWARDS_SECONDS = 6

#: A small window: the server feels early that nobody reads.
_WINDOW = 16 * 1024


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure one fast reader beside the floor, and then stalled ones."""
    fast = [keep(workspace, size, names=(OURS, FLOOR)) for size in _FAST_SIZES]
    small, *stalled = (
        keep(workspace, size, names=(OURS,))[0] for size in (_SMALL, *_STALLED_SIZES)
    )
    setup = setups(workspace)[-1]  # ASGI, with a pool where there is one.
    results = [_speed(workspace, setup, sites, rounds=3 if quick else 15) for sites in fast]
    for site in stalled:
        results += _stalled(workspace, setup, small, site, readers=100 if quick else 500)
    return results


def _speed(workspace: Workspace, setup: Setup, sites: list[Site], *, rounds: int) -> Result:
    """Return the throughput of one reader, in turns with the floor."""
    taken: dict[str, list[float]] = {site.name: [] for site in sites}
    with open_sites(workspace, setup, sites) as opened:
        for _ in range(rounds):
            for site in opened:
                began = time.perf_counter()
                load.fetch(site.url, site.size)
                taken[site.name].append(site.size / (time.perf_counter() - began) / 1e6)
    ratios = [ours / floor for ours, floor in zip(taken[OURS], taken[FLOOR], strict=True)]
    return Result(
        topic="readers",
        case=f"one reader of {sites[0].size // _MIB} MiB, {setup.name}",
        contender=OURS,
        value=statistics.median(taken[OURS]),
        unit="MB/s",
        ratio=statistics.median(ratios),
        reference="the floor",
        database=workspace.database,
    )


def _stalled(
    workspace: Workspace, setup: Setup, small: Site, site: Site, *, readers: int
) -> list[Result]:
    """Return what so many readers take who stop after the first bytes, and what they leave."""
    _allow_files(2 * readers)
    case = f"{readers} stalled readers of {site.size // _MIB} MiB, {setup.name}"
    with open_sites(workspace, setup, [small, site]) as (fast, slow):
        load.fetch(fast.url, fast.size)
        process = psutil.Process(slow.pid)
        with _observed(process, fast) as seen, ExitStack() as crowd:
            for _ in range(readers):
                crowd.enter_context(closing(_begun(slow.url)))
            time.sleep(_AFTERWARDS_SECONDS)
        time.sleep(_AFTERWARDS_SECONDS)
        left = process.memory_info().rss
    values = {
        "peak": (seen.peak / _MIB, "MiB"),
        "left": (left / _MIB, "MiB"),
        "p99": (statistics.quantiles(seen.seconds, n=100)[-1] * 1000, "ms"),
    }
    result = Result(
        topic="readers", case="", contender=OURS, value=None, unit="", database=workspace.database
    )
    return [
        replace(
            result,
            case=f"{what}, {case}",
            value=value,
            unit=unit,
            note=f"target: {_TARGETS[what]} {unit}" if value > _TARGETS[what] else "",
        )
        for what, (value, unit) in values.items()
    ]


@dataclass(slots=True)
class _Seen:
    """What was observed of a server meanwhile."""

    peak: int
    #: How long small requests took.
    seconds: list[float]


@contextmanager
def _observed(process: psutil.Process, small: Site) -> Iterator[_Seen]:
    """Ask a server for a small file again and again, and note its memory."""
    seen, end = _Seen(peak=0, seconds=[]), threading.Event()

    def watch() -> None:
        while not end.wait(0.05):
            began = time.perf_counter()
            load.fetch(small.url, small.size)
            seen.seconds.append(time.perf_counter() - began)
            seen.peak = max(seen.peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        end.set()
        watcher.join()


def _begun(url: str) -> socket.socket:
    """Return a connection over which the first bytes of a file came, and nothing is read since."""
    parts = urlsplit(url)
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW)
    reader.settimeout(60)
    reader.connect((parts.hostname, parts.port))
    target = url.partition(parts.netloc)[2]
    reader.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    first = reader.recv(4096)
    if not first.startswith(b"HTTP/1.1 200"):
        raise LoadFailed(f"A stalled reader was refused: {first[:80]!r}")
    return reader


def _allow_files(count: int) -> None:
    """Let this process and the server that it starts open so many files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(max(soft, count + 512), hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
