"""Waiting for something to happen, on machines of any speed."""

import time
from collections.abc import Callable

from django.db import connections


def wait_until(is_true: Callable[[], bool], *, timeout_seconds: float = 60) -> None:
    """Return as soon as something is true; fail if it never is."""
    deadline = time.monotonic() + timeout_seconds
    while not is_true():
        assert time.monotonic() < deadline, "It did not become true in time."
        time.sleep(0.01)


def waiting_sessions(database: str) -> int:
    """Return how many sessions of a PostgreSQL database wait for a lock."""
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # A transaction sees one picture of it.
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
