"""Files that are renamed. The others of the changes are tested with the storage."""

import time

import pytest

from secure_dbstorage.storage import DatabaseStorage


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
