"""Rate limits, as a visitor meets them."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.servers.process import free_port
from tests.support.serving import Store

pytestmark = pytest.mark.django_db


def test_over_the_limit_is_429_with_retry_after_and_no_query(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "2/h"}).url("private.txt")
    assert [client.get(url).status_code for _ in range(2)] == [200, 200]
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert (answer.status_code, len(queries)) == (429, 0)
    assert 1 <= int(answer["Retry-After"]) <= 3600
    assert b"Too many requests" in answer.content
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("headers", [{"Range": "bytes=0-0"}, {"If-None-Match": "*"}])
def test_a_limit_comes_before_conditions(
    store: Store, client: Client, headers: dict[str, str]
) -> None:
    url = store(rate_limits={"signed": "1/h"}).url("private.txt")
    client.get(url)
    assert client.get(url, headers=headers).status_code == 429


def test_a_response_without_a_body_counts_as_a_request(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "3/h"}).url("private.txt")
    answers = [
        client.head(url),
        client.get(url, headers={"If-None-Match": "*"}),
        client.get(url, headers={"Range": "bytes=99-"}),
        client.get(url),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 416, 429]


def test_each_kind_of_request_has_a_separate_budget(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "1/h", "plain": "1/h", "refused": "1/h"}).url("private.txt")
    requests = [url, "/files/public.txt", "/files/private.txt?token=bad"]
    assert [client.get(url).status_code for url in requests] == [200, 200, 403]
    assert [client.get(url).status_code for url in requests] == [429, 429, 429]


def test_bad_tokens_never_use_up_the_budget_of_good_ones(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "1/h", "refused": "2/h"}).url("private.txt")
    statuses = [client.get("/files/private.txt?token=bad").status_code for _ in range(70)]
    assert statuses == [403] * 2 + [429] * 68
    assert client.get(url).status_code == 200
    assert client.get("/files/public.txt").status_code == 200


def test_two_storages_count_apart(store: Store, client: Client, settings: Settings) -> None:
    settings.SECURE_DBSTORAGE = {"RATE_LIMITS": {"plain": "1/h"}}
    store()
    assert client.get("/files/public.txt").status_code == 200
    assert client.get("/invoices/public.txt").status_code == 404
    assert client.get("/files/public.txt").status_code == 429


def test_two_clients_count_apart(store: Store) -> None:
    store(rate_limits={"plain": "1/h"})
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"):
        client = Client(REMOTE_ADDR=address)
        assert client.get("/files/public.txt").status_code == 200
        assert client.get("/files/public.txt").status_code == 429


@pytest.mark.parametrize(
    "address", ["::ffff:192.0.2.1", "192.0.2.1:555", "[::ffff:192.0.2.1]:80", "192.0.2.1%eth0"]
)
def test_one_client_has_one_budget_however_it_is_spelled(store: Store, address: str) -> None:
    store(rate_limits={"plain": "1/h"})
    assert Client(REMOTE_ADDR="192.0.2.1").get("/files/public.txt").status_code == 200
    assert Client(REMOTE_ADDR=address).get("/files/public.txt").status_code == 429


@pytest.mark.parametrize("address", ["", "unix:", "garbage", "999.1.1.1", "[", "\x00"])
def test_an_invalid_address_is_no_error(store: Store, address: str) -> None:
    store(rate_limits={"plain": "1/h"})
    client = Client(REMOTE_ADDR=address)
    assert client.get("/files/public.txt").status_code == 200
    assert client.get("/files/public.txt").status_code == 429


def test_x_forwarded_for_is_believed_from_trusted_proxies_only(store: Store) -> None:
    store(rate_limits={"plain": "1/h"}, trusted_proxies=["10.0.0.0/8"])

    def ask(peer: str, forwarded: str) -> int:
        client = Client(REMOTE_ADDR=peer)
        return client.get("/files/public.txt", headers={"X-Forwarded-For": forwarded}).status_code

    assert ask("10.0.0.1", "192.0.2.1") == 200
    assert ask("10.0.0.1", "192.0.2.2") == 200
    assert ask("10.0.0.1", "198.51.100.1, 192.0.2.2") == 429  # The last hop that is not ours.
    assert ask("192.0.2.9", "192.0.2.3") == 200
    assert ask("192.0.2.9", "192.0.2.4") == 429


def test_behind_a_proxy_that_nobody_configured_one_visitor_does_not_stop_all(
    store: Store,
) -> None:
    store(rate_limits={"plain": "1/h"})
    client = Client(REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "192.0.2.1"})
    assert [client.get("/files/public.txt").status_code for _ in range(3)] == [200] * 3


def test_a_link_can_have_a_budget(store: Store) -> None:
    storage = store(rate_limits={"signed": "1/h"}, rate_limit_key="link")
    one, other = (storage.url("private.txt", expires_in=seconds) for seconds in (60, 61))
    assert Client(REMOTE_ADDR="192.0.2.1").get(one).status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.2").get(one).status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.2").get(other).status_code == 200


def _dead_caches() -> Iterator[dict[str, Any]]:
    yield {"BACKEND": "tests.support.caches.BrokenCache"}
    yield {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
    }


@pytest.fixture(params=["broken", "redis"])
def dead_cache(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Count in a cache that is down."""
    caches = dict(zip(("broken", "redis"), _dead_caches(), strict=True))
    settings.CACHES = {**settings.CACHES, "dead": caches[request.param]}
    settings.RATELIMIT_USE_CACHE = "dead"


@pytest.mark.usefixtures("dead_cache")
def test_while_the_cache_is_down_nothing_is_served_and_it_is_logged_once(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    url = store().url("private.txt")
    with CaptureQueriesContext(connection) as queries:
        answers = [client.get(url) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert int(answers[0]["Retry-After"]) >= 1
    assert len(queries) == 0
    assert client.get("/files/private.txt?token=bad").status_code == 503
    errors = [record for record in caplog.records if "cache" in record.getMessage()]
    assert len(errors) == 1


@pytest.mark.usefixtures("dead_cache")
def test_while_the_cache_is_down_a_project_may_serve(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    url = store(rate_limit_fail_open=True).url("private.txt")
    assert [client.get(url).status_code for _ in range(3)] == [200] * 3
    assert client.get("/files/private.txt?token=bad").status_code == 403
    errors = [record for record in caplog.records if "cache" in record.getMessage()]
    assert len(errors) == 1


@pytest.mark.usefixtures("dead_cache")
def test_a_storage_without_limits_needs_no_cache(store: Store, client: Client) -> None:
    limits = dict.fromkeys(("signed", "plain", "refused"))
    assert client.get(store(rate_limits=limits).url("private.txt")).status_code == 200


def test_an_outage_of_the_cache_is_not_mailed_for_each_request(
    store: Store, client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    store()
    settings.CACHES = {"default": {"BACKEND": "tests.support.caches.DeadCache"}}
    for _ in range(3):
        assert client.get("/files/public.txt").status_code == 503
    errors = [record.name for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["secure_dbstorage.serving"]


@pytest.mark.users
def test_anonymous_visitors_have_separate_budgets(store: Store, client: Client) -> None:
    url = store(rate_limit_key="user", rate_limits={"signed": "1/m"}).url("private.txt")
    for address in ("198.51.100.1", "198.51.100.2"):
        statuses = [client.get(url, REMOTE_ADDR=address).status_code for _ in range(2)]
        assert statuses == [200, 429]
