"""How fast uploads are received, what memory that takes, and whom those hinder that stall."""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psutil

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.load import LoadFailed
from tests.benchmarks.measuring import Contender, ratios, take_turns
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.serving_memory import growth_during
from tests.benchmarks.sites import Setup, Site, keep, open_sites
from tests.benchmarks.uploaders import Uploader, Way, uploader

_MIB = 1024 * 1024

_GUNICORN = Setup(kind="gunicorn", name="gunicorn")

#: Each piece may come to another thread. As example/deploy says, they share one heap.
_ONE_HEAP = Setup(
    kind="gunicorn",
    name="4 threads with one heap",
    options=("--threads", "4"),
    env={"MALLOC_ARENA_MAX": "1"},
)
_OWN_HEAPS = replace(_ONE_HEAP, name="4 threads with their heaps", env={})
_ALONE = Setup(kind="gunicorn", name="1 thread", options=("--threads", "1"))

#: Time in that of a form; memory in MiB; time of a small request in ms.
_MOST_TIME, _MOST_MEMORY, _MOST_WAITING = 1.25, 20, 500

#: So many uploads stall, on a pool of so many connections where Django has one.
_STALLED, _POOL = 50, {"DBSTORAGE_BENCHMARK_POOL": "5"}

#: Bytes of an upload that stalls. Half of them are more than a server reads at once.
_STALLED_SIZE = 800 * 1024

#: Bytes of the upload that a warm worker has received.
_SMALL = 10 * 1024

#: Bytes of the upload that shows whether memory grows with the size.
_HUGE = 4096 * _MIB

#: A request to an empty view: so much any request takes, and tus needs two for a file.
_EMPTY = "empty view"

#: Until a server has read what came before the stall.
_SETTLING_SECONDS = 1


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure all ways to upload in turns, and then uploads that stall."""
    client = uploader(workspace)
    results = []
    for size, rounds in [(1, 3)] if quick else [(1, 61), (10, 9), (64, 5)]:
        results += _speeds(workspace, client, size * _MIB, rounds)
    size, names = (16 if quick else 64) * _MIB, list(client.ways())
    kinds = ["warm"] if quick else ["cold", "warm"]  # Each starts a server.
    results += _memory(workspace, client, size, names, _ALONE, kinds=kinds)
    for setup in () if quick else (_ONE_HEAP, _OWN_HEAPS):
        results += _memory(workspace, client, size, names, setup)
    for setup in _crowd_setups(workspace)[: 1 if quick else None]:
        results += _stalled(workspace, client, setup, requests=50 if quick else 500)
    if workspace.database == "sqlite" and not quick:
        for setup in (_ALONE, _ONE_HEAP):
            results += _memory(workspace, client, _HUGE, names[-1:], setup)
    return results


def _memory(
    workspace: Workspace,
    client: Uploader,
    size: int,
    names: Sequence[str],
    setup: Setup,
    *,
    kinds: Sequence[str] = ("warm",),
) -> list[Result]:
    """Measure by how much a fresh worker grows that receives one upload of so many bytes.

    A cold one has yet to load what its first request needs, the form's as well. A warm one has
    received one small upload, and deleted it.
    """
    return [
        _grown(workspace, client, setup, name, size, is_warm=kind == "warm")
        for kind in kinds
        for name in names
    ]


def _grown(
    workspace: Workspace, client: Uploader, setup: Setup, name: str, size: int, *, is_warm: bool
) -> Result:
    """Measure by how many MiB a worker grows at most that receives an upload."""
    with _served(workspace, client, setup) as (site, here):
        way = here.ways()[name]
        if is_warm:
            way(_SMALL)
            here.forget()
        growth = growth_during(site.pid, partial(way, size)) / _MIB
        if size < _HUGE:  # That one comes last, and its deletion would take minutes.
            here.forget()
    return Result(
        topic="uploads",
        case=f"memory of {size // _MIB} MiB, {'warm' if is_warm else 'cold'}, {setup.name}",
        contender=name,
        value=growth,
        unit="MiB",
        database=workspace.database,
        note=f"target: {_MOST_MEMORY} MiB" if is_warm and growth > _MOST_MEMORY else "",
    )


def _speeds(workspace: Workspace, client: Uploader, size: int, rounds: int) -> list[Result]:
    with _served(workspace, client, _GUNICORN) as (_, here):
        ways: dict[str, Way] = {**here.ways(), _EMPTY: lambda _: here.ask()}
        metered = [_Metered(name, way) for name, way in ways.items()]
        contenders = [
            Contender(
                name=each.name,
                run=partial(each, size),
                reset=None if each.name == _EMPTY else here.forget,
            )
            for each in metered
        ]
        take_turns(contenders, rounds=rounds, sample_seconds=0)
    results = []
    for measure_of, each_of in (("time", contenders), ("processor time", metered)):
        failures = [each.failure for each in contenders]
        for each, failure in zip(each_of, failures, strict=True):
            failed = failure or failures[0]
            spent, form = each.seconds[-rounds:], each_of[0].seconds[-rounds:]
            results.append(_speed(workspace, size, measure_of, each.name, spent, form, failed))
    return results


@dataclass(slots=True)
class _Metered:
    """A way to upload, and what it takes of the processor: other work changes that less."""

    name: str
    way: Way
    #: One number a call.
    seconds: list[float] = field(default_factory=list)

    def __call__(self, size: int) -> None:
        before = _processor_seconds()
        self.way(size)
        self.seconds.append(_processor_seconds() - before)


def _processor_seconds() -> float:
    """Return what the web server and the database's have used of the processor.

    They are all the processes below this one. The kernel counts nanoseconds there, and hundredths
    of a second elsewhere, which is more than a small upload takes.
    """
    spent = 0
    for process in psutil.Process().children(recursive=True):
        for thread in Path("/proc", str(process.pid), "task").glob("*/schedstat"):
            with suppress(OSError):  # It has ended.
                spent += int(thread.read_text().split()[0])
    return spent / 1e9


def _speed(
    workspace: Workspace,
    size: int,
    what: str,
    name: str,
    spent: Sequence[float],
    form: Sequence[float],
    failure: str,
) -> Result:
    ratio = None if failure or not min(form) else ratios(spent, form)
    missed = ratio is not None and ratio > _MOST_TIME
    return Result(
        topic="uploads",
        case=f"{what} of {size // _MIB} MiB, {_GUNICORN.name}",
        contender=name,
        value=None if failure else statistics.median(spent),
        unit="s",
        ratio=ratio,
        reference="form POST and save()",
        database=workspace.database,
        note=failure or (f"target: {_MOST_TIME}" if missed else ""),
    )


def _crowd_setups(workspace: Workspace) -> list[Setup]:
    """Return servers that can be asked while so many uploads stall."""
    env = _POOL if workspace.database == "postgres" else {"DBSTORAGE_BENCHMARK_ASGI": "1"}
    threads = ("--threads", str(_STALLED + 10))
    return [
        Setup(kind="gunicorn", name="gunicorn, 60 threads", options=threads, env=env),
        Setup(kind="uvicorn", name="uvicorn", options=("--no-access-log",), env=env),
    ]


def _stalled(
    workspace: Workspace, client: Uploader, setup: Setup, *, requests: int
) -> list[Result]:
    """Return how long small requests take, alone and beside stalled uploads."""
    small = keep(workspace, 10 * 1024, names=(OURS,))
    with _served(workspace, client, setup, small) as (site, here):
        _waits(site, requests // 10)
        alone = _waits(site, requests)
        with _stalling(here):
            beside = _waits(site, requests)
        here.forget()
    result = partial(
        Result,
        topic="uploads",
        case=f"p99 of a small request, {setup.name}",
        unit="ms",
        database=workspace.database,
    )
    note = f"target: {_MOST_WAITING} ms" if beside > _MOST_WAITING else ""
    return [
        result(contender="alone", value=alone),
        result(contender=f"beside {_STALLED} stalled uploads", value=beside, note=note),
    ]


@contextmanager
def _stalling(client: Uploader) -> Iterator[None]:
    """Let uploads stall meanwhile, and then go on.

    :raises LoadFailed: one was refused.
    """
    with ExitStack() as crowd:
        stalled = [
            crowd.enter_context(closing(client.stall(_STALLED_SIZE))) for _ in range(_STALLED)
        ]
        time.sleep(_SETTLING_SECONDS)
        yield
        for sending in stalled:
            client.go_on(sending, _STALLED_SIZE)


def _waits(site: Site, requests: int) -> float:
    """Return in how many milliseconds 99 of 100 requests are answered."""
    seconds = []
    for _ in range(requests):
        began = time.perf_counter()
        load.fetch(site.url, site.size)
        seconds.append(time.perf_counter() - began)
    return statistics.quantiles(seconds, n=100)[-1] * 1000


@contextmanager
def _served(
    workspace: Workspace, client: Uploader, setup: Setup, sites: Sequence[Site] = ()
) -> Iterator[tuple[Site, Uploader]]:
    """Start a server, and return where it serves a file, or nothing, and the client of it."""
    (site,) = sites or [Site(name=OURS, size=0)]
    if site.failure:
        raise LoadFailed(site.failure)
    with open_sites(workspace, setup, [site]) as (opened,):
        yield opened, replace(client, base=opened.url.removesuffix(site.url))
