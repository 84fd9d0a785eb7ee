"""The inventory: amounts by type, age and directory."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.inventory import Amount, take_inventory
from tests.support.uploads import begin_upload


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    """Return a storage with a few files, in each database."""
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    for name, size in {
        "a.txt": 1,
        "2025/x.pdf": 10,
        "2026/06/y.pdf": 100,
        "2026/07/é.pdf": 1000,
        "2026/z.png": 10000,
    }.items():
        storage.save(name, b"x" * size)
    storages["invoices"].save("other.txt", b"other")  # type: ignore[arg-type]
    return storage


def test_an_empty_storage_has_empty_amounts(database: str) -> None:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    inventory = take_inventory(storage)
    assert inventory.total == inventory.public == inventory.expired == Amount(0, 0)
    assert inventory.types == inventory.entries == {}


def test_files_are_summed_up_by_directory_and_type(storage: DatabaseStorage) -> None:
    inventory = take_inventory(storage)
    assert inventory.total == Amount(5, 11111)
    assert inventory.entries == {
        "2026/": Amount(3, 11100),
        "2025/": Amount(1, 10),
        "a.txt": Amount(1, 1),
    }
    assert list(inventory.entries) == ["2026/", "2025/", "a.txt"]
    assert inventory.types == {
        "image/png": Amount(1, 10000),
        "application/pdf": Amount(3, 1110),
        "text/plain": Amount(1, 1),
    }


def test_deleted_files_are_counted_apart(database: str) -> None:
    storage = DatabaseStorage(using=database, keep_deleted=60)
    for name in ("a.txt", "dir/b.txt", "c.txt"):
        storage.save(name, b"12345")
    for name in ("a.txt", "dir/b.txt"):
        storage.delete(name)
    inventory = take_inventory(storage)
    assert (inventory.total, inventory.deleted) == (Amount(1, 5), Amount(2, 10))
    assert take_inventory(storage, prefix="dir").deleted == Amount(1, 5)


def test_a_single_directory_can_be_counted(storage: DatabaseStorage) -> None:
    inventory = take_inventory(storage, prefix="2026")
    assert inventory.total == Amount(3, 11100)
    assert inventory.entries == {
        "z.png": Amount(1, 10000),
        "07/": Amount(1, 1000),
        "06/": Amount(1, 100),
    }


def test_the_rest_is_counted_together(storage: DatabaseStorage) -> None:
    inventory = take_inventory(storage, limit=1)
    assert inventory.entries == {"2026/": Amount(3, 11100), "others": Amount(2, 11)}
    assert inventory.types == {"image/png": Amount(1, 10000), "others": Amount(4, 1111)}


def test_public_and_temporary_ones_are_counted(storage: DatabaseStorage) -> None:
    storage.set_public("2026/z.png", public=True)
    storage.set_expires("a.txt", datetime(2020, 1, 1, tzinfo=UTC))
    storage.set_expires("2025/x.pdf", timezone.now() + timedelta(days=1))
    inventory = take_inventory(storage)
    assert inventory.public == Amount(1, 10000)
    assert inventory.temporary == Amount(2, 11)
    assert inventory.expired == Amount(1, 1)


def test_unfinished_uploads_are_counted_apart(storage: DatabaseStorage, database: str) -> None:
    begin_upload(database, key=1, rows=2, size=5000)
    begin_upload(database, key=2, size=10, data=b"")
    begin_upload(database, key=3, namespace="invoices")
    inventory = take_inventory(storage)
    assert inventory.unfinished == Amount(2, 5010)
    assert inventory.total == Amount(5, 11111)
    assert inventory.expired == Amount(0, 0)
    assert take_inventory(storage, prefix="2026").unfinished == Amount(2, 5010)


def test_ages_leave_no_file_out_and_count_none_twice(storage: DatabaseStorage) -> None:
    names = ["a.txt", "2025/x.pdf", "2026/06/y.pdf", "2026/07/é.pdf", "2026/z.png"]
    for name, days in zip(names, (0, 2, 8, 31, 366), strict=True):
        modified = timezone.now() - timedelta(days=days)
        storage.catalog.files().filter(name=name).update(modified=modified)
    assert take_inventory(storage).ages == {
        "up to a day": Amount(1, 1),
        "up to a week": Amount(1, 10),
        "up to a month": Amount(1, 100),
        "up to a year": Amount(1, 1000),
        "older": Amount(1, 10000),
    }


def test_no_content_is_read(storage: DatabaseStorage, database: str) -> None:
    with CaptureQueriesContext(connections[database]) as queries:
        take_inventory(storage)
    assert len(queries) == 5  # files, deleted ones, uploads, types, entries
    assert not any("data" in query["sql"] for query in queries)
