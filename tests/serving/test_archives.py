"""Links to zip archives."""

import gc
import io
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection, connections
from django.http import HttpRequest, HttpResponseRedirect
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from secure_dbstorage.exceptions import ContentVanished
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.redaction import REMOVED, without_tokens
from secure_dbstorage.serving import archives
from secure_dbstorage.signals import file_refused, file_served
from secure_dbstorage.storage import DatabaseStorage
from tests.support.admin import add_heads
from tests.support.mounting import mounted
from tests.support.serving import PLAYLIST, Store, body_of
from tests.support.tokens import token_of

pytestmark = pytest.mark.django_db

#: Three rows, and part of a fourth.
LARGE = bytes(range(256)) * 3_500


def contents(answer: Any) -> dict[str, bytes]:
    """Return what an archive holds, by name in its order."""
    assert answer.status_code == 200, answer
    body = read(answer)
    assert len(body) == int(answer["Content-Length"])
    with ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def read(answer: Any) -> bytes:
    return b"".join(pieces_of(answer))


def pieces_of(answer: Any) -> Iterator[bytes]:
    """Yield the pieces of a body as a server of its kind takes them."""
    if not answer.is_async:
        yield from answer
        return
    pieces = aiter(answer)
    while (piece := async_to_sync(anext)(pieces, None)) is not None:
        yield piece


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Return what the access log gets."""
    gc.collect()  # The bodies that other tests left unread.
    with caplog.at_level(logging.INFO, logger="secure_dbstorage.access"):
        yield caplog


@pytest.fixture
def received() -> Iterator[list[dict[str, Any]]]:
    """Return what receivers of both signals are given."""
    calls: list[dict[str, Any]] = []

    def receive(**arguments: Any) -> None:
        calls.append(arguments)

    file_served.connect(receive)
    file_refused.connect(receive)
    yield calls
    file_served.disconnect(receive)
    file_refused.disconnect(receive)


# --- what is packed ------------------------------------------------------------------------------


def test_it_packs_everything_below_a_directory(
    film: DatabaseStorage, get: Callable[..., Any]
) -> None:
    film.save("films/7/large.bin", LARGE)
    film.save("films/7/empty.bin", b"")
    film.save("films/7/é/日本.txt", b"names")
    film.save("films/7/A.txt", b"upper")
    film.save("films/7/a.txt", b"lower")
    found = contents(get(film.zip_url(prefix="films/7")))
    assert found == {
        "A.txt": b"upper",
        "a.txt": b"lower",
        "empty.bin": b"",
        "index.m3u8": PLAYLIST,
        "large.bin": LARGE,
        "page.html": b"<script>alert(1)</script>",
        "parts/1.ts": b"one",
        "parts/2 b.ts": b"two",
        "é/日本.txt": b"names",
    }
    assert list(found) == sorted(found)


def test_on_each_database(database: str) -> None:
    storage = DatabaseStorage(using=database)
    wanted = {f"{number:02}.txt": b"x" * number for number in range(30)} | {"z.bin": LARGE}
    for name, content in wanted.items():
        storage.save(f"d/{name}", content)
    for other in ("d.txt", "d0", "D/x", "dd/x", "e/d/x"):
        storage.save(other, b"other")
    with CaptureQueriesContext(connections[database]) as queries:
        found = contents(Client().get(storage.zip_url(prefix="d")))
    assert found == wanted
    # The heads in two queries, the small files in one, the large one in its runs.
    assert len([query for query in queries if "secure_dbstorage" in query["sql"]]) <= 6


def test_what_was_saved_renamed_or_revoked_later_stays_out(
    film: DatabaseStorage, client: Client
) -> None:
    url = film.zip_url(prefix="films/7")
    film.revoke_urls("films/7/index.m3u8")
    film.delete("films/7/page.html")
    film.save("films/7/page.html", b"new")
    film.save("films/7/added.txt", b"new")
    film.save("films/7/public.txt", b"new")
    film.set_public("films/7/public.txt", public=True)
    film.rename("films/70/index.m3u8", "films/7/renamed.m3u8")
    assert set(contents(client.get(url))) == {"parts/1.ts", "parts/2 b.ts"}
    assert len(contents(client.get(film.zip_url(prefix="films/7")))) == 7


def test_what_was_overwritten_goes_in_as_it_is_now(film: DatabaseStorage, client: Client) -> None:
    url = film.zip_url(prefix="films/7")
    with film.open("films/7/parts/1.ts", "wb") as file:
        file.write(b"better")
    assert contents(client.get(url))["parts/1.ts"] == b"better"


def test_what_has_expired_stays_out(film: DatabaseStorage, client: Client) -> None:
    film.set_expires("films/7/page.html", timezone.now() - timedelta(seconds=1))
    film.set_expires("films/7/index.m3u8", timezone.now() + timedelta(hours=1))
    assert set(contents(client.get(film.zip_url(prefix="films/7")))) == {
        "index.m3u8", "parts/1.ts", "parts/2 b.ts"
    }  # fmt: skip


def test_an_empty_directory_is_a_404(film: DatabaseStorage, client: Client) -> None:
    urls = [film.zip_url(prefix=prefix) for prefix in ("films/7", "films/8", "private.txt")]
    film.revoke_urls(prefix="films/7")
    answers = [client.get(url) for url in urls]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}


@pytest.mark.parametrize(("option", "limit"), [((), "MAX_FILES"), (["x"], "MAX_ASKED_FILES")])
def test_too_many_files_are_a_413(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch, option: Any, limit: str
) -> None:
    monkeypatch.setattr(archives, limit, 3)
    storage = store(auth_hooks=[lambda *_: True] if option else ())
    for number in range(3):
        storage.save(f"d/{number}.txt", b"x")
    url = storage.zip_url(prefix="d")
    storage.save("d/later.txt", b"x")  # It isn't packed, and doesn't count.
    assert len(contents(client.get(url))) == 3
    answer = client.get(storage.zip_url(prefix="d"))
    assert (answer.status_code, answer.streaming) == (413, False)


def test_the_limits_are_ten_thousand_files_and_a_thousand_with_hooks(
    store: Store, client: Client
) -> None:
    add_heads("default", 1_001)
    storage = store()
    assert client.head(storage.zip_url(prefix="many")).status_code == 200
    storage = store(auth_hooks=[lambda *_: True])
    assert client.head(storage.zip_url(prefix="many")).status_code == 413
    assert archives.MAX_FILES == 10_000


def test_heads_come_in_few_queries_and_only_as_many_as_are_wanted(store: Store) -> None:
    add_heads("default", 2_500)
    catalog = store().catalog
    with CaptureQueriesContext(connection) as queries:
        found = catalog.heads_below("many", latest_epoch=1, now=0, limit=2_200)
    assert [head.stat.name for head in found] == [f"many/{n:05}.txt" for n in range(2_200)]
    assert len(queries) == 3


# --- the answer ----------------------------------------------------------------------------------


def test_it_is_a_private_download_that_nothing_keeps(
    film: DatabaseStorage, client: Client
) -> None:
    answer = client.get(film.zip_url(prefix="films/7"))
    ours = {
        "Content-Type": "application/zip",
        "Content-Disposition": 'attachment; filename="7.zip"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Accept-Ranges": "none",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-site",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
    assert {name: answer.get(name) for name in ours} == ours
    assert not {"ETag", "Last-Modified"} & set(answer.headers)


@pytest.mark.parametrize(
    ("filename", "disposition"),
    [
        ("Invoices 2026.zip", 'attachment; filename="Invoices 2026.zip"'),
        ('a"b.zip', "attachment; filename=\"a_b.zip\"; filename*=UTF-8''a%22b.zip"),
        ("é.zip", "attachment; filename=\"e.zip\"; filename*=UTF-8''%C3%A9.zip"),
    ],
)
def test_its_name_is_chosen_and_safe(
    film: DatabaseStorage, client: Client, filename: str, disposition: str
) -> None:
    answer = client.get(film.zip_url(prefix="films/7", filename=filename))
    assert answer["Content-Disposition"] == disposition


def test_the_length_is_known_before_a_byte_is_read(film: DatabaseStorage, client: Client) -> None:
    film.save("films/7/large.bin", LARGE)
    url = film.zip_url(prefix="films/7")
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
        length = int(answer["Content-Length"])
        assert not [query for query in queries if '"data"' in query["sql"]]
    assert len(read(answer)) == length


def test_a_head_has_the_same_fields_and_no_body(
    film: DatabaseStorage, get: Callable[..., Any], client: Client
) -> None:
    url = film.zip_url(prefix="films/7")
    head = client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(get(url).headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-9"},
        {"Range": "bytes=0-9", "If-Range": '"x"'},
        {"If-None-Match": "*"},
        {"If-Match": '"x"'},
        {"If-Match": "*"},
        {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Accept-Encoding": "gzip"},
    ],
)
def test_it_is_always_sent_whole(
    film: DatabaseStorage, client: Client, headers: dict[str, str]
) -> None:
    answer = client.get(film.zip_url(prefix="films/7"), headers=headers)
    assert len(contents(answer)) == 4
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_no_other_method_is_allowed(film: DatabaseStorage, client: Client, method: str) -> None:
    answer = getattr(client, method)(film.zip_url(prefix="films/7"))
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_no_page_can_run_it(film: DatabaseStorage, client: Client) -> None:
    url = film.zip_url(prefix="films/7")
    for destination, status in (
        ("script", 403),
        ("embed", 403),
        ("empty", 200),
        ("document", 200),
    ):
        answer = client.get(url, headers={"Sec-Fetch-Dest": destination})
        assert answer.status_code == status, destination


@pytest.mark.parametrize("how", ["overwritten", "deleted"])
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_content_that_vanishes_breaks_the_body_off(
    film: DatabaseStorage,
    get: Callable[..., Any],
    received: list[dict[str, Any]],
    size: int,
    how: str,
) -> None:
    film.save("films/7/1.bin", LARGE)
    film.save("films/7/2.bin", b"x" * size)
    answer = get(film.zip_url(prefix="films/7"))
    pieces = pieces_of(answer)
    length = len(next(pieces))
    if how == "deleted":
        film.delete("films/7/2.bin")
    else:
        with film.open("films/7/2.bin", "wb") as file:
            file.write(b"y" * size)
    rest: list[bytes] = []
    with pytest.raises(ContentVanished):
        rest.extend(pieces)
    length += sum(map(len, rest))
    assert length < int(answer["Content-Length"])
    assert {call["record"].outcome for call in received} == {"broken"}


# --- who may have it -----------------------------------------------------------------------------


def test_one_refusal_refuses_all(store: Store, get: Callable[..., Any]) -> None:
    asked: list[str] = []

    def hook(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
        assert (grant.is_zip, grant.folder) == (True, "d")
        asked.append(file.name)
        return file.name != "d/3.txt"

    storage = store(auth_hooks=[hook])
    for number in range(1, 5):
        storage.save(f"d/{number}.txt", b"x")
    url = storage.zip_url(prefix="d")
    storage.set_public("d/2.txt", public=True)
    answer = get(url)
    assert (answer.status_code, answer.streaming) == (403, False)
    assert asked == ["d/1.txt", "d/3.txt"]
    storage.set_public("d/3.txt", public=True)
    assert len(contents(get(url))) == 4


def test_a_hook_may_send_the_visitor_away(store: Store, client: Client) -> None:
    paths = []

    def hook(request: HttpRequest, file: FileStat, grant: Any) -> HttpResponseRedirect:
        paths.append(str(grant.return_path))
        return HttpResponseRedirect("/login/")

    storage = store(auth_hooks=[hook])
    storage.save("d/1.txt", b"x")
    storage.save("d/2.txt", b"x")
    url = storage.zip_url(prefix="d")
    answer = client.get(url)
    assert (answer.status_code, answer["Location"]) == (302, "/login/")
    assert answer["Cache-Control"] == "private, no-store"
    assert paths == [mounted(url)]


@pytest.mark.users
@pytest.mark.parametrize("public", [False, True])
def test_it_can_be_for_a_user_and_a_network(
    film: DatabaseStorage, client: Client, *, public: bool
) -> None:
    for name in ("index.m3u8", "page.html", "parts/1.ts", "parts/2 b.ts"):
        film.set_public(f"films/7/{name}", public=public)
    ada = User.objects.create_user("ada")
    url = film.zip_url(prefix="films/7", user=ada, ip="127.0.0.0/8")
    assert client.get(url).status_code == 403
    client.force_login(ada)
    assert len(contents(client.get(url))) == 4
    assert client.get(url, REMOTE_ADDR="10.0.0.1").status_code == 403


def test_it_is_one_request_of_the_signed_budget(store: Store, client: Client) -> None:
    storage = store(rate_limits={"signed": "2/m", "refused": "1/m"})
    for number in range(5):
        storage.save(f"d/{number}.txt", b"x")
    url = storage.zip_url(prefix="d")
    statuses = [client.get(url).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert client.get(storage.url("private.txt")).status_code == 429


def test_a_bad_link_costs_no_query_and_counts_as_one(store: Store, client: Client) -> None:
    storage = store(rate_limits={"refused": "2/m"})
    bad = storage.zip_url(prefix="films").replace("/films?", "/other?")
    with CaptureQueriesContext(connection) as queries:
        statuses = [client.get(bad).status_code for _ in range(3)]
    assert (statuses, len(queries)) == ([403, 403, 429], 0)


def test_it_opens_no_file_and_no_other_link_opens_it(
    film: DatabaseStorage, client: Client
) -> None:
    url = film.zip_url(prefix="films/7")
    token = token_of(url)
    for wrong in (
        url.replace("/films/7?", "/films/7/index.m3u8?"),
        url.replace("/films/7?", "/films?"),
        url.replace("/films/7?", "/films/70?"),
        url.replace(f"/films/7?token={token}", f"/~{token}/films/7/index.m3u8"),
        url.replace(token, token_of(film.url("films/7/index.m3u8"))),
    ):
        assert wrong != url
        assert client.get(wrong).status_code == 403, wrong
    assert client.get(url.partition("?")[0]).status_code == 404
    assert client.get(url.replace("/films/7?", "/films/7/?")).status_code == 404


@pytest.mark.users
def test_it_opens_nothing_in_another_storage(client: Client) -> None:
    for namespace in ("", "invoices"):
        DatabaseStorage(namespace=namespace).save("d/a.txt", b"x")
    url = DatabaseStorage().zip_url(prefix="d")
    client.force_login(User.objects.create_user("ada"))
    assert client.get(url).status_code == 200
    assert client.get(url.replace("/files/", "/invoices/")).status_code == 403
    other = DatabaseStorage(namespace="invoices").zip_url(prefix="d")
    assert set(contents(client.get(other))) == {"a.txt"}


def test_it_ends(film: DatabaseStorage, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    url = film.zip_url(prefix="films/7", expires_in=60)
    later = timezone.now().timestamp() + 61
    monkeypatch.setattr("time.time", lambda: later)
    answer = client.get(url)
    assert answer.status_code == 403
    assert "expired" in answer.text


# --- what is recorded ----------------------------------------------------------------------------


def test_it_is_one_line_and_a_signal_for_each_file(
    film: DatabaseStorage,
    get: Callable[..., Any],
    received: list[dict[str, Any]],
    log: pytest.LogCaptureFixture,
) -> None:
    url = film.zip_url(prefix="films/7")
    length = len(read(get(url)))
    (message,) = log.messages
    (record,) = {id(call["record"]): call["record"] for call in received}.values()
    assert (record.outcome, record.status, record.bytes) == ("served", 200, length)
    assert (record.name, record.link) == ("films/7", token_of(url).rpartition(".")[2][:8])
    assert str(record) == message
    assert token_of(url) not in message
    assert [call["file"].name for call in received] == [
        f"films/7/{name}" for name in ("index.m3u8", "page.html", "parts/1.ts", "parts/2 b.ts")
    ]
    assert {call["signal"] for call in received} == {file_served}
    assert {call["grant"].is_zip for call in received} == {True}


def test_a_body_that_nobody_reads_to_its_end_names_the_files_that_were_sent(
    film: DatabaseStorage, client: Client, received: list[dict[str, Any]]
) -> None:
    for number in range(3):
        film.save(f"films/9/{number}.bin", LARGE)
    answer = client.get(film.zip_url(prefix="films/9"))
    body = iter(answer)
    for _ in range(5):  # All of the first file, and some of the second.
        next(body)
    answer.close()
    assert [call["file"].name for call in received] == ["films/9/0.bin", "films/9/1.bin"]
    assert {call["record"].outcome for call in received} == {"broken"}


def test_a_head_is_a_line_and_tells_of_no_file(
    film: DatabaseStorage,
    client: Client,
    received: list[dict[str, Any]],
    log: pytest.LogCaptureFixture,
) -> None:
    client.head(film.zip_url(prefix="films/7"))
    (message,) = log.messages
    assert "outcome=head status=200 bytes=0" in message
    assert received == []


def test_a_refusal_names_the_directory(
    film: DatabaseStorage, client: Client, received: list[dict[str, Any]]
) -> None:
    client.get(film.zip_url(prefix="films/8"))
    (call,) = received
    assert (call["signal"], call["name"], call["reason"]) == (file_refused, "films/8", "missing")


def test_its_token_is_taken_out_of_texts(film: DatabaseStorage) -> None:
    url = film.zip_url(prefix="films/7", filename="a.zip")
    assert without_tokens(f"GET {url} HTTP/1.1") == (
        f"GET {url.partition('=')[0]}={REMOVED} HTTP/1.1"
    )
    assert without_tokens(f"cookie {token_of(url)};") == f"cookie {REMOVED};"


def test_its_token_is_taken_out_of_the_request(store: Store, client: Client) -> None:
    seen = []

    def hook(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
        seen.append((request.get_full_path(), repr(request.META), dict(request.GET)))
        return True

    storage = store(auth_hooks=[hook])
    storage.save("d/1.txt", b"x")
    url = storage.zip_url(prefix="d")
    assert body_of(client.get(url, headers={"Referer": f"http://testserver{url}"}))
    ((path, meta, query),) = seen
    assert token_of(url) not in path + meta
    assert query == {}
