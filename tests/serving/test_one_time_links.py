"""A link that works once."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connections, transaction
from django.test import Client

from secure_dbstorage.files import utc
from secure_dbstorage.links.claims import CLOCK_SKEW
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.serving import Store, ask, body_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def once(store: Store) -> str:
    """Return a one-time link to ten bytes."""
    storage = store()
    storage.save("ten.txt", ContentFile(b"0123456789"))
    return str(storage.url("ten.txt", uses=1))


def test_a_one_time_link_works_once(client: Client, once: str) -> None:
    answer = client.get(once)
    assert answer["Cache-Control"] == "private, no-store"
    assert body_of(answer) == b"0123456789"
    answer = client.get(once)
    assert answer.status_code == 403
    assert b"already been used" in answer.content


def test_each_one_time_link_has_its_own_use(store: Store, client: Client) -> None:
    storage = store()
    urls = [storage.url("private.txt", uses=1) for _ in range(2)]
    assert [ask(client, url) for url in urls] == [(200, b"private")] * 2


def test_requests_that_do_not_use_up_a_one_time_link(client: Client, once: str) -> None:
    assert client.head(once).status_code == 200
    assert client.options(once).status_code == 200
    assert client.get(once, headers={"Range": "bytes=99-"}).status_code == 416
    for purpose in ("Sec-Purpose", "Purpose"):
        status, _ = ask(client, once, headers={purpose: "prefetch;prerender"})
        assert status == 503
    assert ask(client, once) == (200, b"0123456789")


#: What players, PDF viewers and download managers ask for, each with its answers.
WAYS = {
    "a probe of two bytes, as Safari's": [("0-1", 206), ("0-9", 206), ("5-", 206)],
    "a broken download": [("", 200), ("5-", 206), ("-2", 206)],
    "several connections, as aria2's": [("", 200), ("2-4", 206), ("5-", 206), ("0-1", 206)],
    "a player that seeks": [("0-", 206), ("7-", 206), ("3-", 206), ("0-", 206)],
    "the end first, as PDF viewers do": [("-2", 206), ("0-", 206)],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_client_may_ask_for_the_file_in_parts(
    client: Client, once: str, way: list[tuple[str, int]]
) -> None:
    assert [ask(client, once, asked)[0] for asked, _ in way] == [status for _, status in way]
    assert ask(client, once)[0] == 403


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ("", {}),
        ("1-2,4-5", {}),
        ("x", {}),
        ("5-", {"If-Range": '"x"'}),
        ("", {"Range": "pages=1-"}),
        ("", {"If-None-Match": "*"}),
    ],
)
def test_a_whole_body_is_a_second_use_however_it_was_asked_for(
    client: Client, once: str, asked: str, headers: dict[str, str]
) -> None:
    assert ask(client, once, "0-1")[0] == 206
    assert ask(client, once, asked, headers=headers)[0] == 403


def test_an_empty_file_has_no_parts_and_one_use(store: Store, client: Client) -> None:
    storage = store()
    storage.save("empty.txt", ContentFile(b""))
    url = storage.url("empty.txt", uses=1)
    assert [ask(client, url, "0-1")[0] for _ in range(2)] == [200, 403]


def test_another_address_does_not_go_on_with_a_one_time_link(client: Client, once: str) -> None:
    assert ask(client, once, "0-4") == (206, b"01234")
    assert ask(client, once, "5-", REMOTE_ADDR="203.0.113.9")[0] == 403


def test_another_agent_of_one_address_goes_on(client: Client, once: str) -> None:
    assert ask(client, once, "0-1", headers={"User-Agent": "Safari"})[0] == 206
    assert ask(client, once, "0-", headers={"User-Agent": "AppleCoreMedia"})[0] == 206


def test_a_download_goes_on_when_the_signing_key_is_replaced(store: Store, client: Client) -> None:
    old, new = "o" * 32, "n" * 32
    url = store(signing_keys=[old]).url("private.txt", uses=1)
    assert ask(client, url, "0-1")[0] == 206
    store(signing_keys=[new, old])
    assert ask(client, url, "2-")[0] == 206
    assert ask(client, url, "2-", REMOTE_ADDR="203.0.113.9")[0] == 403


def test_the_mark_of_a_use_hides_who_made_it(store: Store, client: Client) -> None:
    storage = store()
    for _ in range(2):
        assert ask(client, storage.url("private.txt", uses=1))[0] == 200
    marks = [bytes(mark.data)[8:] for mark in StoredFile.rows.use_marks()]
    plain = [b"127.0.0.1", b"127.0.0.1\n"]
    guesses = [hashlib.sha256(text).digest() for text in plain]
    assert len(set(marks)) == 2
    assert not any(guess in mark for guess in guesses + plain for mark in marks)


def test_nothing_is_told_before_the_use(client: Client, once: str) -> None:
    head = client.head(once)
    digest = hashlib.sha256(b"0123456789").hexdigest()
    for conditions in (
        {},
        {"If-None-Match": "*"},
        {"If-None-Match": f'"{digest}"'},
        {"If-Match": '"x"'},
        {"If-Match": f'"{digest}"'},
        {"If-Modified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
        {"If-Unmodified-Since": "Fri, 01 Jan 1999 00:00:00 GMT"},
    ):
        answer = client.head(once, headers=conditions)
        assert (answer.status_code, answer.headers) == (200, head.headers)
    assert not {"ETag", "Last-Modified", "Content-Length"} & set(head.headers)
    beyond = client.get(once, headers={"Range": "bytes=99-"})
    assert beyond.status_code == 416
    assert not beyond.has_header("Content-Range")
    assert not StoredFile.rows.use_marks().exists()


def test_a_used_link_tells_no_size_by_ranges_either(
    client: Client, once: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client, once, "0-1")[0] == 206
    # Whoever may go on is told where the end is.
    assert [ask(client, once, asked)[0] for asked in ("9-", "10-")] == [206, 416]
    for other in ({"REMOTE_ADDR": "203.0.113.9"}, {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}):
        found = [ask(client, once, asked, **other) for asked in ("0-", "9-", "10-", "-0")]
        assert {status for status, _ in found} == {403}
        assert len({page for _, page in found}) == 1
    later = time.time() + 601
    monkeypatch.setattr("time.time", lambda: later)
    assert [ask(client, once, asked)[0] for asked in ("9-", "10-")] == [403, 403]


@pytest.mark.parametrize("condition", ["If-None-Match", "If-Match"])
def test_a_precondition_takes_no_use_away(client: Client, once: str, condition: str) -> None:
    assert ask(client, once, headers={condition: '"x"'}) == (200, b"0123456789")


@pytest.mark.parametrize(("name", "later"), [("a.mp4", 206), ("a.mp3", 206), ("a.pdf", 403)])
def test_a_player_goes_on_until_the_link_expires(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch, name: str, later: int
) -> None:
    storage = store()
    storage.save(name, ContentFile(b"0123456789"))
    url, saved = storage.url(name, uses=1), storage.url(name, uses=1, attachment=True)
    assert [ask(client, each, "0-1")[0] for each in (url, saved)] == [206, 206]
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3000)
    assert [ask(client, each, "2-")[0] for each in (url, saved)] == [later, 403]
    monkeypatch.setattr("time.time", lambda: now + 3601)
    assert ask(client, url, "2-")[0] == 403


def test_behind_an_unnamed_proxy_no_one_time_download_can_be_resumed(
    client: Client, once: str
) -> None:
    proxied = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert ask(client, once, "0-4", **proxied) == (206, b"01234")
    assert ask(client, once, "5-", **proxied)[0] == 403


def test_a_one_time_link_can_be_resumed_for_a_while(
    client: Client, once: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)  # However slow the machine is.
    assert ask(client, once, "0-4")[0] == 206
    monkeypatch.setattr("time.time", lambda: now + 599)
    assert ask(client, once, "5-")[0] == 206
    monkeypatch.setattr("time.time", lambda: now + 602)
    assert ask(client, once, "5-")[0] == 403


def test_a_public_file_may_be_opened_again(store: Store, client: Client, once: str) -> None:
    DatabaseStorage().set_public("ten.txt", public=True)
    assert [ask(client, once)[0] for _ in range(2)] == [200, 200]


def test_a_refusal_by_a_hook_uses_nothing_up(store: Store, client: Client) -> None:
    answers = [False, True]
    storage = store(auth_hooks=[lambda *_: answers.pop(0)])
    url = storage.url("private.txt", uses=1)
    assert [ask(client, url)[0] for _ in range(2)] == [403, 200]


@pytest.mark.parametrize("asked", ["", "0-1"])
@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_uses_a_one_time_link(database: str, asked: str) -> None:
    storage = storages["default"]
    storage.save("ten.txt", ContentFile(b"0123456789"))
    url = storage.url("ten.txt", uses=1)
    barrier = threading.Barrier(8)

    def visit(number: int) -> int:
        barrier.wait()
        try:
            return ask(Client(), url, asked)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(visit, range(8)))
    # Parts that one address asks for at once belong to one use.
    assert statuses == ([206] * 8 if asked else [200, *[403] * 7])


@pytest.mark.django_db(transaction=True)
def test_no_use_is_kept_in_a_transaction_that_could_be_rolled_back(client: Client) -> None:
    storage = storages["default"]
    storage.save("ten.txt", ContentFile(b"0123456789"))
    url = storage.url("ten.txt", uses=1)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        client.get(url)
    assert ask(client, url) == (200, b"0123456789")


def test_a_used_link_leaves_a_row_that_is_not_a_file(client: Client, once: str) -> None:
    ask(client, once)
    mark = StoredFile.rows.use_marks().get()
    token = once.partition("token=")[2]
    assert mark.expires is not None
    assert utc(mark.expires) == datetime.fromtimestamp(grant_expires(token) + CLOCK_SKEW, tz=UTC)
    assert token.rpartition(".")[2].encode() not in bytes(mark.data)
    assert not StoredFile.objects.filter(pk=mark.pk).exists()


def grant_expires(token: str) -> int:
    _, issued, lifetime, *_ = token.split(".")
    return int(issued, 36) + int(lifetime, 36)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "Prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
        {"Sec-Purpose": "other", "Purpose": "prefetch"},
    ],
)
def test_nothing_that_is_fetched_ahead_of_time_uses_a_link_up(
    store: Store, client: Client, headers: dict[str, str]
) -> None:
    url = store().url("private.txt", uses=1)
    assert client.get(url, headers=headers).status_code == 503
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=99999-", "bytes=-0", "nonsense"])
def test_whoever_fetches_ahead_learns_nothing_from_a_range(
    client: Client, once: str, value: str
) -> None:
    headers = {"Sec-Purpose": "prefetch", "Range": value, "If-Range": '"x"'}
    answers = [client.get(once, headers=headers | more) for more in ({}, {"If-Range": ""})]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert ask(client, once)[0] == 200


def test_a_use_is_kept_as_long_as_the_link_was_made_for(store: Store, client: Client) -> None:
    url = store().url("private.txt", uses=1, expires_in=6 * 86400)
    store(max_expires_in=86400)
    assert client.get(url).status_code == 200
    expires = StoredFile.rows.use_marks().get().expires
    assert expires is not None
    assert expires > datetime.now(UTC) + timedelta(days=6)
