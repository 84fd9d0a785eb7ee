"""How often a client may ask, and what an outage of the cache does."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django_ratelimit.core import _split_rate
from pytest_django import Settings

from secure_dbstorage.links.grants import Grant
from secure_dbstorage.serving import ratelimits
from secure_dbstorage.serving.ratelimits import Kind, _split, check_limit
from secure_dbstorage.serving.refusals import RETRY_WHEN_DOWN, Reason, Refused
from tests.servers import places
from tests.servers.process import free_port
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.valkey import ValkeyServer
from tests.support.visits import visit_of

NOW = 1785240000
GRANT = Grant(link_epoch=1, issued=1, lifetime=1, link_id="abcdefgh")
OTHER_GRANT = Grant(link_epoch=1, issued=1, lifetime=1, link_id="ijklmnop")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Freeze the time that limits are counted by."""
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr("time.time", lambda: clock.now)
    return clock


def options_of(**given: Any) -> dict[str, Any]:
    """Return options with two requests a minute of each kind, unless others are given."""
    rates = {"signed": "2/m", "plain": "2/m", "refused": "2/m"}
    return {"rate_limits": rates, **given}


def request_from(address: str = "1.2.3.4", *, user: Any = None, **meta: str) -> Any:
    """Return a request from this address."""
    request = RequestFactory().get("/files/a.txt", REMOTE_ADDR=address, **meta)
    request.user = user or AnonymousUser()
    return request


def passes(
    request: Any, kind: Kind, options: dict[str, Any], grant: Grant | None = None
) -> Refused | None:
    """Return None if the request is within its budget, or the refusal."""
    try:
        check_limit(visit_of(request, grant, **options), kind)
    except Refused as refused:
        return refused
    return None


def how_many_pass(
    kind: Kind, options: dict[str, Any], *requests: Any, grants: tuple[Grant | None, ...] = (None,)
) -> int:
    """Return how many of six requests pass, made in turn."""
    return sum(
        passes(requests[turn % len(requests)], kind, options, grants[turn % len(grants)]) is None
        for turn in range(6)
    )


class TestCounting:
    """Requests within and beyond a budget."""

    def test_a_request_over_the_limit_is_a_429_that_says_when_to_come_back(self) -> None:
        options = options_of()
        request = request_from()
        assert passes(request, "plain", options) is None
        assert passes(request, "plain", options) is None
        refused = passes(request, "plain", options)
        assert refused is not None
        assert refused.reason is Reason.TOO_MANY_REQUESTS
        assert 1 <= int(refused.headers["Retry-After"]) <= 60

    def test_a_client_that_waits_as_told_is_let_in(self, clock: SimpleNamespace) -> None:
        options = options_of()
        request = request_from()
        assert how_many_pass("plain", options, request) == 2
        refused = passes(request, "plain", options)
        assert refused is not None
        clock.now += int(refused.headers["Retry-After"]) + 1
        assert how_many_pass("plain", options, request) == 2

    def test_there_is_always_a_second_to_wait(self, clock: SimpleNamespace) -> None:
        options = options_of(rate_limits={"plain": "1/s"})
        request = request_from()
        assert passes(request, "plain", options) is None
        refused = passes(request, "plain", options)
        assert refused is not None
        assert refused.headers == {"Retry-After": "1"}

    def test_a_limit_of_none_lets_nobody_in(self) -> None:
        refused = passes(request_from(), "plain", options_of(rate_limits={"plain": "0/m"}))
        assert refused is not None
        assert refused.reason is Reason.TOO_MANY_REQUESTS

    def test_a_limit_of_none_is_no_outage_when_its_second_ends(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticks = count(NOW)
        monkeypatch.setattr("time.time", lambda: next(ticks))
        refused = passes(request_from(), "plain", options_of(rate_limits={"plain": "0/s"}))
        assert refused is not None
        assert refused.reason is Reason.TOO_MANY_REQUESTS

    def test_a_rate_of_none_counts_nothing(self) -> None:
        options = options_of(rate_limits=dict.fromkeys(("signed", "plain", "refused")))
        for kind in ("signed", "plain", "refused"):
            assert how_many_pass(kind, options, request_from()) == 6

    def test_the_defaults_let_a_page_of_a_hundred_pictures_through(self) -> None:
        options: dict[str, Any] = {}
        request = request_from()
        assert not any(passes(request, "signed", options, GRANT) for _ in range(500))
        assert not any(passes(request, "plain", options) for _ in range(1000))

    @pytest.mark.parametrize(
        ("kind", "limit"), [("signed", 600), ("plain", 1200), ("refused", 60)]
    )
    def test_the_defaults_have_an_end(self, kind: Kind, limit: int) -> None:
        options: dict[str, Any] = {}
        request = request_from()
        assert sum(passes(request, kind, options) is None for _ in range(limit + 10)) == limit

    def test_django_ratelimits_own_switch_is_heard(self, settings: Settings) -> None:
        settings.RATELIMIT_ENABLE = False
        assert how_many_pass("plain", options_of(), request_from()) == 6


class TestBudgets:
    """Clients that share a budget, and those that do not."""

    def test_each_kind_has_its_own(self) -> None:
        options = options_of()
        for kind in ("signed", "plain", "refused"):
            assert how_many_pass(kind, options, request_from()) == 2

    def test_each_namespace_has_its_own(self) -> None:
        for namespace in ("", "a", "b"):
            options = options_of(namespace=namespace)
            assert how_many_pass("plain", options, request_from()) == 2

    def test_each_address_has_its_own(self) -> None:
        options = options_of()
        assert how_many_pass("plain", options, request_from(), request_from("1.2.3.5")) == 4

    def test_an_ipv6_client_has_one_for_all_its_addresses(self) -> None:
        options = options_of()
        one, other = request_from("2001:db8::1"), request_from("2001:db8::2")
        assert how_many_pass("plain", options, one, other) == 2

    def test_ipv4_clients_inside_ipv6_do_not_share_one(self) -> None:
        options = options_of()
        one, other = request_from("::ffff:1.2.3.4"), request_from("::ffff:1.2.3.5")
        assert how_many_pass("plain", options, one, other) == 4

    def test_a_client_gets_no_other_address_by_writing_the_header(self) -> None:
        options = options_of()
        liars = [request_from(HTTP_X_FORWARDED_FOR=f"9.9.9.{number}") for number in range(6)]
        assert how_many_pass("plain", options, *liars) == 2

    def test_behind_a_trusted_proxy_each_client_has_its_own(self) -> None:
        options = options_of(trusted_proxies=["10.0.0.0/8"])
        one, other = (
            request_from("10.0.0.1", HTTP_X_FORWARDED_FOR=f"9.9.9.9, {client}")
            for client in ("5.6.7.8", "5.6.7.9")
        )
        assert how_many_pass("plain", options, one, other) == 4

    def test_behind_an_unknown_local_proxy_nobody_is_limited(self) -> None:
        request = request_from("127.0.0.1", HTTP_X_FORWARDED_FOR="5.6.7.8")
        assert how_many_pass("plain", options_of(), request) == 6

    @pytest.mark.parametrize("address", ["", "nonsense"])
    def test_clients_without_an_address_share_one(self, address: str) -> None:
        assert how_many_pass("plain", options_of(), request_from(address)) == 2

    def test_each_link_has_its_own_with_the_key_link(self) -> None:
        options = options_of(rate_limit_key="link")
        addresses = [request_from(f"1.2.3.{number}") for number in range(6)]
        assert how_many_pass("signed", options, *addresses, grants=(GRANT,)) == 2
        assert how_many_pass("signed", options, *addresses, grants=(OTHER_GRANT,)) == 2

    @pytest.mark.parametrize(
        "key", ["link", "user", "user_or_ip", "header:x-client", "get:client"]
    )
    @pytest.mark.parametrize("kind", ["plain", "refused"])
    def test_without_a_good_token_the_address_counts(self, key: str, kind: Kind) -> None:
        options = options_of(rate_limit_key=key)
        many = [
            request_from(
                user=User(pk=number), QUERY_STRING=f"client={number}", HTTP_X_CLIENT=str(number)
            )
            for number in range(6)
        ]
        assert how_many_pass(kind, options, *many) == 2

    @pytest.mark.parametrize("key", ["user", "user_or_ip"])
    def test_each_user_has_their_own_with_the_key_user(self, key: str) -> None:
        options = options_of(rate_limit_key=key)
        ada = [request_from(f"1.2.3.{number}", user=User(pk=1)) for number in range(6)]
        assert how_many_pass("signed", options, *ada, grants=(GRANT,)) == 2
        grace = request_from(user=User(pk=2))
        assert how_many_pass("signed", options, grace, grants=(GRANT,)) == 2

    def test_with_the_key_user_or_ip_anonymous_visitors_count_by_address(self) -> None:
        options = options_of(rate_limit_key="user_or_ip")
        one, other = request_from(), request_from("1.2.3.5")
        assert how_many_pass("signed", options, one, other, grants=(GRANT,)) == 4

    def test_a_user_and_an_address_never_share_one(self) -> None:
        options = options_of(rate_limit_key="user_or_ip")
        assert how_many_pass("signed", options, request_from("::1"), grants=(GRANT,)) == 2
        user = request_from(user=User(pk=0))
        assert how_many_pass("signed", options, user, grants=(GRANT,)) == 2

    @pytest.mark.parametrize("key", ["header:x-client", "get:client"])
    def test_a_header_or_parameter_can_be_the_key(self, key: str) -> None:
        options = options_of(rate_limit_key=key)
        one, other = (
            request_from(QUERY_STRING=f"client={name}", HTTP_X_CLIENT=name) for name in "ab"
        )
        assert how_many_pass("signed", options, one, other, grants=(GRANT,)) == 4
        nobody = request_from()
        assert how_many_pass("signed", options, nobody, grants=(GRANT,)) == 2

    def test_a_function_can_be_the_key(self) -> None:
        options = options_of(rate_limit_key=lambda group, request: request.META["REMOTE_ADDR"][0])
        one, same, other = map(request_from, ("1.1.1.1", "1.2.2.2", "2.2.2.2"))
        assert how_many_pass("signed", options, one, same, grants=(GRANT,)) == 2
        assert how_many_pass("signed", options, other, grants=(GRANT,)) == 2

    def test_values_that_run_together_do_not_share_one(self) -> None:
        options = options_of(rate_limit_key=lambda group, request: request.META["KEY"])
        one, other = request_from(KEY="a/"), request_from(KEY="a")
        assert how_many_pass("signed", options, one, other, grants=(GRANT,)) == 4


class TestUnknownProxy:
    """A local proxy that ``trusted_proxies`` doesn't name."""

    @pytest.fixture(autouse=True)
    def _not_warned_yet(self) -> None:
        ratelimits._warn_of_unknown_proxy.cache_clear()

    def test_it_is_warned_of_once(self, caplog: pytest.LogCaptureFixture) -> None:
        request = request_from("127.0.0.1", HTTP_X_FORWARDED_FOR="5.6.7.8")
        assert how_many_pass("plain", options_of(), request) == 6
        (record,) = caplog.records
        assert (record.levelno, record.name) == (logging.WARNING, "secure_dbstorage.serving")
        assert "127.0.0.1" in record.message
        assert "trusted_proxies" in record.message

    @pytest.mark.parametrize("peer", ["", "localhost"])
    def test_on_a_unix_socket_it_has_no_address(
        self, peer: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        passes(request_from(peer, HTTP_X_FORWARDED_FOR="5.6.7.8"), "plain", options_of())
        (record,) = caplog.records
        assert "a unix socket" in record.message

    def test_a_proxy_of_another_machine_is_not_warned_of(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        forwarded = {"HTTP_X_FORWARDED_FOR": "5.6.7.8"}
        passes(request_from("1.2.3.4", **forwarded), "plain", options_of())
        passes(request_from("127.0.0.1"), "plain", options_of())
        trusting = options_of(trusted_proxies=["127.0.0.1"])
        passes(request_from("127.0.0.1", **forwarded), "plain", trusting)
        assert not caplog.records


class TestOutage:
    """A cache that is down."""

    @pytest.fixture
    def valkey_server(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Callable[[], ValkeyServer]]:
        """Return a function that starts a Valkey, always at the same address."""
        port = free_port()
        monkeypatch.setattr("tests.servers.valkey.free_port", lambda: port)
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": f"redis://127.0.0.1:{port}/0",
            }
        }
        with ExitStack() as running:

            def start() -> ValkeyServer:
                directory = places.unused("limits")
                try:
                    return running.enter_context(ValkeyServer(directory))
                except Unavailable as error:
                    skip_or_fail(str(error))

            yield start

    def test_a_valkey_counts(self, valkey: str) -> None:
        assert how_many_pass("plain", options_of(), request_from()) == 2

    def test_a_valkey_that_dies_refuses_and_counts_again_when_it_is_back(
        self, valkey_server: Callable[[], ValkeyServer], caplog: pytest.LogCaptureFixture
    ) -> None:
        options, request = options_of(), request_from()
        server = valkey_server()
        assert how_many_pass("plain", options, request) == 2
        server.stop()
        for _ in range(3):
            refused = passes(request, "plain", options)
            assert refused is not None
            assert refused.reason is Reason.UNAVAILABLE
            assert refused.headers == {"Retry-After": str(RETRY_WHEN_DOWN)}
        valkey_server()
        assert how_many_pass("plain", options, request) == 2
        assert [(record.levelno, record.message) for record in caplog.records] == [
            (logging.ERROR, "The cache of the rate limits is down"),
            (logging.WARNING, "The cache of the rate limits is back"),
        ]
        assert caplog.records[0].exc_info

    def test_by_option_requests_pass_while_a_valkey_is_dead(
        self, valkey_server: Callable[[], ValkeyServer], caplog: pytest.LogCaptureFixture
    ) -> None:
        options, request = options_of(rate_limit_fail_open=True), request_from()
        server = valkey_server()
        assert how_many_pass("plain", options, request) == 2
        server.stop()
        assert how_many_pass("plain", options, request) == 6
        assert [record.levelno for record in caplog.records] == [logging.ERROR]

    def test_requests_that_are_not_counted_need_no_cache(self, settings: Settings) -> None:
        settings.CACHES = {"default": {"BACKEND": "tests.support.caches.DeadCache"}}
        options = options_of(rate_limits={"plain": None})
        assert passes(request_from(), "plain", options) is None

    @pytest.mark.parametrize("others_say", [False, True])
    def test_a_cache_that_has_no_answer_is_down(
        self, settings: Settings, others_say: object
    ) -> None:
        settings.RATELIMIT_FAIL_OPEN = others_say
        settings.CACHES = {"default": {"BACKEND": "tests.support.caches.ForgetfulCache"}}
        refused = passes(request_from(), "plain", options_of())
        assert refused is not None
        assert refused.reason is Reason.UNAVAILABLE
        assert passes(request_from(), "plain", options_of(rate_limit_fail_open=True)) is None

    def test_an_outage_is_logged_once_and_its_end_too(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        alive = settings.CACHES
        for caches in (
            {"default": {"BACKEND": "tests.support.caches.DeadCache"}},
            alive,
        ) * 2:
            settings.CACHES = caches
            for _ in range(2):
                passes(request_from(), "plain", options_of())
        assert [record.levelno for record in caplog.records] == [
            logging.ERROR,
            logging.WARNING,
        ] * 2

    def test_a_cache_that_is_not_configured_is_a_mistake_and_no_outage(
        self, settings: Settings
    ) -> None:
        settings.RATELIMIT_USE_CACHE = "nowhere"
        with pytest.raises(ImproperlyConfigured):
            check_limit(visit_of(request_from(), **options_of()), "plain")


@pytest.mark.parametrize("rate", ["600/m", "5/10s", "2/s", "60/2h", "9/d", "1/3", "4/", "09/05m"])
def test_a_rate_means_what_django_ratelimit_reads_in_it(rate: str) -> None:
    assert _split(rate) == _split_rate(rate)
