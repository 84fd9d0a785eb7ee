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


#: Asked first: a transaction of PostgreSQL sees one picture of the sessions, and InnoDB shows what
#: it has shown before if it is asked again within a tenth of a second.
_REFRESH = {"postgresql": "SELECT pg_stat_clear_snapshot()", "mysql": "DO SLEEP(0.15)"}

_WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx "
    "JOIN information_schema.processlist ON id = trx_mysql_thread_id "
    "WHERE db = database() AND trx_state = 'LOCK WAIT'",
}


def waiting_sessions(database: str) -> int:
    """Return how many sessions of a database wait for a lock."""
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute(_REFRESH[connection.vendor])
        cursor.execute(_WAITING[connection.vendor])
        return int(cursor.fetchone()[0])
