"""Files that are renamed or revoked. The others of the changes are tested with the storage."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError

from secure_dbstorage.storage import DatabaseStorage
from tests.support.waiting import wait_until, waiting_sessions


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database)


def test_a_later_link_epoch_is_given_when_the_clock_is_set_back(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.saves.add("a.txt", [b""])
    before = storage.catalog.get("a.txt").link_epoch
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    storage.changes.rename("a.txt", "b.txt")
    assert storage.catalog.get("b.txt").link_epoch == before + 1


@pytest.mark.parametrize(
    "change",
    [
        lambda storage: storage.rename("dir", "other"),
        lambda storage: storage.rename("dir", "dir"),
        lambda storage: storage.set_public("dir", True),
        lambda storage: storage.set_expires("dir", None),
        lambda storage: storage.revoke_urls("dir"),
    ],
)
def test_a_directory_is_not_changed_as_a_file(
    storage: DatabaseStorage, change: Callable[[DatabaseStorage], object]
) -> None:
    storage.saves.add("dir/a.txt", [b""])
    with pytest.raises(IsADirectoryError) as caught:
        change(storage)
    assert caught.value.filename == "dir"
    assert storage.catalog.exists("dir/a.txt")


@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_a_row_is_locked_in_a_transaction_alone(storage: DatabaseStorage, database: str) -> None:
    storage.saves.add("a.txt", [b""])
    with pytest.raises(TransactionManagementError):
        storage.catalog.locked("a.txt", database)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_revocations_lock_many_files_in_one_order(storage: DatabaseStorage, database: str) -> None:
    """Two in different orders would be a deadlock."""
    for name in ("dir/b.txt", "dir/a.txt"):
        storage.saves.add(name, [b""])

    def revoke() -> int:
        with connections[database].cursor() as cursor:
            for way in ("seqscan", "bitmapscan"):  # What is left is an index, by name.
                cursor.execute(f"SET enable_{way} = off")
        try:
            return storage.revoke_urls(prefix="dir")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(using=database):
            first, second = storage.catalog.files().order_by("pk")
            assert storage.catalog.locked(str(first.name), database)
            revoked = pool.submit(revoke)
            wait_until(lambda: waiting_sessions(database) == 1)
            free = storage.catalog.files().select_for_update(skip_locked=True)
            assert second in free
        assert revoked.result(60) == 2
