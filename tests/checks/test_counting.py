"""Limits that count for nobody, or not at all, are found."""

import pytest
from pytest_django import Settings

from secure_dbstorage.checks import counting
from secure_dbstorage.parsers.clients import RATE_LIMITS
from tests.support.checks import SHARED_CACHE, SharedCache, messages, storages


class TestUsers:
    """E005."""

    @pytest.mark.parametrize("key", ["user", "user_or_ip"])
    def test_limits_by_user_need_users(self, settings: Settings, key: str) -> None:
        settings.STORAGES = storages(default={"rate_limit_key": key})
        assert messages(counting.check_users) == []
        settings.MIDDLEWARE = []
        assert messages(counting.check_users) == ["E005"]

    @pytest.mark.parametrize("hook", ["authenticated", "staff"])
    def test_our_hooks_need_users(self, settings: Settings, hook: str) -> None:
        hooks = [f"secure_dbstorage.access.{hook}"]
        settings.STORAGES = storages(default={"auth_hooks": hooks})
        assert messages(counting.check_users) == []
        settings.MIDDLEWARE = []
        assert messages(counting.check_users) == ["E005"]

    def test_other_limits_need_none(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={})
        settings.MIDDLEWARE = []
        assert messages(counting.check_users) == []


class TestCache:
    """W002."""

    @pytest.mark.parametrize(
        "backend",
        ["locmem.LocMemCache", "dummy.DummyCache", "filebased.FileBasedCache", "db.DatabaseCache"],
    )
    def test_a_cache_that_loses_count_is_a_warning(self, settings: Settings, backend: str) -> None:
        settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
        assert messages(counting.check_cache) == ["W002"]

    def test_a_shared_cache_raises_no_problem(self, settings: Settings) -> None:
        settings.CACHES = SHARED_CACHE
        assert messages(counting.check_cache) == []

    def test_the_cache_that_counts_is_looked_at(self, settings: Settings) -> None:
        settings.CACHES = {**settings.CACHES, "limits": SHARED_CACHE["default"]}
        settings.RATELIMIT_USE_CACHE = "limits"
        assert messages(counting.check_cache) == []

    def test_without_limits_no_cache_counts(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(RATE_LIMITS)}
        assert messages(counting.check_cache) == []


class TestDeployment:
    """W004 to W006."""

    pytestmark = pytest.mark.usefixtures("_one_storage")

    def test_a_storage_without_proxies_is_a_reminder(self, settings: Settings) -> None:
        assert messages(counting.check_proxies) == ["W004"]
        settings.SECURE_DBSTORAGE = {"TRUSTED_PROXIES": ["127.0.0.1"]}
        assert messages(counting.check_proxies) == []

    def test_without_limits_proxies_do_not_matter(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(RATE_LIMITS)}
        assert messages(counting.check_proxies) == []

    def test_limits_that_an_outage_lifts_are_reported(self, settings: Settings) -> None:
        assert messages(counting.check_fail_open) == []
        settings.SECURE_DBSTORAGE = {"RATE_LIMIT_FAIL_OPEN": True}
        assert messages(counting.check_fail_open) == ["W005"]

    def test_kinds_without_a_limit_are_reported(self, settings: Settings) -> None:
        assert messages(counting.check_lifted_limits) == []
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": {"plain": None, "signed": None}}
        (message,) = counting.check_lifted_limits()
        assert message.id == "secure_dbstorage.W006"
        assert "signed, plain" in message.msg

    def test_limits_that_are_turned_off_are_reported(self, settings: Settings) -> None:
        settings.RATELIMIT_ENABLE = False
        (message,) = counting.check_lifted_limits()
        assert message.id == "secure_dbstorage.W006"
        assert "RATELIMIT_ENABLE" in message.msg
        assert messages(counting.check_cache) == []  # Nothing is counted there.

    def test_uploads_without_a_limit_are_reported_for_themselves(self, settings: Settings) -> None:
        assert messages(counting.check_lifted_upload_limits) == []
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": {"begun": None, "plain": None}}
        (message,) = counting.check_lifted_upload_limits()
        assert message.id == "secure_dbstorage.W008"
        assert ": begun." in message.msg
        (message,) = counting.check_lifted_limits()
        assert ": plain." in message.msg


class TestCounting:
    """E008 and W019."""

    def test_a_cache_that_counts_raises_no_problem(self, settings: Settings) -> None:
        settings.CACHES = SHARED_CACHE
        assert messages(counting.check_counting) == []

    @pytest.mark.parametrize("backend", ["tests.settings.NoSuchCache", "no_such_client.Cache"])
    def test_a_cache_that_lacks_its_client_is_an_error(
        self, settings: Settings, backend: str
    ) -> None:
        settings.CACHES = {"default": {"BACKEND": backend}}
        (message,) = counting.check_counting()
        assert message.id == "secure_dbstorage.E008"
        assert backend.rpartition(".")[0] in message.msg
        assert "secure-dbstorage[redis]" in str(message.hint)
        assert "RATELIMIT_USE_CACHE" in str(message.hint)

    def test_a_cache_that_is_down_is_a_warning_without_its_address(
        self, settings: Settings
    ) -> None:
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "unix:///nowhere?password=hidden",
            }
        }
        (message,) = counting.check_counting()
        assert message.id == "secure_dbstorage.W019"
        assert "does not work: ConnectionError." in message.msg

    def test_a_cache_that_loses_count_is_a_warning(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.CACHES = SHARED_CACHE
        monkeypatch.setattr(SharedCache, "add", lambda *_, **given: False)
        (message,) = counting.check_counting()
        assert message.id == "secure_dbstorage.W019"
        assert "loses count" in message.msg

    def test_without_limits_no_cache_is_asked(self, settings: Settings) -> None:
        settings.CACHES = {"default": {"BACKEND": "no_such_client.Cache"}}
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(RATE_LIMITS)}
        assert messages(counting.check_counting) == []
