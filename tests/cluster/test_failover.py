"""The primary is killed while files are saved, and the standby takes its place."""

import time

from django.db import connections

from tests.cluster.crowds import crowd, saver, stored
from tests.cluster.running import RunningTwin

CLIENTS = 6


def test_no_acknowledged_save_is_lost_and_requests_wait(twin: RunningTwin) -> None:
    saved: dict[str, bytes] = {}
    with crowd(twin, saver(saved), clients=CLIENTS) as savers:
        savers.wait_for(30)
        twin.kill("postgres-1")
        killed = time.monotonic()
        before = len(saved)
        # They meet a primary that is gone, and no other yet.
        savers.wait_until_all_wait(since=killed)
        twin.promote()
        savers.wait_for(30)
    assert len(saved) > before
    # Whoever was being answered when it died got an error. Whoever came later has waited.
    assert savers.failures(since=killed) == []
    assert len(savers.failures()) <= CLIENTS
    port = twin.state["ports"]["postgres-2"]
    with twin.storage(HOST="127.0.0.1", PORT=port) as storage:
        lost = [name for name, content in saved.items() if stored(storage, name) != content]
        assert lost == []
        with connections[storage.catalog.writer].cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            assert cursor.fetchone() == (False,)
