"""Files are intact, or their problems are reported, and repaired where possible."""

from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import OperationalError, connections

from secure_dbstorage.exceptions import KeyLost, KeyServiceUnavailable
from secure_dbstorage.files.contents import Content
from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.verification import Verified, verify
from tests.support.uploads import begin_upload


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    """Return a storage with files of one, two and three rows, in each database."""
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    for count, name in enumerate(("a.txt", "dir/b.txt", "dir/c.txt")):
        storage.save(name, b"x" * (storage.options.chunk_size * count + 10))
    storage.save("empty.txt", b"")
    return storage


def rows_of(storage: DatabaseStorage, name: str) -> StoredRowQuerySet:
    content = storage.catalog.get(name).content
    rows: StoredRowQuerySet = StoredFile.rows.using(content.using)
    return rows.of(content.key)


def broken(storage: DatabaseStorage) -> dict[str, tuple[str, ...]]:
    return {file.name: file.problems for file in verify(storage) if file.problems}


def test_files_are_intact(storage: DatabaseStorage) -> None:
    files = list(verify(storage))
    assert [file.name for file in files] == ["a.txt", "dir/b.txt", "dir/c.txt", "empty.txt"]
    assert not any(file.problems for file in files)
    assert [file.size for file in files] == [storage.size(file.name) for file in files]


def test_deleted_files_are_verified_too(database: str) -> None:
    storage = DatabaseStorage(using=database, keep_deleted=60, chunk_size=4096)
    for name in ("a.txt", "dir/a.txt", "z.txt"):
        storage.save(name, b"x" * 10_000)
        storage.delete(name)
    storage.save("m.txt", b"x")
    assert [file.name for file in verify(storage)] == ["m.txt", "a.txt", "dir/a.txt", "z.txt"]
    assert not any(file.problems or file.repaired for file in verify(storage, repair=True))
    (deleted,) = verify(storage, prefix="dir")
    (version,) = storage.versions("dir/a.txt")
    assert deleted.label == f"dir/a.txt (deleted, version {version.version})"
    StoredFile.rows.using(database).filter(position=1).update(data=b"y" * 4096)
    assert broken(storage).keys() == {"a.txt", "dir/a.txt", "z.txt"}


def test_one_that_is_restored_meanwhile_is_not_broken(database: str) -> None:
    storage = DatabaseStorage(using=database, keep_deleted=60, chunk_size=4096)
    for name in ("a.txt", "b.txt"):
        storage.save(name, b"x" * 10_000)
        storage.delete(name)
    files = verify(storage)
    assert next(files).name == "a.txt"
    storage.delete("b.txt", forever=True)
    assert list(files) == []


def test_an_unfinished_upload_is_no_file(storage: DatabaseStorage, database: str) -> None:
    begin_upload(database, key=1, rows=3)
    assert len(list(verify(storage, repair=True))) == 4
    assert StoredFile.rows.using(database).of(1).count() == 3


def test_a_run_can_be_limited_to_a_directory_and_continue_another(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.models._PAGE_LENGTH", 1)
    assert [file.name for file in verify(storage, prefix="dir")] == ["dir/b.txt", "dir/c.txt"]
    assert [file.name for file in verify(storage, after="dir/b.txt")] == ["dir/c.txt", "empty.txt"]


@pytest.mark.parametrize("position", [1, 2])
def test_a_missing_row_is_reported(storage: DatabaseStorage, position: int) -> None:
    rows_of(storage, "dir/c.txt").filter(position=position).delete()
    ((name, problems),) = broken(storage).items()
    assert name == "dir/c.txt"
    assert problems == ("rows are missing or too short: 2 of 3 are whole",)


@pytest.mark.parametrize(
    ("position", "data", "words"),
    [(0, b"y" * 261120, "SHA-256"), (1, b"", "missing or too short"), (2, b"z" * 10, "SHA-256")],
)
def test_changed_bytes_are_reported(
    storage: DatabaseStorage, position: int, data: bytes, words: str
) -> None:
    rows_of(storage, "dir/c.txt").filter(position=position).update(data=data)
    assert words in broken(storage)["dir/c.txt"][0]


def test_repairs_are_made_only_on_request(storage: DatabaseStorage) -> None:
    key = storage.catalog.get("a.txt").content.key
    rows = StoredFile.rows.using(storage.catalog.writer)
    rows.create(content=key, position=1, data=b"behind")
    storage.catalog.files().filter(name="empty.txt").update(content_type="text/html")
    problems = {
        "a.txt": ("there are rows past the end of the file",),
        "empty.txt": ("the media type does not match the name",),
    }
    assert broken(storage) == problems
    assert broken(storage) == problems
    repaired = {file.name: file.repaired for file in verify(storage, repair=True) if file.repaired}
    assert repaired == problems
    assert broken(storage) == {}
    assert storage.stat("empty.txt").content_type == "text/plain"
    assert rows_of(storage, "a.txt").count() == 1


def test_a_repair_does_not_hide_lost_bytes(storage: DatabaseStorage) -> None:
    rows_of(storage, "dir/c.txt").filter(position=2).delete()
    (file,) = [file for file in verify(storage, repair=True) if file.problems]
    assert file == Verified(name="dir/c.txt", size=file.size, problems=file.problems)
    assert storage.exists("dir/c.txt")


@pytest.mark.parametrize("wrong", [{"size": 5}, {"size": 261_120}, {"chunk_size": 4_000_000}])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_repair_deletes_no_rows_that_may_be_the_content(
    database: str, wrong: dict[str, int], *, is_deleted: bool
) -> None:
    storage = DatabaseStorage(using=database, keep_deleted=60)
    content = bytes(range(250)) * 3000
    storage.save("a.bin", content)
    if is_deleted:
        storage.delete("a.bin")
    rows = StoredFile.rows.using(database)
    head = rows.get(position=0)
    rows.filter(pk=head.pk).update(**wrong)
    (file,) = verify(storage, repair=True)
    assert not file.repaired
    assert "they stay, because the rest of it is not intact" in file.problems[-1]
    assert rows.count() == 3
    rows.filter(pk=head.pk).update(**{column: getattr(head, column) for column in wrong})
    if is_deleted:
        storage.undelete("a.bin")
    with storage.open("a.bin") as saved:
        assert saved.read() == content


@pytest.mark.parametrize("error", [KeyLost("k2"), KeyServiceUnavailable("it is down")])
def test_a_repair_deletes_nothing_of_a_file_that_it_could_not_read(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    key = storage.catalog.get("a.txt").content.key
    StoredFile.rows.using(storage.catalog.writer).create(content=key, position=1, data=b"behind")

    def fail(content: Content) -> None:
        raise error

    monkeypatch.setattr(Content, "unlock", fail)
    file = next(verify(storage, repair=True))
    past_end = "there are rows past the end of the file; they stay, because the rest of it is not"
    assert file.problems == (str(error), f"{past_end} intact")
    assert rows_of(storage, "a.txt").count() == 2


def test_a_file_deleted_in_the_meantime_is_not_a_problem(storage: DatabaseStorage) -> None:
    files = verify(storage)
    assert next(files).name == "a.txt"
    storage.delete("dir/b.txt")
    with storage.open("dir/c.txt", "wb") as file:
        file.write(b"new")
    assert [(file.name, file.problems) for file in files] == [("empty.txt", ())]


def test_a_file_that_the_database_does_not_give_now_is_not_broken(
    storage: DatabaseStorage, database: str
) -> None:
    key = storage.catalog.get("dir/b.txt").content.key

    def busy(execute: Any, sql: str, parameters: Any, *rest: Any) -> Any:
        if key in (parameters or ()):
            raise OperationalError(1205, "Lock wait timeout exceeded")
        return execute(sql, parameters, *rest)

    with connections[database].execute_wrapper(busy):
        found = {file.name: file for file in verify(storage)}
    assert [name for name, file in found.items() if file.problems] == ["dir/b.txt"]
    assert not found["dir/b.txt"].was_read
    assert found["dir/b.txt"].problems == (
        "not read: it conflicts with other transactions: (1205, 'Lock wait timeout exceeded')",
    )
