"""How fast many clients at once are served, while some of them are slow."""

import time

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.load import LoadFailed
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import FLOOR, PRIVATE_STORAGE, Setup, Site, keep, open_sites, setups

_CONTENDERS = (OURS, FLOOR, PRIVATE_STORAGE)

_CLIENTS = (1, 4, 16, 64, 200)

#: One of so many clients reads a large file slowly, as on a bad line.
_SLOW_SHARE = 10
_SLOW_SPEED = 64 * 1024

_SMALL, _LARGE = 10 * 1024, 10 * 1024 * 1024

#: gunicorn's threads each serve one client to the end, so 4 would all be taken by slow ones.
_THREADS = 32


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure the fast clients, whom the slow ones should not stop."""
    if workspace.database == "mariadb":
        return []
    small = keep(workspace, _SMALL, names=_CONTENDERS)
    large = keep(workspace, _LARGE, names=_CONTENDERS)
    results = []
    for setup in setups(workspace, threads=_THREADS):
        with open_sites(workspace, setup, [*small, *large]) as sites:
            pairs = list(zip(sites[: len(small)], sites[len(small) :], strict=True))
            for fast, _ in pairs:
                load.press(fast.url, clients=_THREADS, seconds=1)  # Connections are there.
            for clients in _CLIENTS[:3] if quick else _CLIENTS:
                for fast, slow in pairs:
                    results += _results(workspace, setup, fast, slow, clients, quick=quick)
    return sorted(results, key=lambda result: (result.case, result.contender))


def _results(
    workspace: Workspace, setup: Setup, fast: Site, slow: Site, clients: int, *, quick: bool
) -> list[Result]:
    slow_clients = clients // _SLOW_SHARE
    note = f"{clients} clients, {slow_clients} of them slow"
    values: tuple[float | None, float | None] = None, None
    try:
        with load.slow_readers(slow.url, slow_clients, bytes_per_second=_SLOW_SPEED):
            taken = load.median(
                [
                    # With 200 clients uvicorn gives the first answer after seconds.
                    load.press(fast.url, clients=clients - slow_clients, seconds=2 + clients // 40)
                    for _ in range(1 if quick else 2)
                ]
            )
        values = taken.requests_per_second, taken.p99_milliseconds
    except LoadFailed as error:
        note = f"{note}: {error}"[:200]
    time.sleep(1 if slow_clients else 0)  # Until the server has seen that they left.
    return [
        Result(
            topic="clients",
            case=f"{what}, {setup.name}",
            contender=fast.name,
            value=value,
            unit=unit,
            database=workspace.database,
            x=clients,
            note=note,
        )
        for what, unit, value in zip(("speed", "p99"), ("requests/s", "ms"), values, strict=True)
    ]
