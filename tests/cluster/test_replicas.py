"""A PostgreSQL standby carries bytes: it lags, it is killed, it hangs, and every body is whole."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from tests.faults import databases
from tests.faults.contents import (
    MIB,
    REFUSED,
    WHOLE,
    content_of,
    digest_of,
    finish,
    open_download,
    receive,
)
from tests.faults.databases import VictimDatabase
from tests.servers import postgres
from tests.servers.postgres import PostgresServer
from tests.servers.process import LOOPBACK
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.web import Kind, WebServer
from tests.support.replica_settings import REPLICA_VARIABLE
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.servers, pytest.mark.timeout(600)]

#: How a statement that fetches bytes begins.
_BYTES = 'SELECT "data"'

_KEPT: dict[str, Any] = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
_POOL: dict[str, Any] = {"CONN_HEALTH_CHECKS": True, "OPTIONS": {"pool": {"timeout": 2}}}

_numbers = count(1)

#: Starts a web server; more arguments are changes to both entries of DATABASES.
Serve = Callable[..., WebServer]


@pytest.fixture
def primary(own_directory: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[VictimDatabase]:
    """Return a primary that logs its statements."""
    directory = own_directory / f"primary-{next(_numbers)}"
    with django_db_blocker.unblock(), ExitStack() as stack:
        try:
            made = databases.made("postgres", directory, settings={"log_statement": "all"})
            yield stack.enter_context(made)
        except Unavailable as error:
            skip_or_fail(str(error))


@pytest.fixture
def standby(primary: VictimDatabase, own_directory: Path) -> Iterator[PostgresServer]:
    """Return a standby of it, three quarters of a second late."""
    settings = {"log_statement": "all", "recovery_min_apply_delay": "750ms", "hot_standby": "on"}
    directory = own_directory / f"standby-{next(_numbers)}"
    with PostgresServer(directory, primary=primary.server, settings=settings) as standby:
        yield standby


@pytest.fixture
def serve(
    primary: VictimDatabase, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Serve]:
    """Start web servers that read from the standby, or from another host."""
    with ExitStack() as running:

        def start(kind: Kind, *, host: str = "", port: int = 0, **changes: Any) -> WebServer:
            env = primary.env(**changes)
            entry = {**json.loads(next(iter(env.values()))), "HOST": host, "PORT": str(port or "")}
            if not host:
                entry["HOST"] = request.getfixturevalue("standby").host
            return running.enter_context(
                WebServer(
                    kind,
                    log=tmp_path / f"{kind}-{next(_numbers)}.log",
                    settings="tests.support.replica_settings",
                    env={**env, REPLICA_VARIABLE: json.dumps(entry)},
                )
            )

        yield start


def byte_queries(server: PostgresServer) -> int:
    """Return how many queries for bytes a server has logged."""
    return Path(server.host, "log").read_text(errors="replace").count(_BYTES)


def _wait_for_arrival(standby: PostgresServer, primary: PostgresServer) -> None:
    """Return when a standby has all that was committed before."""
    with ExitStack() as stack:
        there, here = (
            stack.enter_context(
                psycopg.connect(
                    host=server.host, user=postgres.USER, dbname="postgres", autocommit=True
                )
            )
            for server in (standby, primary)
        )
        (written,) = here.execute("SELECT pg_current_wal_lsn()").fetchone()
        has_arrived = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        wait_until(lambda: there.execute(has_arrived, [written]).fetchone() == (True,))


def test_every_body_from_a_late_standby_is_whole(
    primary: VictimDatabase, standby: PostgresServer, serve: Serve
) -> None:
    storage, server = primary.storage(), primary.server
    assert isinstance(server, PostgresServer)
    ports = [serve("gunicorn", **_KEPT).port, serve("uvicorn", **_POOL).port]
    began = byte_queries(server)
    for number in range(12):
        size = 700_000 if number % 4 else 5 * MIB
        name = storage.save(f"{number}.bin", content_of(number, size))
        for port in ports:
            for earlier in {0, number // 2, number}:
                known = [storage.stat(f"{earlier}.bin").sha256]
                assert receive(port, storage.url(f"{earlier}.bin"), known) == WHOLE, name
    # Some had to go on at the primary. What has arrived at the standby comes from there alone.
    assert byte_queries(server) > began
    _wait_for_arrival(standby, server)
    at_primary, at_standby = byte_queries(server), byte_queries(standby)
    for port in ports:
        for number in range(12):
            known = [storage.stat(f"{number}.bin").sha256]
            assert receive(port, storage.url(f"{number}.bin"), known) == WHOLE
    assert byte_queries(server) == at_primary
    assert byte_queries(standby) >= at_standby + 24


def test_bodies_go_on_when_the_standby_is_killed(
    primary: VictimDatabase, standby: PostgresServer, serve: Serve
) -> None:
    content = content_of(1, 24 * MIB)
    storage = primary.storage()
    storage.save("a.bin", content)
    target, known = storage.url("a.bin"), [digest_of(content)]
    servers = [serve("gunicorn", **_KEPT), serve("uvicorn", **_KEPT), serve("uvicorn", **_POOL)]
    _wait_until_it_has_all(standby, servers, target, known)
    with ExitStack() as clients:
        downloads = [
            clients.enter_context(open_download(server.port, target))
            for server in servers
            for _ in range(3)
        ]
        before = byte_queries(standby)
        standby.kill()
        assert [finish(download, known) for download in downloads] == [WHOLE] * len(downloads)
    assert before > 0
    for server in servers:
        assert [receive(server.port, target, known) for _ in range(5)] == [WHOLE] * 5
        assert server.log.read_text().count("The replica 'replica' failed") == 1
    standby.start()
    asked = byte_queries(standby)
    for server in servers:
        wait_until(lambda server=server: _carries_again(server, target, known))
    assert byte_queries(standby) > asked


def test_a_dead_primary_is_a_503_while_the_standby_lives(
    primary: VictimDatabase, standby: PostgresServer, serve: Serve
) -> None:
    content = content_of(1, 24 * MIB)
    storage = primary.storage()
    storage.save("a.bin", content)
    storage.save("small.txt", b"small")
    target, known = storage.url("a.bin"), [digest_of(content)]
    urls = [target, storage.url("small.txt"), "/files/small.txt"]
    servers = [serve("gunicorn", **_KEPT), serve("uvicorn", **_POOL)]
    _wait_until_it_has_all(standby, servers, target, known)
    with ExitStack() as clients:
        begun = [clients.enter_context(open_download(server.port, target)) for server in servers]
        primary.kill()
        for server in servers:
            for url in urls:
                with open_download(server.port, url) as refused:
                    assert refused.head.status == 503
                    assert int(refused.head["retry-after"]) >= 1
                    assert finish(refused, ()) == REFUSED
        # Who was let in before gets all of it.
        assert [finish(download, known) for download in begun] == [WHOLE] * len(begun)
    primary.start()
    for server in servers:
        assert [receive(server.port, target, known) for _ in range(5)] == [WHOLE] * 5


def test_a_replica_that_hangs_costs_one_request_its_timeout(
    primary: VictimDatabase, serve: Serve
) -> None:
    content = content_of(1, 3 * MIB)
    storage = primary.storage()
    storage.save("a.bin", content)
    with _mute_server() as (port, connections):
        options = {"connect_timeout": 2}
        server = serve("gunicorn", host=LOOPBACK, port=port, OPTIONS=options)
        target, known = storage.url("a.bin"), [digest_of(content)]
        assert [receive(server.port, target, known) for _ in range(10)] == [WHOLE] * 10
        assert connections() == 1


def _wait_until_it_has_all(
    standby: PostgresServer, servers: list[WebServer], target: str, known: list[str]
) -> None:
    """Return as soon as each server gets a whole body from the standby."""

    def has_all(server: WebServer) -> bool:
        before = byte_queries(standby)
        assert receive(server.port, target, known) == WHOLE
        # One alone would be that of a body that went on at the primary.
        return byte_queries(standby) > before + 5

    for server in servers:
        wait_until(lambda server=server: has_all(server))


def _carries_again(server: WebServer, target: str, known: list[str]) -> bool:
    assert receive(server.port, target, known) == WHOLE
    return "The replica 'replica' is back" in server.log.read_text()


@contextmanager
def _mute_server() -> Iterator[tuple[int, Callable[[], int]]]:
    """Listen on a port and say nothing, as a machine that is overloaded.

    :returns: the port, and a function that counts the connections.
    """
    with socket.create_server((LOOPBACK, 0), backlog=64) as listener, ExitStack() as accepted:

        def connections() -> int:
            listener.setblocking(False)
            found = 0
            while True:
                try:
                    accepted.enter_context(listener.accept()[0])
                except BlockingIOError:
                    return found
                found += 1

        yield listener.getsockname()[1], connections
