"""Unwrapped keys are kept for a while, and not more than fit."""

import pytest

from secure_dbstorage.sealing.cache import MAX_AGE_SECONDS, MAX_KEYS, KeyCache


class Finder:
    """Finds keys, and counts how often."""

    def __init__(self) -> None:
        self.found = 0

    def __call__(self) -> bytes:
        self.found += 1
        return b"%d" % self.found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that the cache sees, in a list."""
    now = [1000.0]
    monkeypatch.setattr("secure_dbstorage.sealing.cache.time.monotonic", lambda: now[0])
    return now


def test_a_key_is_found_once_in_five_minutes(clock: list[float]) -> None:
    cache, find = KeyCache(), Finder()
    assert [cache.get("a", find) for _ in range(3)] == [b"1"] * 3
    clock[0] += MAX_AGE_SECONDS - 1
    assert cache.get("a", find) == b"1"
    clock[0] += 1
    assert cache.get("a", find) == b"2"
    assert MAX_AGE_SECONDS == 300


def test_the_one_that_was_not_used_for_longest_goes_first(clock: list[float]) -> None:
    cache, find = KeyCache(), Finder()
    for name in range(MAX_KEYS):
        cache.get(name, find)
    cache.get(0, find)
    cache.get("one more", find)
    assert find.found == MAX_KEYS + 1
    cache.get(0, find)
    assert find.found == MAX_KEYS + 1
    cache.get(1, find)
    assert find.found == MAX_KEYS + 2


def test_a_key_that_is_not_found_is_not_kept(clock: list[float]) -> None:
    def fail() -> bytes:
        raise ConnectionError

    cache, find = KeyCache(), Finder()
    with pytest.raises(ConnectionError):
        cache.get("a", fail)
    assert cache.get("a", find) == b"1"
