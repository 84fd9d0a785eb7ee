"""Through PgBouncer, which gives a connection to somebody else between two transactions."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from secrets import token_hex
from typing import Any

import pytest
from django.db import connections, transaction
from pytest_django import DjangoDbBlocker, Settings

from secure_dbstorage.checks import databases as database_checks
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.pruning import prune_unreferenced
from tests.cluster.databases import connected
from tests.cluster.running import RunningTwin
from tests.servers.process import LOOPBACK
from tests.support.checks import messages, storages

#: More threads than PgBouncer has connections.
THREADS = 24

POOL = {"pool": {"min_size": 1, "max_size": THREADS, "timeout": 60}}
BINDING = {"server_side_binding": True}

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pool": POOL,
    "server-side binding": BINDING,
    "pool and server-side binding": {**POOL, **BINDING},
}


def pooled(twin: RunningTwin, **changes: Any) -> dict[str, Any]:
    """Return the database as DATABASES has it, through PgBouncer."""
    port = twin.state["ports"]["pgbouncer"]
    return twin.entry(HOST=LOOPBACK, PORT=port, OPTIONS={}) | changes


@pytest.fixture(params=list(VARIANTS))
def storage(
    request: pytest.FixtureRequest, twin: RunningTwin, django_db_blocker: DjangoDbBlocker
) -> Iterator[DatabaseStorage]:
    """Return a storage behind PgBouncer, empty at first."""
    entry = pooled(twin, OPTIONS=VARIANTS[request.param], DISABLE_SERVER_SIDE_CURSORS=True)
    with django_db_blocker.unblock(), connected(entry) as alias:
        storage = DatabaseStorage(using=alias, namespace="pooled", base_url="/pooled/")
        yield storage
        for row in storage.catalog.files():
            storage.delete(row.name)


def test_many_threads_keep_their_files_apart(storage: DatabaseStorage) -> None:
    using = storage.catalog.writer

    def work(number: int) -> None:
        one, other = bytes([number]) * 300_000, bytes([255 - number]) * 600_000
        try:
            for turn in range(2):
                name = storage.save(f"{number}-{turn}.bin", BytesIO(one))
                with storage.open(name) as file:
                    assert file.read() == one
                with transaction.atomic(using=using), storage.open(name, "wb") as file:
                    file.write(other)
                storage.rename(name, f"renamed/{name}")
                storage.set_public(f"renamed/{name}", public=True)
                with storage.open(f"renamed/{name}") as file:
                    assert file.read() == other
                assert storage.stat(f"renamed/{name}").is_public
            storage.delete(f"renamed/{number}-0.bin")
        finally:
            connections[using].close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    left = {f"{number}-1.bin" for number in range(THREADS)}
    assert set(storage.listdir("renamed")[1]) == left


def test_a_one_time_link_is_used_once(storage: DatabaseStorage) -> None:
    catalog = storage.catalog

    def use(number: int) -> bool:
        try:
            return catalog.begin_use(7, b"client", now=1000, needed_until=2000)
        finally:
            connections[catalog.writer].close()

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(use, range(THREADS))) == 1
    StoredFile.rows.using(catalog.writer).of(7).delete()


def test_unreferenced_files_are_pruned_while_others_are_at_work(storage: DatabaseStorage) -> None:
    for number in range(8):
        storage.save(f"{number}.txt", BytesIO(b"nobody's"))
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(_save_some, storage) for _ in range(4)]
        old = timedelta(0)
        pruned = list(prune_unreferenced(storage, older_than=old, prefix="", dry_run=False))
        for other in others:
            other.result()
    assert {f"{number}.txt" for number in range(8)} <= {each.name for each in pruned}


def _save_some(storage: DatabaseStorage) -> None:
    try:
        for _ in range(5):
            storage.save(f"others-{token_hex(8)}.bin", BytesIO(b"x" * 300_000))
    finally:
        connections[storage.catalog.writer].close()


@pytest.mark.filterwarnings("ignore:.* deleted while still open:ResourceWarning")
@pytest.mark.parametrize(("are_disabled", "found"), [(True, []), (False, ["W022"])])
def test_a_cursor_meets_another_connection_unless_it_is_disabled(
    twin: RunningTwin,
    django_db_blocker: DjangoDbBlocker,
    settings: Settings,
    *,
    are_disabled: bool,
    found: list[str],
) -> None:
    entry = pooled(twin, DISABLE_SERVER_SIDE_CURSORS=are_disabled)
    with django_db_blocker.unblock(), connected(entry) as alias, connected(entry) as other:
        settings.STORAGES = storages(default={"using": alias})
        assert messages(database_checks.check_pooled_cursors, databases=[alias]) == found
        storage = DatabaseStorage(using=alias, namespace="cursors")
        for number in range(3):
            storage.save(f"{number}.txt", BytesIO(b"x"))
        names = storage.catalog.files().values_list("name", flat=True).iterator(chunk_size=1)
        first = next(names)
        with transaction.atomic(using=other), connections[other].cursor() as cursor:
            cursor.execute("SELECT 1")  # on the connection that was given back last
            if are_disabled:
                assert {first, *names} == {"0.txt", "1.txt", "2.txt"}
            else:
                with pytest.raises(Exception, match=r"cursor .* does not exist"):
                    list(names)
                del names
                gc.collect()  # Here, where its warning is expected.


def test_without_a_pooler_the_check_finds_nothing(
    twin: RunningTwin, django_db_blocker: DjangoDbBlocker, settings: Settings
) -> None:
    with django_db_blocker.unblock(), connected(twin.entry()) as alias:
        settings.STORAGES = storages(default={"using": alias})
        assert messages(database_checks.check_pooled_cursors, databases=[alias]) == []
