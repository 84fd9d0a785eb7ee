"""Parsers of times and sizes."""

from datetime import timedelta

#: The smallest and the largest chunk, in bytes.
MIN_CHUNK_SIZE, MAX_CHUNK_SIZE = 4 * 1024, 4 * 1024 * 1024


def seconds(raw: object) -> int:
    """Return a number of whole seconds."""
    number = _number_of_seconds(raw)
    if not 0 <= number < 2**31:  # NaN compares false.
        raise ValueError("must be zero or more seconds, and less than 2**31")
    return int(number)


def lifetime(raw: object) -> int:
    """Return a number of whole seconds above zero."""
    if _number_of_seconds(raw) < 1:
        raise ValueError("must be at least one second")
    return seconds(raw)


def keep_deleted(raw: object) -> timedelta | None:
    """Return how long deleted files are kept; None for not at all."""
    return None if raw is None else timedelta(seconds=lifetime(raw))


def public_max_age(raw: object) -> int | tuple[int, int]:
    """Return seconds for every cache, or a pair: for browsers, and for shared caches."""
    if not isinstance(raw, tuple | list):
        return seconds(raw)
    if len(raw) != 2:  # noqa: PLR2004 -- a pair
        raise ValueError("must be a time, or a pair: one for browsers, one for shared caches")
    browsers, shared = map(seconds, raw)
    return browsers, shared


def chunk_size(raw: object) -> int:
    """Return a number of bytes."""
    if (
        isinstance(raw, bool)
        or not isinstance(raw, int)
        or not MIN_CHUNK_SIZE <= raw <= MAX_CHUNK_SIZE
    ):
        raise ValueError("must be a number of bytes from 4 KiB to 4 MiB")
    return raw


def max_size(raw: object) -> int | None:
    """Return a number of bytes, or None. Zero is refused: it might mean no limit."""
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 1:
        raise ValueError("must be None or a number of bytes above zero")
    return raw


def _number_of_seconds(raw: object) -> float:
    number = raw.total_seconds() if isinstance(raw, timedelta) else raw
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError("must be a number of seconds or a timedelta")
    return number
