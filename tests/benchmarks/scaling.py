"""What more processes, nginx's cache and a replica bring, and what keeping bytes costs."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import Contender, take_turns
from tests.benchmarks.offload import configured
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import SETTINGS, Site, keep
from tests.servers import postgres
from tests.servers.nginx import NginxServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import LOOPBACK, free_port
from tests.servers.web import WebServer

TABLE = "secure_dbstorage_storedfile"

_MIB = 1024 * 1024
_SMALL, _LARGE = 10 * 1024, 40 * _MIB

_PROCESSES = (1, 2, 4)

#: At the same time, for small files and for large ones.
_CLIENTS, _READERS = 16, 4

_numbers = count(1)


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure processes, then nginx; on PostgreSQL also a replica, a backup and a vacuum."""
    small, large = (keep(workspace, size, names=(OURS,))[0] for size in (_SMALL, _LARGE))
    seconds, rounds = (1, 1) if quick else (10, 5)
    results = []
    for processes in _PROCESSES:
        with _server(workspace, processes) as server:
            case = f"{processes} process{'es' * (processes > 1)}"
            results += _stood(workspace, server, case, small, large, seconds=seconds)
    results += _through_nginx(workspace, large, rounds=rounds)
    if workspace.postgres is not None:
        with _replica(workspace) as env, _server(workspace, 2, **env) as server:
            results += _stood(
                workspace, server, "2 processes, a replica", small, large, seconds=seconds
            )
        results += _upkeep(workspace, workspace.postgres, 64 if quick else 1024)
    return results


def _stood(
    workspace: Workspace, server: WebServer, case: str, small: Site, large: Site, *, seconds: int
) -> list[Result]:
    """Return how many small files a server sends, how soon, and how fast large ones."""
    load.fetch(server.url + large.url, large.size)
    stood = load.press(server.url + small.url, clients=_CLIENTS, seconds=seconds)
    together = Contender(
        name=case, run=partial(load.fetch, server.url + large.url, large.size, clients=_READERS)
    )
    take_turns([together], rounds=max(1, seconds // 2))
    speed = _READERS * large.size / median(together.seconds) / 1e6
    return [
        _result(workspace, "10 KiB", case, stood.requests_per_second, "requests/s"),
        _result(workspace, "10 KiB, p99", case, stood.p99_milliseconds, "ms"),
        _result(workspace, f"40 MiB, {_READERS} readers", case, speed, "MB/s"),
    ]


def _through_nginx(workspace: Workspace, large: Site, *, rounds: int) -> list[Result]:
    """Return the speed of one reader: from nginx's cache, into it, and past it."""
    colds = iter([_another(workspace, number) for number in range(rounds + 2)])
    place = workspace.directory.parent / f"scaling-{os.urandom(4).hex()}"
    port = free_port()
    with (
        _server(workspace, 2) as server,
        NginxServer(place, "", http=configured(server.port, port, workspace.directory)),
    ):
        url = f"http://{LOOPBACK}:{port}"
        streamed = large.url.replace("/files/", "/streamed/", 1)
        contenders = [
            Contender(name="hot", run=partial(load.fetch, url + large.url, large.size)),
            Contender(name="cold", run=lambda: _fetch_next(url, colds)),
            Contender(name="without offload", run=partial(load.fetch, url + streamed, large.size)),
        ]
        take_turns(contenders, rounds=rounds, sample_seconds=0)
    return [
        _result(
            workspace,
            "40 MiB through nginx, one reader",
            each.name,
            large.size / median(each.seconds) / 1e6 if not each.failure else None,
            "MB/s",
            note=each.failure,
        )
        for each in contenders
    ]


def _another(workspace: Workspace, number: int) -> Site:
    """Save another large file, which no cache has. Its size tells it apart."""
    return keep(workspace, _LARGE + 1 + number, names=(OURS,))[0]


def _fetch_next(url: str, sites: Iterator[Site]) -> None:
    site = next(sites)
    load.fetch(url + site.url, site.size)


def _upkeep(workspace: Workspace, server: PostgresServer, mib: int) -> list[Result]:
    """Return how fast PostgreSQL dumps a file of this size, and cleans up after its deletion."""
    site = keep(workspace, mib * _MIB, names=(OURS,))[0]
    address = f"host={server.host} user={postgres.USER} dbname=benchmarks"
    dump = [server.program("pg_dump"), "--format", "custom", "--compress", "0", address]
    psql = [server.program("psql"), "--command", f"VACUUM {TABLE}", address]
    dumped = _seconds(dump)
    workspace.call(delete, site.size)
    vacuumed = _seconds(psql)
    return [
        _result(workspace, f"{mib} MiB", what, site.size / seconds / 1e6, "MB/s")
        for what, seconds in (("pg_dump", dumped), ("VACUUM after a deletion", vacuumed))
    ]


def delete(size: int) -> None:
    """Delete the file of this size."""
    from django.core.files.storage import storages

    storages["default"].delete(f"invoices/2026/q3-{size}.bin")


def _seconds(command: list[str | Path]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


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
def _replica(workspace: Workspace) -> Iterator[dict[str, str]]:
    """Start a standby of the workspace's server, and yield what tells servers to read from it."""
    place = workspace.directory.parent / "replica"
    with PostgresServer(place, primary=workspace.postgres) as standby:
        yield {"DBSTORAGE_BENCHMARK_REPLICA": standby.host}


def _result(
    workspace: Workspace, case: str, who: str, value: float | None, unit: str, note: str = ""
) -> Result:
    return Result(
        topic="load",
        case=case,
        contender=who,
        value=value,
        unit=unit,
        database=workspace.database,
        note=note,
    )
