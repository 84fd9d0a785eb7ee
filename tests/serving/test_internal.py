"""The internal view: one content for whoever has a token for it."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from secure_dbstorage.links.claims import CLOCK_SKEW
from secure_dbstorage.links.paths import spelled_content
from secure_dbstorage.links.signer import CONTENT_LIFETIME
from secure_dbstorage.storage import DatabaseStorage
from tests.support.serving import Store, body_of
from tests.support.tokens import token_of

pytestmark = pytest.mark.django_db

CONTENT = b"0123456789" * 1000

NOW = 1_800_000_000


@pytest.fixture
def storage(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> DatabaseStorage:
    """Return a storage that offloads, at a certain time."""
    settings.ROOT_URLCONF = "tests.support.offload_urls"
    storage = store(offload="nginx", chunk_size=4096, rate_limits={"signed": "0/m"})
    storage.save("a.bin", CONTENT)
    monkeypatch.setattr("time.time", lambda: NOW)
    return storage


def address(
    storage: DatabaseStorage,
    name: str = "a.bin",
    *,
    alias: str = "default",
    place: tuple[str, str] = ("default", ""),
    key: Any = None,
    now: float = NOW,
) -> str:
    """Return where a content is fetched."""
    key = storage.catalog.get(name).content.key if key is None else key
    path = spelled_content(alias, key, place)
    return str(storage.links.content(path, storage.audience, now=now))


def test_it_sends_the_content_and_what_validates_it(
    storage: DatabaseStorage, get: Callable[..., Any]
) -> None:
    answer = get(address(storage))
    assert (answer.status_code, body_of(answer)) == (200, CONTENT)
    stat = storage.stat("a.bin")
    assert answer["ETag"] == stat.etag
    assert answer.has_header("Last-Modified")
    # In case that somebody exposes the route.
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_it_sends_ranges(storage: DatabaseStorage, client: Client) -> None:
    answer = client.get(address(storage), headers={"Range": "bytes=4090-4099"})
    assert (answer.status_code, body_of(answer)) == (206, CONTENT[4090:4100])
    assert answer["Content-Range"] == "bytes 4090-4099/10000"
    assert client.head(address(storage))["Content-Length"] == "10000"


@pytest.mark.parametrize(
    ("later", "status"),
    [
        (0, 200),
        (CONTENT_LIFETIME - 1, 200),
        (CONTENT_LIFETIME, 403),
        (-CLOCK_SKEW, 200),
        (-CLOCK_SKEW - 1, 403),
    ],
)
def test_a_token_is_for_an_hour(
    storage: DatabaseStorage, client: Client, later: int, status: int
) -> None:
    assert client.get(address(storage, now=NOW - later)).status_code == status


def test_nothing_but_its_own_token_opens_a_content(
    storage: DatabaseStorage, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    storage.save("b.bin", b"another")
    ours, other = address(storage), address(storage, "b.bin")
    tokens = [token_of(other), token_of(storage.url("a.bin")), token_of(ours)[:-1] + "x", ""]
    path = ours.partition("?")[0]
    asked = [
        path,
        f"{ours}&token={token_of(ours)}",
        *(f"{path}?token={token}" for token in tokens),
    ]
    with django_assert_num_queries(0):
        assert {client.get(each).status_code for each in asked} == {403}


def test_its_token_opens_nothing_else(storage: DatabaseStorage, client: Client) -> None:
    token = token_of(address(storage))
    key = address(storage).partition("?")[0].rpartition("/")[2]
    storage.save(f"default/{key}", b"a file of the same name")
    for path in ("/files/a.bin", f"/files/default/{key}"):
        assert client.get(f"{path}?token={token}").status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"alias": "staticfiles"},
        {"alias": "missing"},
        {"alias": "invoices"},
        {"alias": "default/default"},
        {"place": ("default", "other")},
        {"place": ("other", "")},
        {"key": 1},
        {"key": "x"},
    ],
)
def test_what_is_not_there_is_not_found(
    storage: DatabaseStorage, client: Client, changes: dict[str, Any]
) -> None:
    assert client.get(address(storage, **changes)).status_code == 404


def test_without_the_option_it_sends_nothing(
    storage: DatabaseStorage, client: Client, store: Store
) -> None:
    url = address(storage)
    store(offload=None, chunk_size=4096)
    assert client.get(url).status_code == 404


def test_a_content_that_is_gone_is_not_found(storage: DatabaseStorage, client: Client) -> None:
    url = address(storage)
    storage.saves.replace("a.bin", [b"another"])
    assert client.get(url).status_code == 404


def test_a_deleted_content_is_not_sent_to_a_proxy(
    storage: DatabaseStorage, store: Store, client: Client
) -> None:
    storage = store(offload="nginx", keep_deleted=3600, allow_overwrite=True)
    for name in ("overwritten.bin", "deleted.bin"):
        storage.save(name, CONTENT)
    urls = [address(storage, "overwritten.bin"), address(storage, "deleted.bin")]
    assert [client.get(url).status_code for url in urls] == [200, 200]
    storage.save("overwritten.bin", b"new")
    storage.delete("deleted.bin")
    for name in ("overwritten.bin", "deleted.bin"):
        assert len(storage.versions(name)) == 1
    assert [client.get(url).status_code for url in urls] == [404, 404]


def test_an_upload_or_a_file_of_another_storage_is_not_found(
    storage: DatabaseStorage, client: Client, settings: Settings
) -> None:
    elsewhere = storages["invoices"]
    elsewhere.save("a.bin", CONTENT)
    key = elsewhere.catalog.get("a.bin").content.key
    upload = storage.inbox.append(storage.inbox.new(10, storage.stat("a.bin").created), ())
    for each in (key, upload.content.key):
        assert client.get(address(storage, key=each)).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_read_only(storage: DatabaseStorage, client: Client, method: str) -> None:
    answer = client.generic(method, address(storage))
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_its_token_is_in_no_log_and_in_no_request(
    storage: DatabaseStorage, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    url = address(storage)
    storage.delete("a.bin")
    with caplog.at_level(logging.DEBUG):
        answer = client.get(url)
    assert answer.status_code == 404
    assert token_of(url) not in caplog.text
    assert token_of(url) not in repr(answer.wsgi_request.META)
