"""Any Django storage can be listed, read and written."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage

from secure_dbstorage.copying.disk import end_of
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.storage import DatabaseStorage


@pytest.fixture
def folder(tmp_path: Path) -> FileSystemStorage:
    return FileSystemStorage(location=tmp_path)


def test_the_older_of_two_times_is_that_of_the_creation(folder: FileSystemStorage) -> None:
    folder.save("a", ContentFile(b"abc"))
    os.utime(folder.path("a"), (1_000_000, 1_000_000))
    record = end_of(folder).complete(FileRecord(name="a"))
    assert record.size == 3
    assert record.created == record.modified
    assert record.modified is not None
    assert record.modified.timestamp() == 1_000_000


class Timeless(InMemoryStorage):
    """Has no times, like many storages."""

    def get_created_time(self, name: str) -> Any:
        raise NotImplementedError

    get_modified_time = get_created_time


def test_a_storage_without_times_has_none() -> None:
    storage = Timeless()
    storage.save("a", ContentFile(b"abc"))
    record = end_of(storage).complete(FileRecord(name="a"))
    assert (record.size, record.created, record.modified) == (3, None, None)


@pytest.mark.parametrize("name", ["a\\b", "./a", "a//b", "../a", "/a", "\udcff", "dir/"])
def test_a_name_that_would_be_spelled_differently_is_refused(
    name: str, folder: FileSystemStorage, database: str
) -> None:
    for end in (end_of(folder), TableEnd(DatabaseStorage(using=database))):
        with pytest.raises(CopyFailed):
            end.check_name(name)


def test_only_ours_refuses_control_characters_and_long_names(
    folder: FileSystemStorage, database: str
) -> None:
    for name in ("line\nbreak", "n" * 513):
        end_of(folder).check_name(name)
        with pytest.raises(CopyFailed):
            TableEnd(DatabaseStorage(using=database)).check_name(name)


def test_a_large_file_of_a_bucket_is_not_held_in_memory() -> None:
    class Bucket(InMemoryStorage):
        max_memory_size = 0  # django-storages' default: without limit

    storage = Bucket()
    end_of(storage)
    assert storage.max_memory_size > 0


def test_a_file_that_took_the_name_meanwhile_stays(folder: FileSystemStorage) -> None:
    end = end_of(folder)

    def pieces() -> Any:
        yield b"ours"
        folder.save("report.pdf", ContentFile(b"a visitor's"))

    with pytest.raises(FileExistsError, match="meantime"):
        end.write(FileRecord(name="report.pdf"), pieces(), replace=False)
    assert folder.listdir("") == ([], ["report.pdf"])
    assert Path(folder.path("report.pdf")).read_bytes() == b"a visitor's"


class Endless(ContentFile):  # type: ignore[type-arg]  # takes no type when it runs
    """Is never closed, and read from where it is."""

    is_seekable = True

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield self.read()

    def seekable(self) -> bool:
        return self.is_seekable

    def close(self) -> None:
        pass


class Same(InMemoryStorage):
    """Hands out one open file again and again, which is at its end after the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.file = Endless(b"content")

    def _open(self, name: str, mode: str = "rb") -> Any:
        return self.file


def test_a_file_that_was_read_to_its_end_before_is_read_again() -> None:
    end, record = end_of(Same()), FileRecord(name="a.txt", size=7)
    assert b"".join(end.read(record)) == b"content"
    assert b"".join(end.read(record)) == b"content"


def test_no_empty_copy_is_made_of_a_file_that_has_bytes() -> None:
    storage = Same()
    storage.file.is_seekable = False
    end, record = end_of(storage), FileRecord(name="a.txt", size=7)
    assert b"".join(end.read(record)) == b"content"
    with pytest.raises(CopyFailed, match="none of its 7 bytes"):
        list(end.read(record))


class Overwriting(InMemoryStorage):
    """Overwrites, like a bucket; or runs out of space."""

    is_full = False

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        if self.is_full:
            raise OSError("No space left on device")
        saved: str = super()._save(name, content)
        return saved


def test_a_storage_that_overwrites_keeps_the_old_file_until_it_has_the_new_one() -> None:
    storage = Overwriting()
    storage.save("a.txt", ContentFile(b"old"))
    storage.is_full = True
    with pytest.raises(OSError, match="space"):
        end_of(storage).write(FileRecord(name="a.txt"), [b"newer"], replace=True)
    assert storage.open("a.txt").read() == b"old"
    storage.is_full = False
    end_of(storage).write(FileRecord(name="a.txt"), [b"newer"], replace=True)
    assert storage.open("a.txt").read() == b"newer"
