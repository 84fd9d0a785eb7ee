"""Which answers a proxy is told to send, and what it is told."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import Client, override_settings
from pytest_django import DjangoAssertNumQueries, Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.signals import file_served
from secure_dbstorage.storage import DatabaseStorage
from tests.support.sealing import KEY
from tests.support.serving import Store, body_of

pytestmark = pytest.mark.django_db

CONTENT = b"0123456789" * 1000

#: What nginx sends.
SAYS = {"X-Offload": "nginx"}


@pytest.fixture
def storage(store: Store, settings: Settings) -> DatabaseStorage:
    """Return a storage that offloads, with a file of three rows."""
    settings.ROOT_URLCONF = "tests.support.offload_urls"
    storage = store(offload="nginx", trusted_proxies=["127.0.0.0/8"], chunk_size=4096)
    storage.save("a.bin", CONTENT)
    return storage


def is_offloaded(answer: Any) -> bool:
    """Tell whether the proxy is to send the body, and has got none."""
    if not answer.has_header("X-Accel-Redirect"):
        return False
    assert (answer.status_code, body_of(answer), answer["Content-Length"]) == (202, b"", "0")
    return True


def test_a_trusted_proxy_is_told_where_the_content_is(
    storage: DatabaseStorage, get: Callable[..., Any]
) -> None:
    answer = get(storage.url("a.bin"), headers=SAYS)
    assert is_offloaded(answer)
    key = storage.catalog.get("a.bin").content.key
    path, _, query = answer["X-Accel-Redirect"].partition("?token=")
    assert path == f"/_content/default/{key}.default."
    assert body_of(get(f"{path}?token={query}")) == CONTENT
    assert not {"ETag", "Last-Modified", "Accept-Ranges"} & set(answer.headers)


def test_encrypted_files_never_lie_in_the_cache_of_a_proxy(
    storage: DatabaseStorage, get: Callable[..., Any], store: Store
) -> None:
    told = get(storage.url("a.bin"), headers=SAYS)["X-Accel-Redirect"]
    encrypting = store(encryption_keys=[KEY])
    encrypting.save("b.bin", CONTENT)
    for name in ("a.bin", "b.bin"):
        assert not is_offloaded(answer := get(encrypting.url(name), headers=SAYS))
        assert body_of(answer) == CONTENT
    # Nor by a token of before.
    assert get(told).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Offload": ""},
        {"X-Offload": "Nginx"},
        {"X-Offload": "varnish"},
        {**SAYS, "If-None-Match": '"x"'},
        {**SAYS, "If-Match": "*"},
        {**SAYS, "If-Modified-Since": "Fri, 01 Jan 1999 00:00:00 GMT"},
        {**SAYS, "If-Unmodified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
        *({**SAYS, "Range": f"bytes={asked}"} for asked in ("5-2", "1-2,3-4", " 1-2", "1-2,", "")),
        {**SAYS, "Range": "pages=1-2"},
        {**SAYS, "Range": "bytes=1-2", "If-Range": '"x"'},
    ],
)
def test_django_sends_what_two_servers_may_read_differently(
    storage: DatabaseStorage, client: Client, headers: dict[str, str]
) -> None:
    answer = client.get(storage.url("a.bin"), headers=headers)
    assert not is_offloaded(answer)
    assert answer.status_code in (200, 206)
    assert body_of(answer)


@pytest.mark.parametrize("asked", ["0-", "5-9", "-5", "9999-99999999999999"])
def test_a_plain_range_is_offloaded(storage: DatabaseStorage, client: Client, asked: str) -> None:
    assert is_offloaded(
        client.get(storage.url("a.bin"), headers={**SAYS, "Range": f"bytes={asked}"})
    )


@pytest.mark.parametrize("peer", ["203.0.113.9", "", "nonsense"])
def test_what_somebody_else_says_does_not_count(store: Store, client: Client, peer: str) -> None:
    storage = store(offload="nginx", trusted_proxies=["192.0.2.1"], chunk_size=4096)
    storage.save("a.bin", CONTENT)
    answer = client.get(storage.url("a.bin"), headers=SAYS, REMOTE_ADDR=peer)
    assert not is_offloaded(answer)
    assert body_of(answer) == CONTENT


def test_without_the_option_nothing_changes(
    store: Store, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    storage = store(trusted_proxies=["127.0.0.0/8"], chunk_size=4096)
    storage.save("a.bin", CONTENT)
    url = storage.url("a.bin")
    with django_assert_num_queries(2):
        answer = client.get(url, headers=SAYS)
        assert not is_offloaded(answer)
        assert body_of(answer) == CONTENT


def test_no_byte_is_read_for_what_a_proxy_sends(
    storage: DatabaseStorage, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    url = storage.url("a.bin")
    with django_assert_num_queries(1) as asked:
        assert is_offloaded(client.get(url, headers=SAYS))
    bytes_of_one_row = 'CASE WHEN "size" <= "chunk_size" THEN "data" END'
    assert '"data"' not in asked[0]["sql"].replace(bytes_of_one_row, "")


@pytest.mark.parametrize("size", [0, 1, 4096])
def test_one_row_is_sent_by_django_and_read_at_once(
    storage: DatabaseStorage,
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    size: int,
) -> None:
    storage.save("small.bin", CONTENT[:size])
    url = storage.url("small.bin")
    with django_assert_num_queries(1):
        answer = client.get(url, headers=SAYS)
    assert not is_offloaded(answer)
    assert body_of(answer) == CONTENT[:size]


@pytest.mark.parametrize("asked", ["", "0-1"])
def test_a_one_time_link_is_used_before_the_proxy_hears_of_it(
    storage: DatabaseStorage, client: Client, asked: str
) -> None:
    url = storage.url("a.bin", uses=1)
    headers = {**SAYS, "Range": f"bytes={asked}"} if asked else SAYS
    assert client.head(url, headers=SAYS).status_code == 200
    assert not StoredFile.rows.use_marks().exists()
    assert is_offloaded(client.get(url, headers=headers))
    assert StoredFile.rows.use_marks().count() == 1
    assert client.get(url, headers=SAYS).status_code == 403


def test_it_is_recorded_as_offloaded(
    storage: DatabaseStorage, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    records: list[Any] = []

    def keep(**told: Any) -> None:
        records.append((told["record"].outcome, told["file"].name))

    file_served.connect(keep)
    try:
        with caplog.at_level("INFO", "secure_dbstorage.access"):
            answer = client.get(storage.url("a.bin"), headers={**SAYS, "Range": "bytes=5-9"})
    finally:
        file_served.disconnect(keep)
    assert records == [("offloaded", "a.bin")]
    assert f"link={answer['X-Link']} outcome=offloaded status=206 bytes=0" in caplog.text


def test_without_an_internal_route_it_says_what_to_do(
    storage: DatabaseStorage, client: Client, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    with pytest.raises(ImproperlyConfigured, match=r"include 'secure_dbstorage\.urls_internal'"):
        client.get(storage.url("a.bin"), headers=SAYS)


def test_no_cache_of_django_keeps_it(storage: DatabaseStorage, settings: Settings) -> None:
    storage.set_public("a.bin", public=True)
    around = ["UpdateCacheMiddleware", "FetchFromCacheMiddleware"]
    middleware = [f"django.middleware.cache.{name}" for name in around]
    with override_settings(MIDDLEWARE=middleware):
        assert is_offloaded(Client().get(storages["default"].url("a.bin"), headers=SAYS))
        assert body_of(Client().get(storage.url("a.bin"))) == CONTENT
