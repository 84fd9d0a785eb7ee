"""A DatabaseStorage is listed in few queries, and accepts what it can store."""

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from secure_dbstorage import models
from secure_dbstorage.copying.copier import Copier, Outcome
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.sealing import KEY, OLD_KEY


def test_ours_is_listed_in_order_page_by_page(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_PAGE_LENGTH", 10)
    storage = DatabaseStorage(using=database)
    names = sorted([f"{number % 3}/{number}" for number in range(24)] + ["-", "A", "a"])
    for name in names:
        storage.saves.add(name, [b"x" * 5])
    end = TableEnd(storage)
    with CaptureQueriesContext(connections[database]) as queries:
        records = list(end.records(""))
    assert [record.name for record in records] == names
    assert len(queries) == 4
    assert {record.size for record in records} == {5}
    assert [record.name for record in end.records("1")] == [
        name for name in names if name.startswith("1/")
    ]
    assert (end.count(""), end.count("1"), end.count("10")) == (27, 8, 0)


def test_a_new_file_only_takes_a_free_name(database: str) -> None:
    end = TableEnd(DatabaseStorage(using=database))
    assert end.find("a/b") is None
    end.write(FileRecord(name="a/b"), [b"first"], replace=False)
    with pytest.raises(FileExistsError):
        end.write(FileRecord(name="a/b"), [b"second"], replace=False)
    found = end.find("a/b")
    assert found is not None
    assert b"".join(end.read(found)) == b"first"
    with pytest.raises(CopyFailed, match="a directory of this name"):
        end.find("a")


def test_a_file_whose_key_is_lost_is_not_taken_for_another(database: str) -> None:
    """Its digest is unknown, so it may be the same one."""
    source = DatabaseStorage(using=database, namespace="source")
    source.save("a.txt", b"text")
    DatabaseStorage(using=database, encryption_keys=[OLD_KEY]).save("a.txt", b"text")
    ends = [
        TableEnd(source),
        TableEnd(DatabaseStorage(using=database, encryption_keys=[KEY])),
    ]
    (done,) = Copier(source=ends[0], target=ends[1]).copy_all(ends[0].records(""))
    assert done.outcome is Outcome.FAILED
    assert "No key in encryption_keys has the id" in done.problem


def test_a_file_with_lost_rows_is_told_from_one_that_is_deleted_meanwhile(database: str) -> None:
    storage = DatabaseStorage(using=database, chunk_size=4096)
    for name in ("gone.bin", "lost.bin", "new.bin"):
        storage.save(name, b"x" * 10_000)
    source = TableEnd(storage)
    records = list(source.records(""))
    StoredFile.rows.using(database).filter(position=1).delete()
    storage.delete("gone.bin")
    with storage.open("new.bin", "wb") as file:
        file.write(b"new")
    target = TableEnd(DatabaseStorage(using=database, namespace="target"))
    done = Copier(source=source, target=target).copy_all(records)
    problems = {transfer.record.name: transfer.problem for transfer in done}
    lost = "rows of this file are missing or too short; dbstorage_verify says how many"
    vanished = "The content was deleted or replaced while it was being read"
    assert problems == {"gone.bin": vanished, "lost.bin": lost, "new.bin": vanished}
