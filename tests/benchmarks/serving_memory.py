"""What memory a server takes to serve a file: its growth, and that in those of the file's size."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.load import LoadFailed
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import NGINX, Setup, Site, keep, open_sites, setups

_MIB = 1024 * 1024

#: What a request of ours may take, in bytes.
_TARGET = 20 * _MIB

#: So that all that is loaded once has been loaded.
_WARM_UP = 20


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure the peak of a fresh process that serves one file to one client."""
    small = {site.name: site for site in keep(workspace, 10 * 1024) if site.name != NGINX}
    results = []
    for size in (16 * _MIB, 64 * _MIB) if quick else (64 * _MIB, 1024 * _MIB):
        large = keep(workspace, size, names=list(small))
        for setup in setups(workspace):
            results += [_result(workspace, setup, small[site.name], site) for site in large]
    return results


def growth_during(pid: int, action: Callable[[], object]) -> int:
    """Return how many bytes a server's process grows at most while something is done.

    :param pid: the server, or the parent of its one worker.
    """
    worker = Path("/proc", str(_worker(pid)))
    (worker / "clear_refs").write_text("5")  # The peak begins anew; see proc(5).
    before = _status(worker, "VmRSS")
    action()
    return _status(worker, "VmHWM") - before


def _result(workspace: Workspace, setup: Setup, small: Site, large: Site) -> Result:
    failure, growth = large.failure or small.failure, None
    if not failure:
        with open_sites(workspace, setup, [small, large]) as (warm, site):
            try:
                growth = _growth(warm, site)
            except LoadFailed as error:
                failure = str(error)[:200]
    missed = large.name == OURS and growth is not None and growth > _TARGET
    return Result(
        topic="serving memory",
        case=f"{setup.name}, {large.size // _MIB} MiB",
        contender=large.name,
        value=None if growth is None else growth / _MIB,
        unit="MiB",
        ratio=None if growth is None else growth / large.size,
        reference="the file's size",
        database=workspace.database,
        note=failure or (f"target: {_TARGET // _MIB} MiB" if missed else ""),
    )


def _growth(warm: Site, site: Site) -> int:
    """Return how many bytes the server's process grew at most."""
    for _ in range(_WARM_UP):
        load.fetch(warm.url, warm.size, cookie=warm.cookie)
    return growth_during(site.pid, partial(load.fetch, site.url, site.size, cookie=site.cookie))


def _worker(pid: int) -> int:
    """Return the process that serves: gunicorn's is a child, uvicorn's its only one."""
    children = psutil.Process(pid).children()
    return children[0].pid if children else pid


def _status(process: Path, name: str) -> int:
    for line in (process / "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise KeyError(name)
