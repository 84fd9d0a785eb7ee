"""Caches that are down, each in another way."""

from typing import Any

from django.core.cache.backends.base import BaseCache


class BrokenCache(BaseCache):
    """A cache whose server is gone."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        """Take what Django gives."""
        super().__init__(params)

    def add(self, *_: object, **__: object) -> bool:
        """Fail, as all of it does."""
        raise ConnectionError

    incr = get = set = add  # type: ignore[assignment]


class DeadCache:
    """A cache whose server is gone; each client library raises another error then."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        pass

    def add(self, key: str, value: object, timeout: float) -> bool:
        """Fail."""
        raise TimeoutError("nobody there")

    def clear(self) -> None:
        """Do nothing."""

    def close(self, **kwargs: object) -> None:
        """Do nothing."""


class ForgetfulCache(DeadCache):
    """A cache that can't store, as Memcached is when it is down."""

    def add(self, key: str, value: object, timeout: float) -> bool:
        """Store nothing."""
        return False

    def incr(self, key: str) -> int:
        """Find nothing."""
        raise ValueError(key)
