"""Replicas: databases that may have what the primary has, and may fail."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, connections

_logger = logging.getLogger("secure_dbstorage.storage")

Answer = TypeVar("Answer")

#: How long a replica that failed is left alone, in seconds. Connecting to one that is gone can
#: take as long as its timeout, and only one reader should wait for that.
REST_SECONDS = 10.0

#: How often a replica that lags is logged at most, in seconds.
_LAG_SECONDS = 60.0

#: Until when each replica that failed rests, by alias and in seconds of ``time.monotonic()``.
_resting: dict[str, float] = {}

#: When each replica was last found to lag.
_lagging: dict[str, float] = {}


def is_resting(alias: str) -> bool:
    """Tell whether a replica failed a moment ago."""
    return time.monotonic() < _resting.get(alias, 0.0)


def ask(alias: str, question: Callable[[], Answer | None]) -> Answer | None:
    """Ask a replica, and return None if it doesn't know the answer or can't be asked now.

    One that fails is left alone for ten seconds. Then one reader tries it; until that one has an
    answer, the others still leave it alone.

    :param question: asks this replica. It returns None if rows are missing, and raises an error
        of ``django.db`` if the replica fails.
    """
    # An error would break a transaction that the caller has there.
    if is_resting(alias) or connections[alias].in_atomic_block:
        return None
    has_failed = alias in _resting
    if has_failed:
        _resting[alias] = time.monotonic() + REST_SECONDS
    try:
        answer = _answer(alias, question)
    except Error as error:
        connections[alias].close()
        _note_failure(alias, error)
        return None
    # One that was asked before another reader's question failed says nothing about now.
    if has_failed and _resting.pop(alias, None) is not None:
        _logger.warning("The replica %r is back", alias)
    if answer is None:
        _note_lag(alias)
    return answer


def _answer(alias: str, question: Callable[[], Answer | None]) -> Answer | None:
    connection = connections[alias]
    if connection.connection is not None:
        try:
            return question()
        except Error:
            # The server may have been restarted since it was connected to. A new connection tells.
            connection.close()
    return question()


def _note_failure(alias: str, error: Error) -> None:
    if alias not in _resting:
        _logger.warning("The replica %r failed, so the primary does its work: %s", alias, error)
    _resting[alias] = time.monotonic() + REST_SECONDS


def _note_lag(alias: str) -> None:
    now = time.monotonic()
    if now - _lagging.get(alias, -_LAG_SECONDS) >= _LAG_SECONDS:
        _lagging[alias] = now
        _logger.warning("The replica %r lags: it doesn't have all rows of the primary yet", alias)
