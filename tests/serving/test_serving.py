"""Real web servers serve files: RFC 9110 and the header policy, and what clients do to them."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connections

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.servers.nginx import NginxServer
from tests.servers.web import Kind, WebServer
from tests.support import observer
from tests.support.http_cases import CASES
from tests.support.http_cases.answers import (
    BAD_TOKEN,
    EXPIRED,
    METHODS,
    NOT_ALLOWED,
    NOT_OURS_400,
    NOT_OURS_404,
    Case,
)
from tests.support.http_cases.files import MODIFIED, age, fill
from tests.support.http_cases.links import Signing, Targets
from tests.support.http_client import Answer, BrokenAnswer, Download, fetch
from tests.support.waiting import wait_until
from tests.support.web_servers import ASGI_KINDS, KINDS

#: What servers say of themselves and of the connection.
_OF_SERVERS = {"date", "server", "connection", "keep-alive"}

MIB = 1024 * 1024

#: The size of a large file; 1024 is a good number for a patient person.
LARGE_MIB = int(os.environ.get("DBSTORAGE_TEST_LARGE_MIB", "100"))

StartNginx = Callable[..., NginxServer]


class ContentStream:
    """Content that is made while it is read, and can't seek."""

    def __init__(self, size: int, digest: Any = None) -> None:
        """Give *size* bytes, and tell them a digest."""
        self._rest = size
        self._digest = digest
        self._block = bytes(number * 31 % 256 for number in range(MIB + 1))

    def seekable(self) -> bool:
        """Tell that there is no way back."""
        return False

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        piece = self._block[self._rest % 251 :][: min(count, self._rest)]
        self._rest -= len(piece)
        if self._digest is not None:
            self._digest.update(piece)
        return piece


@dataclass(frozen=True, slots=True)
class Queries:
    """The text of the queries of a web server."""

    log: Path

    def taken(self) -> str:
        """Return what came since the last call."""
        text = self.log.read_text()
        self.log.write_text("")
        return text

    def settled(self) -> str:
        """Return all, as soon as no more come."""
        text = None
        while text != (text := self.log.read_text()):
            time.sleep(0.3)
        return text


@pytest.fixture
def queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queries:
    """Let the web servers write down their queries."""
    log = tmp_path / "queries"
    log.touch()
    monkeypatch.setenv(observer.QUERIES, str(log))
    return Queries(log)


@pytest.fixture
def links() -> Targets:
    """Save the files of all cases and return the links to them."""
    storage = _storage("default")
    fill(storage)
    made = Targets(Signing(storage, _storage("invoices"), int(time.time())), CASES)
    age(storage)
    StoredFile.objects.update(modified=MODIFIED)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_each_request_gets_its_answer_and_costs_no_query_too_many(
    kind: Kind, web_server: StartWebServer, links: Targets, queries: Queries
) -> None:
    server = _serve(web_server, kind)
    _expect_all(kind, server.port, links, queries)


def test_each_request_gets_its_answer_through_nginx(
    nginx: StartNginx, web_server: StartWebServer, links: Targets, queries: Queries
) -> None:
    server = _serve(web_server, "gunicorn")
    front = nginx(f"location / {{ proxy_pass {server.url}; proxy_set_header Host $http_host; }}")
    _expect_all("nginx", front.port, links, queries)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_a_large_download_takes_little_memory(
    kind: Kind, database: str, web_server: StartWebServer
) -> None:
    size = LARGE_MIB * MIB
    digest = hashlib.sha256()
    storage = _storage("default")
    storage.save("small", b"small")
    storage.save("large", ContentStream(size, digest))
    server = _serve(web_server, kind)
    fetch(server.port, _target("small"))
    before = most = server.rss()
    received, count = hashlib.sha256(), 0
    with Download(server.port, _target("large")) as download:
        for number, piece in enumerate(download.pieces()):
            received.update(piece)
            count += len(piece)
            if number % 64 == 0:
                most = max(most, server.rss())
    assert (count, received.digest()) == (size, digest.digest())
    assert most - before < 40 * MIB


@pytest.mark.cluster
@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_100_stalled_readers_hold_little_each_and_give_memory_back(
    database: str, web_server: StartWebServer
) -> None:
    storage = _storage("default")
    storage.save("small", b"small")
    storage.save("large", ContentStream(16 * MIB))
    pool = {"DBSTORAGE_TEST_POOL": "5"} if database == "postgres" else {}
    server = _serve(web_server, "uvicorn", **pool)
    fetch(server.port, _target("small"))
    before = most = server.rss()
    target = _target("large")
    with ExitStack() as crowd:
        for _ in range(100):
            # What the system takes ahead of its reader makes each look fast at first.
            crowd.enter_context(Download(server.port, target)).read(1000)
            most = max(most, server.rss())
        for _ in range(10):
            assert fetch(server.port, _target("small")).body == b"small"
            most = max(most, server.rss())
    # If each held a whole run of rows, it would be 200 MiB and more.
    assert most - before < 130 * MIB
    wait_until(lambda: server.rss() - before < 50 * MIB)


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_vanishes_leaves_nothing_behind(
    kind: Kind, web_server: StartWebServer, queries: Queries
) -> None:
    _storage("default").save("large", ContentStream(32 * MIB))
    server = _serve(web_server, kind)
    target = _target("large")
    for _ in range(6):  # more than there are threads
        download = Download(server.port, target)
        download.read(1000)
        download.vanish()
    assert fetch(server.port, target, headers=[("Range", "bytes=0-9")]).head.status == 206
    # A whole file takes 35 queries. What fills the buffers of sockets is all that is produced,
    # which takes three to five.
    assert queries.settled().count("SELECT") < 6 * 12


@pytest.mark.parametrize("kind", KINDS)
def test_content_that_is_deleted_midway_aborts_the_connection(
    kind: Kind, web_server: StartWebServer
) -> None:
    storage = _storage("default")
    storage.save("large", ContentStream(32 * MIB))
    server = _serve(web_server, kind)
    with Download(server.port, _target("large")) as download:
        download.read(1000)
        storage.delete("large")
        with pytest.raises(BrokenAnswer, match="33554432 bytes were promised"):
            download.body()
    assert fetch(server.port, "/files/large").head.status == 404
    assert "ContentVanished" in server.log.read_text()


def test_nginx_passes_the_abort_on(nginx: StartNginx, web_server: StartWebServer) -> None:
    storage = _storage("default")
    storage.save("large", ContentStream(32 * MIB))
    server = _serve(web_server, "gunicorn")
    front = nginx(f"location / {{ proxy_pass {server.url}; proxy_buffering off; }}")
    with Download(front.port, _target("large")) as download:
        download.read(1000)
        storage.delete("large")
        with pytest.raises(BrokenAnswer, match="33554432 bytes were promised"):
            download.body()


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_slow_reader_holds_no_transaction(
    kind: Kind, database: str, web_server: StartWebServer
) -> None:
    _storage("default").save("large", ContentStream(32 * MIB))
    server = _serve(web_server, kind)
    with Download(server.port, _target("large")) as download:
        download.read(1000)
        _wait_until(lambda: _transactions(database) == [])
        time.sleep(0.1)
        assert _transactions(database) == []
        assert download.count_rest() > 31 * MIB


def test_a_slow_reader_keeps_nobody_from_writing(web_server: StartWebServer) -> None:
    storage = _storage("default")
    storage.save("large", ContentStream(32 * MIB))
    server = _serve(web_server, "uvicorn")
    with Download(server.port, _target("large")) as download:
        download.read(1000)
        storage.save("another", b"another")
        assert fetch(server.port, _target("another")).body == b"another"


@pytest.mark.parametrize("kind", ASGI_KINDS)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_failed_streams_give_their_connections_back(
    kind: Kind, database: str, web_server: StartWebServer
) -> None:
    storage = _storage("default")
    storage.save("large", ContentStream(32 * MIB))
    storage.save("small", b"small")
    server = _serve(web_server, kind, DBSTORAGE_TEST_POOL="3")
    # One after another: some of these servers have fewer threads than six.
    for _ in range(2):
        with ExitStack() as stack:
            target = _target("large")
            downloads = [stack.enter_context(Download(server.port, target)) for _ in range(3)]
            storage.delete("large")
            for download in downloads:
                with pytest.raises(BrokenAnswer):
                    download.body()
        storage.save("large", ContentStream(32 * MIB))
    assert fetch(server.port, _target("small")).body == b"small"


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_stalled_readers_leave_the_pool_to_others(
    kind: Kind, database: str, web_server: StartWebServer
) -> None:
    storage = _storage("default")
    storage.save("large", ContentStream(32 * MIB))
    storage.save("small", b"small")
    server = _serve(web_server, kind, DBSTORAGE_TEST_POOL="2")
    with (
        Download(server.port, _target("large")) as one,
        Download(server.port, _target("large")) as another,
    ):
        for download in (one, another):
            download.read(1000)
        for _ in range(3):
            assert fetch(server.port, _target("small")).body == b"small"
        assert one.count_rest() + another.count_rest() > 63 * MIB


def _serve(start: StartWebServer, kind: Kind, **env: str) -> WebServer:
    return start(kind, settings="tests.support.serving_settings", env=env)


def _target(name: str) -> str:
    return _storage("default").url(name)


def _transactions(alias: str) -> list[tuple[str, str]]:
    """Return what is open in the database beside the test itself."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        found: list[tuple[str, str]] = cursor.fetchall()
        return found


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


def _storage(alias: str) -> DatabaseStorage:
    storage = storages[alias]
    assert isinstance(storage, DatabaseStorage)
    storage.options  # noqa: B018
    return storage


def _expect_all(kind: str, port: int, links: Targets, queries: Queries) -> None:
    faults = [
        f"{case.sentence}\n    {fault}"
        for case in CASES
        for fault in (*_faults(case, kind, port, links), *_dear_queries(case, queries.taken()))
    ]
    assert not faults, "\n".join([f"{len(faults)} faults with {kind}:", *faults])


def _faults(case: Case, kind: str, port: int, links: Targets) -> Iterator[str]:
    request = links.fill(case.request)
    try:
        answer = fetch(port, request.target, method=request.method, headers=request.headers)
    except BrokenAnswer as error:
        yield str(error)
        return
    if answer.head.status == case.rejected_by.get(kind):
        return
    if answer.head.status != case.expected.status:
        yield f"status {answer.head.status} instead of {case.expected.status}"
        return
    if case.expected.fields:
        yield from _wrong_fields(case, answer)
        yield from _wrong_body(case, answer)


def _dear_queries(case: Case, taken: str) -> Iterator[str]:
    """Find queries that an answer without a body, or a refusal, has no use for."""
    expected = case.expected
    bodiless = case.request.method == "HEAD" or expected.status in (304, 412, 416)
    allowed = 1 if bodiless or expected.status in (403, 404) else 4
    if expected in (BAD_TOKEN, EXPIRED, NOT_ALLOWED, METHODS, NOT_OURS_400, NOT_OURS_404):
        allowed = 0
    if taken.count("\n") > allowed:
        yield f"more than {allowed} queries: {taken}"
    if bodiless and '"data"' in taken:
        yield f"content was read: {taken}"


def _wrong_fields(case: Case, answer: Answer) -> Iterator[str]:
    names = [name for name, _ in answer.head.fields]
    if "date" not in names:
        yield "no Date"
    expected = dict(case.expected.fields)
    if case.expected.text:
        expected.setdefault("content-length", re.compile("[0-9]+"))
    for name in {*names, *expected} - _OF_SERVERS:
        wanted = expected.get(name)
        values = answer.head.all(name)
        if wanted is None or len(values) != 1:
            yield f"{name}: {values} instead of {wanted}"
        elif not (
            wanted.fullmatch(values[0]) if isinstance(wanted, re.Pattern) else wanted == values[0]
        ):
            yield f"{name}: {values[0]} instead of {wanted}"


def _wrong_body(case: Case, answer: Answer) -> Iterator[str]:
    if case.request.method == "HEAD":
        if answer.body:
            yield "HEAD has a body"
    elif case.expected.body is not None:
        if answer.body != case.expected.body:
            yield f"the body is {answer.body[:60]!r}, {len(answer.body)} bytes"
    elif case.expected.text not in answer.body.decode():
        yield f"{case.expected.text} is not in {answer.body!r}"
