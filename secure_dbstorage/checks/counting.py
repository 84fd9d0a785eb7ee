"""Checks of how requests are counted: by whose address or user, in which cache, up to what."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.core import checks
from django.core.cache import caches
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from secure_dbstorage import conf
from secure_dbstorage.access import authenticated, staff
from secure_dbstorage.checks.declared import usable
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.parsers.clients import UPLOAD_KINDS

#: Caches that count for a single process, not at all, or not every request.
_UNFIT_CACHES = ("LocMemCache", "DummyCache", "FileBasedCache", "DatabaseCache")


def check_users(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find limits and hooks that need a user in a project without users."""
    if conf.has_authentication():
        return
    for alias, options in usable().items():
        limits_by_user = options.rate_limit_key in ("user", "user_or_ip")
        if limits_by_user or any(hook in (authenticated, staff) for hook in options.auth_hooks):
            yield Error(
                f"STORAGES[{alias!r}] needs the user, but no middleware identifies users.",
                hint="Add django.contrib.auth.middleware.AuthenticationMiddleware.",
                id="secure_dbstorage.E005",
            )


def check_cache(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find rate limits that each process counts separately."""
    alias, backend = conf.ratelimit_cache()
    if _has_limits() and backend.endswith(_UNFIT_CACHES):
        yield checks.Warning(
            f"Requests are counted in CACHES[{alias!r}]. Its backend counts for each process "
            "separately, or loses count.",
            hint="Use a shared cache that counts atomically: Valkey, Redis or Memcached.",
            id="secure_dbstorage.W002",
        )


def check_counting(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find a cache that does not count: while it is down, no file is served."""
    alias, backend = conf.ratelimit_cache()
    if not _has_limits() or backend.endswith(_UNFIT_CACHES):
        return
    try:
        if not _counts(alias):
            yield _not_counting(alias, "it loses count")
    except (ImportError, ImproperlyConfigured) as error:
        yield Error(
            f"Requests can't be counted in CACHES[{alias!r}]: {error}",
            hint="Install what its backend needs, which for Redis and Valkey is "
            "pip install 'secure-dbstorage[redis]'; or correct CACHES or RATELIMIT_USE_CACHE.",
            id="secure_dbstorage.E008",
        )
    except Exception as error:  # noqa: BLE001 -- each cache has its own errors for being down
        yield _not_counting(alias, type(error).__name__)


def check_proxies(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that trust no proxy: nearly every deployment has one."""
    for alias, options in usable().items():
        if not options.trusted_proxies and any(options.rate_limits.values()):
            yield checks.Warning(
                f"STORAGES[{alias!r}] trusts no proxy. Behind a proxy, all visitors seem to have "
                "one address. Behind a proxy on this machine, limits by address are not applied.",
                hint="Set trusted_proxies to the networks of your proxies, such as "
                "['127.0.0.0/8'], or silence this check if there are none.",
                id="secure_dbstorage.W004",
            )


def check_fail_open(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages whose limits an outage of the cache lifts."""
    for alias, options in usable().items():
        if options.rate_limit_fail_open:
            yield checks.Warning(
                f"STORAGES[{alias!r}] has no limits while the cache is down.",
                hint="Set rate_limit_fail_open to False, or silence this check.",
                id="secure_dbstorage.W005",
            )


def check_lifted_limits(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find kinds of request without a limit."""
    if not conf.ratelimit_is_enabled():
        yield checks.Warning(
            "RATELIMIT_ENABLE is False, so no requests and no uploads are limited.",
            hint="Set it to False only in the settings of your tests, or silence this check.",
            id="secure_dbstorage.W006",
        )
    for alias, options in usable().items():
        if lifted := [kind for kind in _lifted(options) if kind not in UPLOAD_KINDS]:
            yield checks.Warning(
                f"STORAGES[{alias!r}] does not limit these requests: {', '.join(lifted)}.",
                hint="Give each kind a rate in rate_limits, or silence this check.",
                id="secure_dbstorage.W006",
            )


def check_lifted_upload_limits(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find links for uploads with which one client can fill the table."""
    for alias, options in usable().items():
        if lifted := [kind for kind in _lifted(options) if kind in UPLOAD_KINDS]:
            yield checks.Warning(
                f"STORAGES[{alias!r}] does not limit uploads: {', '.join(lifted)}. Whoever has a "
                "link for uploads can fill the table.",
                hint="Give each kind a rate in rate_limits, or silence this check if you make no "
                "links for uploads.",
                id="secure_dbstorage.W008",
            )


def _lifted(options: StorageOptions) -> list[str]:
    """Return the kinds of request without a limit."""
    return [kind for kind, rate in options.rate_limits.items() if rate is None]


def _not_counting(alias: str, reason: str) -> CheckMessage:
    return checks.Warning(
        f"Requests are counted in CACHES[{alias!r}], which does not work: {reason}.",
        hint="Start it, or correct its LOCATION. Until it counts, requests get a 503 (see "
        "rate_limit_fail_open).",
        id="secure_dbstorage.W019",
    )


def _has_limits() -> bool:
    return conf.ratelimit_is_enabled() and any(
        any(options.rate_limits.values()) for options in usable().values()
    )


def _counts(alias: str) -> bool:
    """Count to two in a cache, as django-ratelimit does."""
    key = f"secure_dbstorage.check.{uuid4()}"
    cache = caches[alias]
    return bool(cache.add(key, 1, timeout=10)) and cache.incr(key) == 2  # noqa: PLR2004
