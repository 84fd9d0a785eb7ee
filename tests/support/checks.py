"""What tests of the system checks share."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage

BACKEND = "secure_dbstorage.storage.DatabaseStorage"

#: A setting CACHES with a cache that counts, and whose name says nothing against it.
SHARED_CACHE = {"default": {"BACKEND": "tests.support.checks.SharedCache"}}


class SharedCache(LocMemCache):
    """Stands for a cache that all processes share."""


def messages(check: Callable[..., Iterator[CheckMessage]], **given: Any) -> list[str]:
    """Return the ids of what a check finds."""
    return [str(message.id).removeprefix("secure_dbstorage.") for message in check(**given)]


def storages(**options: dict[str, Any]) -> dict[str, Any]:
    """Return a setting ``STORAGES`` with these storages of ours."""
    return {alias: {"BACKEND": BACKEND, "OPTIONS": given} for alias, given in options.items()}
