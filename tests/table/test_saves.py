"""Content becomes a file, under a name that is free or may be taken."""

import time
from collections.abc import Iterator

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.db import transaction

from secure_dbstorage.exceptions import FileChanged
from secure_dbstorage.models import StoredFile
from secure_dbstorage.saving import Naming
from secure_dbstorage.storage import DatabaseStorage


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database)


def test_a_taken_name_is_an_error(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b"one"])
    with pytest.raises(FileExistsError) as caught:
        storage.saves.add("a.txt", [b"two"])
    assert caught.value.filename == "a.txt"
    assert StoredFile.rows.using(storage.catalog.writer).count() == 1


def test_the_first_name_that_is_not_taken_is_used(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b"one"])
    storage.saves.add("b.txt", [b"two"])
    assert (
        storage.saves.add("a.txt", [b"three"], naming=Naming(others=["b.txt", "c.txt", "d.txt"]))
        == "c.txt"
    )
    assert StoredFile.rows.using(storage.catalog.writer).count() == 3


def test_a_transaction_is_usable_after_all_names_were_taken(storage: DatabaseStorage) -> None:
    with transaction.atomic(using=storage.catalog.writer):
        storage.saves.add("a.txt", [b"one"])
        with pytest.raises(FileExistsError):
            storage.saves.add("a.txt", [b"two"], naming=Naming(others=["a.txt"]))
        assert storage.saves.add("b.txt", [b"three"]) == "b.txt"


@pytest.mark.parametrize("save", ["add", "replace"])
@pytest.mark.parametrize("name", ["a.txt/b", "a.txt/b/c/d"])
def test_nothing_is_saved_or_read_below_a_file(
    storage: DatabaseStorage, save: str, name: str
) -> None:
    storage.saves.add("a.txt", [b"one"])
    with pytest.raises(FileExistsError) as caught:
        getattr(storage.saves, save)(name, self_destructing())
    assert caught.value.filename == "a.txt"


def self_destructing() -> Iterator[bytes]:
    raise AssertionError("Content was read for nothing")
    yield b""  # type: ignore[unreachable]


def test_a_directory_is_not_replaced(storage: DatabaseStorage) -> None:
    storage.saves.add("dir/a.txt", [b"one"])
    with pytest.raises(IsADirectoryError):
        storage.saves.replace("dir", self_destructing())


@pytest.mark.parametrize("name", ["", "n" * 513])
@pytest.mark.parametrize("save", ["add", "replace"])
def test_nothing_is_saved_under_an_invalid_name(
    storage: DatabaseStorage, save: str, name: str
) -> None:
    with pytest.raises(SuspiciousFileOperation):
        getattr(storage.saves, save)(name, self_destructing())


def test_only_the_expected_content_is_replaced(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b"one"])
    key = storage.catalog.get("a.txt").content.key
    storage.saves.replace("a.txt", [b"two"], replaced_key=key)
    with pytest.raises(FileChanged):
        storage.saves.replace("a.txt", [b"three"], replaced_key=key)
    assert b"".join(storage.catalog.stream(storage.catalog.get("a.txt"), 0, 3)) == b"two"


def test_a_link_epoch_is_the_time_in_microseconds(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b""])
    assert 0 <= time.time() - storage.catalog.get("a.txt").link_epoch / 1_000_000 < 5
