"""Fixtures of the tests of links."""

from collections.abc import Iterator

import pytest

from tests.support.clocks import Clock, frozen

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Freeze the time."""
    with frozen(NOW) as clock:
        yield clock
