"""How long a link works, and how long its URL stays the same."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from tests.support.clocks import Clock
from tests.support.storages import saved
from tests.support.tokens import grant_of, upload_grant_of

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000
HOUR, WEEK = 3600, 604800

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("expires_in", [1, 1.9, 60, WEEK, timedelta(minutes=5)])
def test_a_lifetime_is_seconds_or_a_timedelta(expires_in: float | timedelta, clock: Clock) -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_in=expires_in, window=0))
    seconds = expires_in.total_seconds() if isinstance(expires_in, timedelta) else expires_in
    assert (grant.issued, grant.lifetime) == (NOW, int(seconds))


@pytest.mark.parametrize(
    "expires_at",
    [
        datetime(2026, 7, 28, 13, 0, 0, tzinfo=UTC),
        datetime(2026, 7, 28, 13, 0, 0, 999_999, tzinfo=UTC),
    ],
)
def test_an_end_is_an_instant(expires_at: datetime, clock: Clock) -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_at=expires_at))
    assert grant.expires == NOW + HOUR


def test_a_naive_end_is_in_the_projects_time_zone(settings: Settings, clock: Clock) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    storage = saved("a.txt")
    end = datetime(2026, 7, 28, 22)  # noqa: DTZ001
    assert grant_of(storage, "a.txt", storage.url("a.txt", expires_at=end)).expires == NOW + HOUR


def test_a_link_lives_as_long_as_the_option_says(clock: Clock) -> None:
    storage = saved("a.txt", expires_in=120, url_window=0)
    assert grant_of(storage, "a.txt", storage.url("a.txt")).expires == NOW + 120


def test_no_link_is_made_beyond_the_cap(clock: Clock) -> None:
    storage = saved("a.txt", expires_in=60, max_expires_in=60)
    assert storage.url("a.txt", expires_in=60)
    with pytest.raises(ValueError, match="at most 60 seconds"):
        storage.url("a.txt", expires_in=61)


def test_a_window_can_be_a_timedelta(clock: Clock) -> None:
    storage = saved("a.txt")
    assert storage.url("a.txt", window=timedelta(seconds=60)) == storage.url("a.txt", window=60)


def test_a_link_for_uploads_lives_no_longer_than_any(clock: Clock) -> None:
    storage = DatabaseStorage(max_expires_in=HOUR)
    grant = upload_grant_of(storage, storage.upload_url("a.txt", max_size=9), max_lifetime=WEEK)
    assert grant.lifetime == HOUR
