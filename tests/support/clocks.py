"""A clock that a test sets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass
class Clock:
    """The time that the package sees."""

    #: Seconds since 1970.
    now: float


@contextmanager
def frozen(now: float) -> Iterator[Clock]:
    """Let ``time.time()`` say what the clock says."""
    clock = Clock(now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: clock.now)
        yield clock
