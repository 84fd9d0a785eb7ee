"""The primary is killed while files are saved, and the standby takes its place."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.cluster.crowds import crowd, saver, stored
from tests.cluster.running import WEB_SERVERS, RunningTwin
from tests.servers.process import LOOPBACK
from tests.support.waiting import wait_until

CLIENTS = 6


@pytest.fixture(params=["PgBouncer", "several hosts"])
def followed(
    request: pytest.FixtureRequest, own_directory: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[RunningTwin]:
    """Return a twin whose web servers find the primary in one of two ways."""
    place = own_directory / f"failover-{request.param.replace(' ', '-')}"
    with django_db_blocker.unblock(), RunningTwin(place) as twin:
        if request.param == "several hosts":
            entry = twin.entry()
            twin.change_env(
                DATABASE_URL=f"postgres://{entry['USER']}:{entry['PASSWORD']}@/cloakroom"
                f"?host={entry['HOST']}&port={entry['PORT']}"
                "&target_session_attrs=read-write&connect_timeout=2"
            )
            for name in WEB_SERVERS:
                twin.wait_for_another(name, twin.kill(name))
        yield twin


def test_no_acknowledged_save_is_lost_and_requests_wait(followed: RunningTwin) -> None:
    saved: dict[str, bytes] = {}
    with crowd(followed, saver(saved), clients=CLIENTS) as savers:
        savers.wait_for(30)
        followed.kill("postgres-1")
        killed, before = time.monotonic(), len(saved)
        # They meet a primary that is gone, and no other yet.
        wait_until(lambda: "error connecting in" in followed.logs(), timeout_seconds=60)
        followed.promote()
        savers.wait_for(30)
    assert len(saved) > before
    # Whoever was being answered when it died may have got an error. Whoever came later has waited.
    assert savers.failures(since=killed) == []
    assert len(savers.failures()) <= CLIENTS
    port = followed.state["ports"]["postgres-2"]
    with followed.storage(HOST=LOOPBACK, PORT=port) as storage:
        lost = [name for name, content in saved.items() if stored(storage, name) != content]
        assert lost == []
        with connections[storage.catalog.writer].cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            assert cursor.fetchone() == (False,)
