"""Deleting, overwriting and restoring at once: one wins, and nothing is lost."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.upkeep.pruning import prune_deleted
from tests.support.aliases import added_alias
from tests.support.files import CHUNK_SIZE, read
from tests.support.sealing import KEY
from tests.support.threads import at_once
from tests.support.waiting import wait_until, waiting_sessions

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 6

#: MariaDB's number of the error.
DEADLOCK = 1213
SIZE = 2 * CHUNK_SIZE


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(
        using=database, chunk_size=CHUNK_SIZE, allow_overwrite=True, keep_deleted=timedelta(days=1)
    )


def content_of(number: int) -> bytes:
    return bytes([number]) * (SIZE + number)


def retried(change: Callable[[], Any]) -> Any:
    """Make a change, and again whenever it is the victim of a deadlock.

    MariaDB locks the neighbours of a name that was free a moment ago, with or without a trash.
    """
    while True:
        try:
            return change()
        except OperationalError as error:
            if error.args[0] != DEADLOCK:
                raise


def everything(storage: DatabaseStorage) -> list[bytes]:
    """Return the contents of a.bin, live and deleted ones, in order."""
    found = [read(storage, "a.bin")] if storage.exists("a.bin") else []
    for row in storage.catalog.trash.files():
        head = row.head(storage.options.encryption_keys)
        found.append(b"".join(storage.catalog.stream(head, 0, head.stat.size)))
    assert not StoredFile.rows.using(storage.catalog.writer).strays().exists()
    return sorted(found)


def test_overwriters_and_deleters_lose_nothing(storage: DatabaseStorage) -> None:
    saved = [content_of(0), *(content_of(number) for number in range(1, 3 * THREADS + 1))]
    storage.save("a.bin", saved[0])

    def save(number: int) -> None:
        for turn in range(3):
            retried(lambda turn=turn: storage.save("a.bin", saved[1 + 3 * number + turn]))

    def delete() -> None:
        for _ in range(3):
            retried(lambda: storage.delete("a.bin"))

    results = at_once([*(lambda n=n: save(n) for n in range(THREADS)), delete, delete])
    assert results == [None] * (THREADS + 2)
    assert everything(storage) == sorted(saved)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_save_that_has_waited_for_a_deleted_file_keeps_nobody_from_erasing_the_next(
    storage: DatabaseStorage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.save("a.bin", content_of(0))
    kind, waits, may_go_on = type(rows(database)), threading.Event(), threading.Event()
    insert_head = kind.insert_head

    def insert_later(self: Any, head: Any) -> bool:
        if threading.current_thread() is not threading.main_thread():
            waits.set()
            assert may_go_on.wait(60)
        return insert_head(self, head)

    monkeypatch.setattr(kind, "insert_head", insert_later)

    def alone(change: Callable[[], Any]) -> Any:
        try:
            return change()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic(using=database):
            storage.delete("a.bin")
            storage.save("a.bin", content_of(1))
            saved = pool.submit(alone, lambda: storage.save("a.bin", content_of(2)))
            wait_until(lambda: waiting_sessions(database) == 1)
        assert waits.wait(60)
        erased = pool.submit(alone, lambda: storage.delete("a.bin", forever=True))
        wait_until(lambda: erased.done() or waiting_sessions(database) == 1)
        may_go_on.set()
        assert (erased.result(60), saved.result(60)) == (None, "a.bin")
    assert everything(storage) == [content_of(2)]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("keys", [None, [KEY]], ids=["plain", "encrypted"])
def test_what_came_after_the_transaction_began_is_kept_as_well(
    database: str, settings: Settings, keys: list[str] | None
) -> None:
    """At REPEATABLE READ, a transaction locks a row that its queries don't find."""

    class Router:
        def db_for_read(self, model: type, **hints: object) -> str:
            return "repeatable"

        db_for_write = db_for_read

    given: dict[str, Any] = {
        "chunk_size": CHUNK_SIZE,
        "allow_overwrite": True,
        "keep_deleted": timedelta(days=1),
        "encryption_keys": keys,
    }
    storage = DatabaseStorage(using=database, **given)
    storage.save("a.bin", content_of(0))
    settings.DATABASE_ROUTERS = [Router()]
    isolated = DatabaseStorage(**given)
    options = {"isolation_level": "repeatable read", "charset": "utf8mb4"}
    with (
        added_alias("repeatable", like=database, OPTIONS=options),
        transaction.atomic(using="repeatable"),
    ):
        assert read(isolated, "a.bin") == content_of(0)
        storage.save("a.bin", content_of(1))
        isolated.save("a.bin", content_of(2))
    assert everything(storage) == [content_of(number) for number in range(3)]


def test_of_many_deleters_one_moves_the_file(storage: DatabaseStorage) -> None:
    storage.save("a.bin", content_of(1))
    at_once([lambda: storage.delete("a.bin")] * THREADS)
    assert everything(storage) == [content_of(1)]


def test_of_many_that_restore_one_wins(storage: DatabaseStorage) -> None:
    for number in range(3):
        storage.save("a.bin", content_of(number))
    storage.delete("a.bin")
    results = at_once([lambda: retried(lambda: storage.undelete("a.bin"))] * THREADS)
    kinds = Counter(type(result) for result in results)
    assert kinds == {str: 1, FileExistsError: THREADS - 1}
    assert read(storage, "a.bin") == content_of(2)
    assert everything(storage) == [content_of(number) for number in range(3)]


def test_restoring_while_others_save_loses_nothing(storage: DatabaseStorage) -> None:
    storage.save("a.bin", content_of(0))
    storage.delete("a.bin")
    tasks = [
        *(lambda n=n: storage.save("a.bin", content_of(n)) for n in range(1, THREADS)),
        lambda: storage.undelete("a.bin"),
    ]
    *saved, restored = at_once([lambda task=task: retried(task) for task in tasks])
    assert saved == ["a.bin"] * (THREADS - 1)
    assert restored == "a.bin" or isinstance(restored, FileExistsError)
    assert everything(storage) == [content_of(number) for number in range(THREADS)]


def test_a_revocation_beside_overwrites_is_not_lost(storage: DatabaseStorage) -> None:
    storage.save("dir/a.bin", content_of(0))
    before = storage.catalog.get("dir/a.bin").link_epoch

    def save(number: int) -> None:
        for turn in range(3):
            storage.save("dir/a.bin", content_of(number + turn))

    tasks = [lambda n=n: save(n) for n in range(THREADS)]
    results = at_once([*tasks, lambda: storage.revoke_urls(prefix="dir")])
    assert results[-1] == 1
    assert storage.catalog.get("dir/a.bin").link_epoch > before


def test_what_is_pruned_is_not_restored_as_well(storage: DatabaseStorage) -> None:
    names = [f"{number}.bin" for number in range(10)]
    for name in names:
        storage.save(name, content_of(1))
        storage.delete(name)
    ended = DatabaseStorage(using=storage.catalog.writer, keep_deleted=None)

    def restore() -> list[str]:
        restored = []
        for name in names:
            try:
                restored.append(storage.undelete(name))
            except FileNotFoundError:
                continue
        return restored

    restored, pruned = at_once(
        [restore, lambda: [item.name for item in prune_deleted(ended, dry_run=False)]]
    )
    assert sorted([*restored, *pruned]) == names
    for name in restored:
        assert read(storage, name) == content_of(1)
    assert StoredFile.rows.using(storage.catalog.writer).count() == 3 * len(restored)


def test_erasing_beside_overwrites_leaves_what_came_later_alone(
    storage: DatabaseStorage,
) -> None:
    """Whatever is left was saved after the erasure: a file, and what it replaced."""
    for turn in range(5):
        storage.save("a.bin", content_of(0))
        storage.save("a.bin", content_of(1))
        at_once(
            [
                lambda: storage.delete("a.bin", forever=True),
                lambda: storage.save("a.bin", content_of(2)),
            ]
        )
        assert everything(storage) in ([], [content_of(2)]), turn
        storage.delete("a.bin", forever=True)
