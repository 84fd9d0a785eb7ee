"""Lifetimes: how long a link works, and how long its URL stays the same."""

import math
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from secure_dbstorage.options import StorageOptions

#: How long a link for uploads lives, in seconds, and at least how long an upload may take that has
#: begun: a day, for somebody who continues tomorrow.
UPLOAD_LIFETIME = 24 * 3600


def lifetime_of(
    given: Mapping[str, object], options: StorageOptions, *, usual: int
) -> tuple[int | None, float]:
    """Return the end that was asked for, if one was, and the seconds until it.

    :param usual: the lifetime in seconds, if none was asked for.
    """
    end: int | None = None
    if "expires_at" in given:
        if "expires_in" in given:
            raise ValueError("Give expires_in or expires_at, not both")
        end = _instant(given["expires_at"])
        lifetime = end - time.time()
    else:
        lifetime = _seconds(given.get("expires_in", usual))
    if lifetime < 1:
        raise ValueError("A link must last at least one second")
    if lifetime > options.max_expires_in:
        longest = str(timedelta(seconds=options.max_expires_in)).removesuffix(", 0:00:00")
        raise ValueError(
            f"A link can last at most {options.max_expires_in} seconds ({longest}), as the option "
            "max_expires_in says"
        )
    return end, lifetime


def window_of(value: object, lifetime: float) -> int:
    """Return the seconds within which a URL stays the same: at most a quarter of its lifetime."""
    window = _seconds(value)
    if window < 0:
        raise ValueError("window must be zero or more seconds")
    return int(min(window, lifetime // 4))


def _instant(value: object) -> int:
    if not isinstance(value, datetime):
        raise ValueError(f"expires_at must be a datetime, not {value!r}")
    if timezone.is_naive(value):
        value = timezone.make_aware(value)
    return int(value.timestamp())


def _seconds(value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError(f"{value!r} is not a number of seconds or a timedelta")
    if not -math.inf < seconds < math.inf:  # NaN compares false, and no integer is too large.
        raise ValueError(f"{value!r} is not a finite number of seconds")
    return seconds
