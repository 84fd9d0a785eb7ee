"""A link that works once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connections
from django.test import Client
from django.utils import timezone

from secure_dbstorage.links.tokens import CLOCK_SKEW
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
    assert client.get(once, headers={"If-None-Match": "*"}).status_code == 304
    assert client.get(once, headers={"Range": "bytes=99-"}).status_code == 416
    for purpose in ("Sec-Purpose", "Purpose"):
        status, _ = ask(client, once, headers={purpose: "prefetch;prerender"})
        assert status == 503
    assert ask(client, once) == (200, b"0123456789")


def test_a_broken_download_of_a_one_time_link_can_be_resumed(client: Client, once: str) -> None:
    assert ask(client, once, "5-")[0] == 403  # Nothing has begun.
    assert ask(client, once, "0-4") == (206, b"01234")
    assert ask(client, once, "5-") == (206, b"56789")
    assert ask(client, once, "-2") == (206, b"89")
    assert ask(client, once, "0-")[0] == 403
    assert ask(client, once, "5-", headers={"If-Range": '"x"'})[0] == 403  # The whole file.


@pytest.mark.parametrize(
    "other", [{"REMOTE_ADDR": "203.0.113.9"}, {"headers": {"User-Agent": "other"}}]
)
def test_another_client_can_not_resume_a_one_time_link(
    client: Client, once: str, other: dict[str, Any]
) -> None:
    assert ask(client, once, "0-4") == (206, b"01234")
    assert ask(client, once, "5-", **other)[0] == 403


def test_behind_an_unnamed_proxy_no_one_time_download_can_be_resumed(
    client: Client, once: str
) -> None:
    proxied = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert ask(client, once, "0-4", **proxied) == (206, b"01234")
    assert ask(client, once, "5-", **proxied)[0] == 403


def test_a_one_time_link_can_be_resumed_for_a_while(
    client: Client, once: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client, once, "0-4")[0] == 206
    now = time.time()
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


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_uses_a_one_time_link(database: str) -> None:
    storage = storages["default"]
    storage.save("ten.txt", ContentFile(b"0123456789"))
    url = storage.url("ten.txt", uses=1)
    barrier = threading.Barrier(8)

    def visit(number: int) -> int:
        barrier.wait()
        try:
            return ask(Client(), url)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(visit, range(8))) == [200, *[403] * 7]


def test_a_used_link_leaves_a_row_that_is_not_a_file(client: Client, once: str) -> None:
    ask(client, once)
    mark = StoredFile.rows.use_marks().get()
    token = once.partition("token=")[2]
    assert mark.expires == datetime.fromtimestamp(grant_expires(token) + CLOCK_SKEW, tz=UTC)
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


def test_a_use_is_kept_as_long_as_the_link_was_made_for(store: Store, client: Client) -> None:
    url = store().url("private.txt", uses=1, expires_in=6 * 86400)
    store(max_expires_in=86400)
    assert client.get(url).status_code == 200
    expires = StoredFile.rows.use_marks().get().expires
    assert expires is not None
    assert expires > timezone.now() + timedelta(days=6)
