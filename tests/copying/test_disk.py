"""A folder's files are private from their first byte, and stay until they are replaced."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from pytest_django import Settings

from secure_dbstorage.copying.disk import FolderEnd, end_of
from secure_dbstorage.copying.storages import StorageEnd
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord
from tests.servers.small_disk import SmallDisk
from tests.servers.unavailable import Unavailable, skip_or_fail


class Watched(FileSystemStorage):
    """Notes the mode of the file each time that it gets a piece."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.modes: list[int] = []

    def _save(self, name: str, content: Any) -> str:
        pieces = content.chunks

        def chunks() -> Iterator[bytes]:
            for piece in pieces():
                self.modes.append(Path(self.path(name)).stat().st_mode & 0o777)
                yield piece

        content.chunks = chunks
        saved: str = super()._save(name, content)
        return saved


@pytest.mark.parametrize(
    ("options", "is_public", "mode"),
    [
        ({}, False, 0o600),
        ({"file_permissions_mode": 0o640}, False, 0o640),
        ({}, True, 0o644),
    ],
)
def test_a_private_file_has_its_mode_from_its_first_byte(
    tmp_path: Path,
    options: dict[str, Any],
    is_public: bool,  # noqa: FBT001
    mode: int,
) -> None:
    storage = Watched(location=tmp_path, **options)
    record = FileRecord(name="dir/a.txt", is_public=is_public)
    end_of(storage).write(record, [b"x" * 100_000] * 3, replace=False)
    assert len(storage.modes) > 1
    assert set(storage.modes) == {mode}
    assert (tmp_path / "dir" / "a.txt").read_bytes() == b"x" * 300_000
    assert (tmp_path / "dir" / "a.txt").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("is_public", [True, False, None])
def test_a_replaced_file_keeps_to_the_modes_of_the_folder(
    tmp_path: Path,
    settings: Settings,
    is_public: bool | None,  # noqa: FBT001
) -> None:
    settings.FILE_UPLOAD_PERMISSIONS = None
    old = tmp_path / "a.txt"
    old.write_bytes(b"old")
    old.chmod(0o664)
    end = end_of(FileSystemStorage(location=tmp_path))
    end.write(FileRecord(name="a.txt", is_public=is_public), [b"new"], replace=True)
    assert old.read_bytes() == b"new"
    assert old.stat().st_mode & 0o777 == (0o600 if is_public is False else 0o664)
    assert list(tmp_path.iterdir()) == [old]


def test_a_full_disk_loses_neither_the_old_file_nor_leaves_a_part(tmp_path: Path) -> None:
    try:
        disk = SmallDisk(tmp_path / "disk", mib=2)
    except Unavailable as error:
        skip_or_fail(str(error))
    with disk:
        storage = FileSystemStorage(location=disk.path)
        storage.save("a.bin", ContentFile(b"o" * 2**20))
        with pytest.raises(OSError, match="space") as caught:
            end_of(storage).write(
                FileRecord(name="a.bin", is_public=False), [b"n" * 2**19] * 3, replace=True
            )
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in disk.path.iterdir()] == ["a.bin"]
        assert (disk.path / "a.bin").read_bytes() == b"o" * 2**20


def test_what_a_killed_copy_left_is_removed_by_the_next(tmp_path: Path) -> None:
    storage = FileSystemStorage(location=tmp_path)
    storage.save("a.txt", ContentFile(b"old"))

    def pieces() -> Iterator[bytes]:
        yield b"new"
        killed.extend(path for path in tmp_path.iterdir() if path.name != "a.txt")

    killed: list[Path] = []
    end_of(storage).write(FileRecord(name="a.txt"), pieces(), replace=True)
    (part,) = killed
    part.write_bytes(b"left")
    part.chmod(0o666)
    end_of(storage).write(FileRecord(name="a.txt"), [b"newer"], replace=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"newer"}


def test_a_source_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise CopyFailed("interrupted")

    storage = FileSystemStorage(location=tmp_path)
    storage.save("a.txt", ContentFile(b"old"))
    with pytest.raises(CopyFailed):
        end_of(storage).write(FileRecord(name="a.txt"), pieces(), replace=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"old"}


def test_a_private_file_whose_name_was_taken_meanwhile_leaves_the_other(tmp_path: Path) -> None:
    storage = FileSystemStorage(location=tmp_path)

    def pieces() -> Iterator[bytes]:
        yield b"ours"
        storage.save("a.txt", ContentFile(b"theirs"))

    record = FileRecord(name="a.txt", is_public=False)
    with pytest.raises(FileExistsError, match="meantime"):
        end_of(storage).write(record, pieces(), replace=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"theirs"}


def test_a_storage_without_paths_is_no_folder(tmp_path: Path) -> None:
    class Pathless(FileSystemStorage):
        def path(self, name: str) -> str:
            raise NotImplementedError

    assert type(end_of(FileSystemStorage(location=tmp_path))) is FolderEnd
    assert type(end_of(Pathless(location=tmp_path))) is StorageEnd
