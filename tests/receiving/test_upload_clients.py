"""Real clients and real servers: curl, tuspy, connections that break, and kills in the middle."""

import hashlib
import io
import random
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.storage import storages

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.pruning import prune_unfinished
from tests.conftest import StartNginx, StartWebServer
from tests.servers.nginx import NginxServer
from tests.servers.process import LOOPBACK
from tests.servers.unavailable import find_program, skip_or_fail
from tests.servers.web import Kind, WebServer
from tests.support.http_client import fetch
from tests.support.uploads import PAST, PIECE
from tests.support.waiting import wait_until
from tests.support.web_servers import KINDS

pytestmark = pytest.mark.django_db(transaction=True)

KIB = 1024
#: More than a server takes at once, and no whole number of rows.
CONTENT = random.Random(1).randbytes(1500 * KIB + 7)
SIZE = len(CONTENT)
TUS = {"Tus-Resumable": "1.0.0"}

#: How many seconds an answer may take on a busy machine.
_PATIENCE = 120

#: Servers that hand a body on while it comes. The others give it to Django when all is there.
STREAMING: tuple[Kind, ...] = ("gunicorn", "granian-wsgi")


def ours() -> DatabaseStorage:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage


def content_of(name: str) -> bytes:
    with ours().open(name) as file:
        return bytes(file.read())


@pytest.mark.parametrize("kind", KINDS)
def test_clients_upload_to_each_server(
    web_server: StartWebServer, kind: Kind, tmp_path: Path
) -> None:
    """One server for all of it: a start takes longer than the uploads."""
    server = web_server(kind)
    _curl_puts(server, tmp_path)
    _a_refusal_reaches_who_reads_late(server)
    if kind != "granian-asgi":  # It lets Django fail, before a view is called.
        _a_refusal_needs_no_readable_chunks(server)
    _a_length_beside_chunks_is_no_length(server)
    _tuspy_uploads(server)
    _a_broken_connection_keeps_what_came(server, kind)
    if kind in ("gunicorn", "uvicorn"):
        _a_large_file_takes_little_memory(server)
        _many_pieces_take_no_more_than_a_few(server)
        server = _a_kill_loses_a_piece_at_most(server, web_server, kind)
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "Internal Server Error" not in log


def _curl_puts(server: WebServer, directory: Path) -> None:
    curl = find_program("curl", package="curl")
    (file := directory / "a.bin").write_bytes(CONTENT)

    def status(url: str, *options: str, data: bytes | None = None) -> int:
        done = subprocess.run(
            [curl, "-sS", "-o", "-", "-w", "%{stderr}%{http_code}", *options, server.url + url],
            input=data,
            capture_output=True,
            check=False,
        )
        return int(done.stderr[-3:])

    url, upload = ours().upload_url("curl/a.bin", max_size=SIZE), ("-T", str(file))
    small = ours().upload_url("curl/b.bin", max_size=SIZE - 1)
    wrong = ("-H", f"Content-Digest: sha-256=:{'A' * 43}=:")
    assert status(url, *upload, *wrong) == 400
    assert status(small, *upload) == 413
    assert status(small.replace("b.bin", "c.bin"), *upload) == 403
    assert status(url, "-T", "-", "-H", "Transfer-Encoding: chunked", data=CONTENT) == 411
    assert ours().inbox.unfinished().count() == 0
    assert status(url, *upload) == 201
    assert status(url, *upload) == 409
    assert content_of("curl/a.bin") == CONTENT


def _a_refusal_reaches_who_reads_late(server: WebServer) -> None:
    """As nginx does, it sends all of the body first."""
    url = ours().upload_url("curl/small.bin", max_size=1)
    body = CONTENT * 6
    assert _answer_to(server, url, f"Content-Length: {len(body)}", body).startswith("413")
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert _answer_to(server, url, "Transfer-Encoding: chunked", chunks).startswith("411")


def _a_refusal_needs_no_readable_chunks(server: WebServer) -> None:
    url = ours().upload_url("curl/unreadable.bin", max_size=SIZE)
    chunks = b"5\r\nhello\r\nno length\r\n"
    answer = _answer_to(server, url, "Transfer-Encoding: chunked", chunks)
    assert answer[:3] in {"400", "411"}


def _a_length_beside_chunks_is_no_length(server: WebServer) -> None:
    url = ours().upload_url("curl/chunks.bin", max_size=SIZE)
    fields = "Content-Length: 5\r\nTransfer-Encoding: chunked"
    answer = _answer_to(server, url, fields, b"a\r\n0123456789\r\n0\r\n\r\n")
    assert answer[:3] in {"400", "411"}
    assert not ours().exists("curl/chunks.bin")


def _answer_to(server: WebServer, url: str, fields: str, body: bytes) -> str:
    """Return the beginning of the answer to a PUT, after its version of HTTP."""
    head = f"PUT {url} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n{fields}\r\n\r\n"
    with socket.create_connection((LOOPBACK, server.port), timeout=30) as sending:
        sending.sendall(head.encode() + body)
        return sending.recv(4096).decode().partition(" ")[2]


def _tuspy_uploads(server: WebServer) -> None:
    client: Any = tus_client(server.url + ours().upload_url(prefix="tuspy", max_size=SIZE))
    for number, (size, piece, checks) in enumerate(
        [(0, 9, False), (SIZE, SIZE, False), (SIZE, 400 * KIB, True)]
    ):
        data = CONTENT[:size]
        client.uploader(
            file_stream=io.BytesIO(data),
            chunk_size=piece,
            metadata={"filename": f"{number}.bin"},
            upload_checksum=checks,
        ).upload()
        name = f"tuspy/{number}.bin"
        assert ours().stat(name).sha256 == hashlib.sha256(data).hexdigest()
        assert fetch(server.port, ours().url(name)).body == data


def tus_client(url: str) -> Any:
    try:
        from tusclient.client import TusClient
    except ImportError:
        skip_or_fail("tuspy is not installed (pip install '.[test]')")
    return TusClient(url)


def _a_broken_connection_keeps_what_came(server: WebServer, kind: Kind) -> None:
    part = _begun(server, "broken.bin")
    _half_sent(server, part, 0, 700 * KIB).close()
    if kind in STREAMING:
        wait_until(lambda: _offset(server, part) == 700 * KIB)
    _rest_sent(server, part)
    assert content_of("broken.bin") == CONTENT


def _a_large_file_takes_little_memory(server: WebServer) -> None:
    before = most = server.rss()

    def pieces() -> Iterator[bytes]:
        nonlocal most
        for _ in range(40):
            yield CONTENT[: 1024 * KIB]
            most = max(most, server.rss())

    size = 40 * 1024 * KIB
    url = ours().upload_url("large.bin", max_size=size)
    headers = {"Content-Length": str(size)}
    answer = httpx.put(server.url + url, content=pieces(), headers=headers, timeout=_PATIENCE)
    assert answer.status_code == 201
    assert ours().size("large.bin") == size
    assert most - before < 20 * 1024 * KIB


def _many_pieces_take_no_more_than_a_few(server: WebServer) -> None:
    """What the first pieces took is used again by all others."""
    piece = (CONTENT * 3)[: 4 * 1024 * KIB]
    part = _begun(server, "pieces.bin", size=40 * len(piece))
    rss = []
    for number in range(12):
        _patched(server, part, number * len(piece), piece)
        rss.append(server.rss())
    assert rss[-1] - rss[4] < 8 * 1024 * KIB
    assert httpx.delete(server.url + part, headers=TUS, timeout=_PATIENCE).status_code == 204


def _a_kill_loses_a_piece_at_most(
    server: WebServer, web_server: StartWebServer, kind: Kind
) -> WebServer:
    part, piece = _begun(server, "killed.bin"), 512 * KIB
    assert _patched(server, part, 0, CONTENT[:piece]) == piece
    with _half_sent(server, part, piece, piece // 2):
        server.kill()
    server = web_server(kind)
    # The unfinished piece is what may be lost.
    assert piece <= _offset(server, part) <= piece + piece // 2
    _rest_sent(server, part)
    assert content_of("killed.bin") == CONTENT
    assert ours().inbox.unfinished().count() == 0
    return server


@pytest.mark.cluster
@pytest.mark.parametrize(
    "kind", ["gunicorn", "uvicorn", "granian-wsgi", "granian-asgi", "hypercorn"]
)
def test_a_server_that_is_killed_loses_a_piece_at_most(
    web_server: StartWebServer, kind: Kind
) -> None:
    """Killed twice in the middle of a PUT and of a piece."""
    server, piece = web_server(kind), 512 * KIB
    large = CONTENT * 4  # More than one transaction: a smaller PUT is all or nothing.
    part, url = _begun(server, "part.bin"), ours().upload_url("put.bin", max_size=len(large))
    for _ in range(2):
        offset, before = _offset(server, part), ours().inbox.unfinished().count()
        assert _patched(server, part, offset, CONTENT[offset : offset + piece]) == offset + piece
        with (
            _half_sent(server, part, offset + piece, 100 * KIB),
            _cut(server, "PUT", url, {}, large, len(large) - 1),
        ):
            if kind in STREAMING:
                wait_until(lambda n=before: ours().inbox.unfinished().count() > n)
            server.kill()
        server = web_server(kind)
        assert offset + piece <= _offset(server, part) <= offset + piece + 100 * KIB
        assert not ours().exists("put.bin")
    _rest_sent(server, part)
    answer = httpx.put(server.url + url, content=large, timeout=_PATIENCE)
    assert answer.status_code == 201
    assert (content_of("part.bin"), content_of("put.bin")) == (CONTENT, large)
    # Of each PUT that was killed, rows are left at most, and nobody continues them.
    ours().inbox.unfinished().update(expires=PAST)
    left = len(list(prune_unfinished(ours(), dry_run=False)))
    assert left == (2 if kind in STREAMING else 0)
    assert StoredFile.rows.strays().count() == ours().inbox.unfinished().count() == 0


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_uploads_pass_nginx_whether_it_buffers_them_or_not(
    nginx: StartNginx, web_server: StartWebServer, kind: Kind, tmp_path: Path
) -> None:
    """Pieces of 1 MiB pass its default limit; only a PUT needs more."""
    server = web_server(kind)
    passed = f"proxy_pass {server.url}; proxy_http_version 1.1;"
    straight = f"{passed} proxy_request_buffering off;"
    front = nginx(f"""
        location /files/on/ {{ {passed} }}
        location /files/on/put {{ {passed} client_max_body_size 2m; }}
        location /files/off/ {{ {straight} }}
        location /files/off/put {{ {straight} client_max_body_size 2m; }}
    """)
    curl = find_program("curl", package="curl")
    (file := tmp_path / "a.bin").write_bytes(CONTENT)
    for mode in ("on", "off"):
        url = front.url + ours().upload_url(f"{mode}/put.bin", max_size=SIZE)
        subprocess.run([curl, "-sSf", "-T", str(file), url], check=True)
        assert content_of(f"{mode}/put.bin") == CONTENT
        client: Any = tus_client(front.url + ours().upload_url(f"{mode}/tus.bin", max_size=SIZE))
        client.uploader(file_stream=io.BytesIO(CONTENT), chunk_size=1024 * KIB).upload()
        assert content_of(f"{mode}/tus.bin") == CONTENT
        # What nginx buffers reaches Django when all of it has come; the rest as it comes.
        part = _begun(front, f"{mode}/put-broken.bin")
        _half_sent(front, part, 0, 1200 * KIB).close()
        if mode == "off" and kind in STREAMING:
            wait_until(lambda part=part: _offset(front, part) > 0)
        else:
            assert _offset(front, part) == 0
        _rest_sent(front, part)
        assert content_of(f"{mode}/put-broken.bin") == CONTENT


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_stalled_uploads_leave_the_pool_to_others(
    database: str, web_server: StartWebServer
) -> None:
    ours().save("small", b"small")
    settings = "tests.support.serving_settings"
    server = web_server("gunicorn", settings=settings, env={"DBSTORAGE_TEST_POOL": "1"})
    parts = [_begun(server, f"{number}.bin") for number in range(3)]
    with ExitStack() as stalled:
        for part in parts:
            stalled.enter_context(_half_sent(server, part, 0, 400 * KIB))
        # One of gunicorn's four threads and the one connection are left.
        for _ in range(5):
            assert fetch(server.port, ours().url("small")).body == b"small"
    for part in parts:
        wait_until(lambda part=part: _offset(server, part) == 400 * KIB)


# --- a client ------------------------------------------------------------------------------------


def _begun(server: WebServer | NginxServer, name: str, *, size: int = SIZE) -> str:
    headers = {**TUS, "Upload-Length": str(size)}
    answer = httpx.post(
        server.url + ours().upload_url(name, max_size=size),
        headers=headers,
        timeout=_PATIENCE,
    )
    assert answer.status_code == 201
    return str(answer.headers["Location"])


def _offset(server: WebServer | NginxServer, part: str) -> int:
    answer = httpx.head(server.url + part, headers=TUS, timeout=_PATIENCE)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def _patched(server: WebServer | NginxServer, part: str, offset: int, data: bytes) -> int:
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": PIECE}
    answer = httpx.patch(server.url + part, content=data, headers=headers, timeout=_PATIENCE)
    assert answer.status_code == 204
    return int(answer.headers["Upload-Offset"])


def _rest_sent(server: WebServer | NginxServer, part: str) -> None:
    offset = _offset(server, part)
    assert _patched(server, part, offset, CONTENT[offset:]) == SIZE


def _half_sent(
    server: WebServer | NginxServer, part: str, offset: int, count: int
) -> socket.socket:
    """Return a connection on which a piece has begun of which only so many bytes have come."""
    fields = {**TUS, "Upload-Offset": offset, "Content-Type": PIECE}
    return _cut(server, "PATCH", part, fields, CONTENT[offset:], count)


def _cut(
    server: WebServer | NginxServer,
    method: str,
    url: str,
    fields: Mapping[str, object],
    body: bytes,
    count: int,
) -> socket.socket:
    """Return a connection on which so many bytes of a body were sent."""
    connection = socket.create_connection((LOOPBACK, server.port), timeout=_PATIENCE)
    given = {"Host": f"{LOOPBACK}:{server.port}", "Content-Length": len(body), **fields}
    lines = [f"{method} {url} HTTP/1.1", *(f"{key}: {value}" for key, value in given.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    connection.sendall(body[:count])
    return connection
