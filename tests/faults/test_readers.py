"""Crowds of readers: slow ones, ones that vanish, and ones that are overtaken by a writer."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import psutil
import pytest
from django.db import connections

from tests.conftest import StartNginx
from tests.faults.conftest import ONE_SQLITE, SERVED, Serve
from tests.faults.contents import (
    BROKEN,
    CHUNK,
    MIB,
    PATIENCE_SECONDS,
    REFUSED,
    WHOLE,
    content_of,
    digest_of,
    finish,
    open_download,
    receive,
)
from tests.faults.databases import VictimDatabase
from tests.faults.report import Tally
from tests.servers.web import Kind

_READERS = 200

#: More than a socket takes ahead of its reader (4 MiB at most, as Linux is set up).
_SLOW_SIZE = 6 * MIB

#: The connections that the database allows.
_CONNECTIONS = 20

# Not growing, so that what is open can be counted.
_POOL: dict[str, Any] = {
    "OPTIONS": {"pool": {"min_size": 10, "max_size": 10, "timeout": PATIENCE_SECONDS}}
}


@pytest.mark.parametrize("_victim", ONE_SQLITE, indirect=True)
def test_200_slow_readers_get_their_files_from_20_connections(
    victim: VictimDatabase, serve: Serve, nginx: StartNginx, tally: Tally
) -> None:
    """Each has the head and a few bytes when all others have, and only then reads on.

    PostgreSQL: ASGI with Django's pool. MariaDB, which has none: nginx takes the files from a few
    threads and feeds the readers. SQLite: ASGI, since a connection is but an open file.
    """
    content = content_of(1, _SLOW_SIZE)
    storage = victim.storage()
    storage.save("a.bin", content)
    vendor = connections[victim.alias].vendor
    with _few_connections(victim):
        if vendor == "mysql":
            server = serve("gunicorn", options=("--threads", "15"))
            port = nginx(f"location / {{ proxy_pass {server.url}; }}").port
        else:
            port = serve("uvicorn", **(_POOL if vendor == "postgresql" else {})).port
        tally.add_all(_read_slowly(port, storage.url("a.bin"), digest_of(content)))
        tally.expect(tried=_READERS, whole=_READERS)


@pytest.mark.parametrize("_victim", SERVED, indirect=True)
def test_readers_beyond_the_connections_are_refused_without_a_pool(
    victim: VictimDatabase, serve: Serve, tally: Tally
) -> None:
    """ASGI without a pool takes a connection for each reader: not how it should be deployed."""
    content = content_of(1, _SLOW_SIZE)
    storage = victim.storage()
    storage.save("a.bin", content)
    with _few_connections(victim):
        server = serve("uvicorn")
        outcomes = _read_slowly(server.port, storage.url("a.bin"), digest_of(content))
        tally.add_all(outcomes)
        assert set(outcomes) == {WHOLE, REFUSED}
        # And when they are gone, all is well again.
        tally.add("left", victim.settled_sessions())
        tally.add_all([receive(server.port, storage.url("a.bin"), [digest_of(content)])])
        tally.expect(tried=_READERS + 1)
        assert tally[WHOLE] + tally[REFUSED] == _READERS + 1


@pytest.mark.parametrize("_victim", ONE_SQLITE, indirect=True)
@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_100_clients_that_vanish_leave_nothing_open(
    victim: VictimDatabase, kind: Kind, serve: Serve, tally: Tally
) -> None:
    content = content_of(1, 8 * MIB)
    storage = victim.storage()
    storage.save("a.bin", content)
    target, known = storage.url("a.bin"), [digest_of(content)]
    vendor = connections[victim.alias].vendor
    changes = _POOL if vendor == "postgresql" and kind == "uvicorn" else {}
    server = serve(kind, **changes)
    # Warm: what a server opens once is open.
    _all_at_once([lambda: receive(server.port, target, known)] * 20)
    before = _open_files(server.pid)

    def vanish(number: int) -> str:
        with open_download(server.port, target) as download:
            assert download.read(4096)
            if number % 2:
                download.vanish()  # with a reset; else as a program that closes
        return "vanished"

    tally.add_all(_all_at_once([partial(vanish, number) for number in range(100)]))
    tally.add_all(_all_at_once([lambda: receive(server.port, target, known)] * 10))
    if not changes:
        tally.add("left", victim.settled_sessions())
    tally.add("left", max(0, _settled_open_files(server.pid, before) - before))
    tally.expect(tried=110, vanished=100, whole=10)


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_20_readers_of_an_overwritten_file_never_get_mixed_content(
    victim: VictimDatabase, kind: Kind, serve: Serve, tally: Tally
) -> None:
    # The first is more than a socket and a web server take from a file ahead of its reader.
    sizes = (12 * MIB, *(4 * MIB + number for number in range(1, 5)))
    versions = [content_of(number, size) for number, size in enumerate(sizes)]
    known = [digest_of(version) for version in versions]
    storage = victim.storage(allow_overwrite=True)
    storage.save("a.bin", versions[0])
    target = storage.url("a.bin")
    changes: dict[str, Any] = {}
    if connections[victim.alias].vendor == "postgresql" and kind == "uvicorn":
        changes = _POOL
    server = serve(kind, options=("--threads", "20") if kind == "gunicorn" else (), **changes)
    # All are in the middle of the first version when the second comes.
    with ExitStack() as clients:
        downloads = [clients.enter_context(open_download(server.port, target)) for _ in range(20)]
        storage.save("a.bin", versions[1])
        tally.add_all(_all_at_once([partial(finish, each, known) for each in downloads]))
    assert tally[BROKEN] == 20
    # And now at any point.
    ended = threading.Event()

    def read_on() -> list[str]:
        outcomes = []
        while not ended.is_set():
            outcomes.append(receive(server.port, target, known))
        # The last version, whole.
        return [*outcomes, receive(server.port, target, known[-1:])]

    with ThreadPoolExecutor(20) as pool:
        readers = [pool.submit(read_on) for _ in range(20)]
        try:
            for version in versions[2:]:
                tally.add_all([receive(server.port, target, known)])
                storage.save("a.bin", version)
        finally:
            ended.set()
        tally.add_all(itertools.chain.from_iterable(reader.result() for reader in readers))
    tally.add("versions", len(versions))
    tally.add("lost", not victim.intact("a.bin", versions[-1]))
    tally.add("left", victim.rows() - -(-len(versions[-1]) // CHUNK))
    tally.expect(refused=0)
    assert tally[WHOLE] >= 20


def _few_connections(victim: VictimDatabase) -> ExitStack:
    """Let the database allow few connections, for as long as the context lasts."""
    stack = ExitStack()
    if victim.server is not None:
        victim.restart(max_connections=_CONNECTIONS)
        stack.callback(victim.restart)
    return stack


def _read_slowly(port: int, target: str, digest: str) -> list[str]:
    """Let all readers have their first bytes before any reads on."""
    together = threading.Barrier(_READERS)

    def read() -> str:
        return receive(port, target, [digest], midway=lambda: together.wait(PATIENCE_SECONDS))

    return _all_at_once([read] * _READERS)


def _all_at_once(tasks: list[Callable[[], str]]) -> list[str]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [task.result() for task in [pool.submit(task) for task in tasks]]


def _open_files(pid: int) -> int:
    """Return how many files, sockets included, a server and its workers have open."""
    parent = psutil.Process(pid)
    return sum(process.num_fds() for process in (parent, *parent.children(recursive=True)))


def _settled_open_files(pid: int, wanted: int) -> int:
    """Return how many files are open, as soon as they are as few as wanted, or after a while."""
    deadline = time.monotonic() + 60
    while (found := _open_files(pid)) > wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
