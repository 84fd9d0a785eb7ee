"""The contract of every storage, which Django's own storages keep too."""

import io
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.utils import timezone
from pytest_django import Settings

from tests.support.files import CHUNK_SIZE, LARGE, field_file, read

STRANGE_NAMES = [
    "ünï cödé.txt",
    "a b.txt",
    "%41.txt",
    "x#y?z;q.txt",
    "\"quoted\" 'twice' & +.txt",
    "100%_done.txt",
    " leading and trailing ",
    "日本語/ファイル.txt",
    "…/dots",
    ".hidden",
    "no_extension",
]

SPELLINGS = [
    ("a\\b.txt", "a/b.txt"),
    ("./c.txt", "c.txt"),
    ("a/./d.txt", "a/d.txt"),
    ("a//e.txt", "a/e.txt"),
]

DANGEROUS_NAMES = [
    *("../x", "a/../x", "..\\x", "..", "/abs", "//host/x", "\\abs"),
    *("a\0b", "a\nb", "a\x7fb", "a\x85b", "\ud800"),
]

LOOK_UPS = ["open", "delete", "exists", "listdir", "size", "get_modified_time"]


class Unseekable(io.RawIOBase):
    """A stream that can be read once, like a request's body."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


class Failing(io.BytesIO):
    """A stream that breaks after its first half."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= len(self.getbuffer()) // 2:
            raise ConnectionResetError("The client went away")
        return super().read(CHUNK_SIZE + 1)


class StorageContract:
    """Tests of every storage. A subclass has the fixture ``storage``, empty at first.

    A test that an implementation does not pass is None there, with the reason.
    """

    # Names

    @pytest.mark.parametrize("name", ["a.txt", "one/two/three/b.txt", *STRANGE_NAMES])
    def test_a_saved_file_is_found_under_its_name(self, storage: Storage, name: str) -> None:
        assert storage.save(name, ContentFile(b"content")) == name
        assert storage.exists(name)
        assert read(storage, name) == b"content"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("A.txt", "a.txt"),
            ("\u00e9.txt", "e\u0301.txt"),
            ("a", "a "),
            ("ß", "ss"),
            ("i", "\u0131"),
        ],
        ids=["case", "normalization", "trailing space", "sharp s", "dotless i"],
    )
    def test_names_that_look_alike_are_two_files(
        self, storage: Storage, one: str, other: str
    ) -> None:
        storage.save(one, ContentFile(b"one"))
        assert not storage.exists(other)
        assert storage.save(other, ContentFile(b"other")) == other
        assert (read(storage, one), read(storage, other)) == (b"one", b"other")
        storage.delete(one)
        assert storage.exists(other)

    @pytest.mark.parametrize(("spelled", "name"), SPELLINGS)
    def test_a_name_is_normalised_on_save(self, storage: Storage, spelled: str, name: str) -> None:
        assert storage.save(spelled, ContentFile(b"content")) == name
        assert read(storage, name) == b"content"

    @pytest.mark.parametrize(("spelled", "name"), SPELLINGS[1:])
    def test_a_name_is_normalised_on_every_look_up(
        self, storage: Storage, spelled: str, name: str
    ) -> None:
        storage.save(name, ContentFile(b"content"))
        assert storage.exists(spelled)
        assert storage.size(spelled) == 7
        assert read(storage, spelled) == b"content"

    @pytest.mark.parametrize(
        "name",
        ["../x", "a/../x", "..\\x", "..", "/abs", "//host/x", "", ".", "dir/", "a/.", "a/.."],
    )
    def test_no_file_is_saved_under_a_name_that_names_nothing(
        self, storage: Storage, name: str
    ) -> None:
        with pytest.raises(SuspiciousFileOperation):
            storage.save(name, ContentFile(b"content"))
        assert storage.listdir("") == ([], [])

    @pytest.mark.parametrize("method", LOOK_UPS)
    @pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "/abs", "//host/x"])
    def test_no_look_up_leaves_the_storage(self, storage: Storage, method: str, name: str) -> None:
        with pytest.raises(SuspiciousFileOperation):
            getattr(storage, method)(name)

    @pytest.mark.parametrize("name", ["", ".", "./"])
    def test_the_root_is_a_directory_that_is_always_there(
        self, storage: Storage, name: str
    ) -> None:
        assert storage.exists(name)
        assert storage.listdir(name) == ([], [])
        with pytest.raises(IsADirectoryError):
            storage.open(name)

    def test_deleting_no_name_is_an_error(self, storage: Storage) -> None:
        with pytest.raises(ValueError, match="delete"):
            storage.delete("")

    @pytest.mark.parametrize("name", ["dir", "dir/", "dir/sub"])
    def test_a_directory_exists_and_is_not_a_file(self, storage: Storage, name: str) -> None:
        storage.save("dir/sub/a.txt", ContentFile(b"content"))
        assert storage.exists(name)
        for mode in ("rb", "wb", "ab", "rb+"):
            with pytest.raises(IsADirectoryError):
                storage.open(name, mode)

    def test_a_directory_with_files_is_not_deleted(self, storage: Storage) -> None:
        storage.save("dir/a.txt", ContentFile(b"content"))
        with pytest.raises(OSError, match="not empty"):
            storage.delete("dir")
        assert storage.exists("dir/a.txt")

    def test_paths_are_names(self, storage: Storage) -> None:
        path = PurePosixPath("dir") / "a.txt"
        assert storage.save(path, ContentFile(b"content")) == "dir/a.txt"
        assert read(storage, path) == b"content"
        assert storage.exists(path)
        assert storage.size(path) == 7
        assert storage.listdir(path.parent) == ([], ["a.txt"])
        storage.delete(path)
        assert not storage.exists(path)

    def test_a_taken_name_gets_an_addition_before_its_extension(self, storage: Storage) -> None:
        assert storage.save("dir/a.tar.gz", ContentFile(b"one")) == "dir/a.tar.gz"
        name = storage.save("dir/a.tar.gz", ContentFile(b"two"))
        assert re.fullmatch(r"dir/a_[A-Za-z0-9]{7}\.tar\.gz", name)
        assert (read(storage, "dir/a.tar.gz"), read(storage, name)) == (b"one", b"two")

    def test_the_name_of_a_directory_is_taken(self, storage: Storage) -> None:
        storage.save("dir/a.txt", ContentFile(b"one"))
        name = storage.save("dir", ContentFile(b"two"))
        assert re.fullmatch(r"dir_[A-Za-z0-9]{7}", name)

    def test_a_name_over_max_length_is_shortened_before_its_extension(
        self, storage: Storage
    ) -> None:
        name = storage.save(f"{'n' * 26}.txt", ContentFile(b"content"), max_length=20)
        assert re.fullmatch(r"n{8}_[A-Za-z0-9]{7}\.txt", name)

    def test_a_taken_name_stays_within_max_length(self, storage: Storage) -> None:
        storage.save(f"{'n' * 16}.txt", ContentFile(b"one"), max_length=20)
        name = storage.save(f"{'n' * 16}.txt", ContentFile(b"two"), max_length=20)
        assert re.fullmatch(r"n{8}_[A-Za-z0-9]{7}\.txt", name)

    def test_a_name_that_cannot_be_shortened_is_refused(self, storage: Storage) -> None:
        with pytest.raises(SuspiciousFileOperation, match="max_length"):
            storage.save("directory_of_this_length/a.txt", ContentFile(b""), max_length=20)

    def test_the_name_of_the_content_is_used_without_another(self, storage: Storage) -> None:
        assert storage.save(None, ContentFile(b"content", name="own.txt")) == "own.txt"

    # Saving

    @pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=len)
    def test_saved_content_is_read_back(self, storage: Storage, data: bytes) -> None:
        name = storage.save("a.bin", ContentFile(data))
        assert storage.size(name) == len(data)
        assert read(storage, name) == data

    def test_a_partly_read_content_is_saved_whole_and_left_open(self, storage: Storage) -> None:
        content = SimpleUploadedFile("a.txt", LARGE)
        content.read(10)
        storage.save("a.txt", content)
        assert read(storage, "a.txt") == LARGE
        assert not content.closed

    def test_a_content_at_its_end_is_saved_whole(self, storage: Storage) -> None:
        content = io.BytesIO()
        content.write(LARGE)
        storage.save("a.txt", content)
        assert read(storage, "a.txt") == LARGE
        assert not content.closed

    @pytest.mark.parametrize("content", [ContentFile("grün\n"), io.StringIO("grün\n")])
    def test_text_is_saved_as_utf_8(self, storage: Storage, content: Any) -> None:
        name = storage.save("a.txt", content)
        assert read(storage, name) == "grün\n".encode()

    def test_an_uploads_temporary_file_is_saved_and_gone(self, storage: Storage) -> None:
        with TemporaryUploadedFile("a.bin", "text/plain", len(LARGE), None) as content:
            content.write(LARGE)
            content.flush()
            storage.save("a.bin", content)
            assert not os.path.exists(content.temporary_file_path())  # noqa: PTH110
        assert read(storage, "a.bin") == LARGE

    def test_a_stream_that_cannot_seek_is_saved(self, storage: Storage) -> None:
        storage.save("a.bin", Unseekable(LARGE))
        assert read(storage, "a.bin") == LARGE

    def test_a_pipe_is_saved(self, storage: Storage) -> None:
        source, sink = os.pipe()
        with os.fdopen(sink, "wb") as writer:
            writer.write(LARGE)
        with os.fdopen(source, "rb") as pipe:
            storage.save("a.bin", pipe)
        assert read(storage, "a.bin") == LARGE

    def test_an_object_that_can_only_be_read_is_saved(self, storage: Storage) -> None:
        class Response:
            read = io.BytesIO(LARGE).read

        storage.save("a.bin", Response())
        assert read(storage, "a.bin") == LARGE

    def test_a_file_of_the_storage_is_saved_under_another_name(self, storage: Storage) -> None:
        storage.save("a.bin", ContentFile(LARGE))
        with storage.open("a.bin") as content:
            storage.save("b.bin", content)
        assert read(storage, "b.bin") == LARGE

    def test_a_field_file_that_is_not_open_is_saved(self, storage: Storage) -> None:
        storage.save("a.bin", ContentFile(LARGE))
        content = field_file(storage, "a.bin")
        storage.save("b.bin", content)
        content.close()
        assert read(storage, "b.bin") == LARGE

    def test_nothing_is_saved_below_a_file(self, storage: Storage) -> None:
        storage.save("a", ContentFile(b"content"))
        with pytest.raises(FileExistsError):
            storage.save("a/b", ContentFile(b"content"))
        assert storage.listdir("") == ([], ["a"])

    # Reading and the rest

    @pytest.mark.parametrize("method", ["open", "size", "get_created_time", "get_modified_time"])
    @pytest.mark.parametrize("name", ["missing.txt", "no/such/directory.txt"])
    def test_a_missing_file_is_not_found(self, storage: Storage, method: str, name: str) -> None:
        with pytest.raises(FileNotFoundError):
            getattr(storage, method)(name)

    def test_a_deleted_file_is_gone_and_its_name_is_free(self, storage: Storage) -> None:
        storage.save("a.txt", ContentFile(LARGE))
        storage.delete("a.txt")
        assert not storage.exists("a.txt")
        assert storage.save("a.txt", ContentFile(b"new")) == "a.txt"
        assert read(storage, "a.txt") == b"new"

    @pytest.mark.parametrize("name", ["missing.txt", "no/such/directory.txt"])
    def test_deleting_a_missing_file_is_no_error(self, storage: Storage, name: str) -> None:
        storage.delete(name)

    @pytest.mark.parametrize("path", ["", "."])
    def test_the_root_lists_directories_and_files(self, storage: Storage, path: str) -> None:
        for name in ("b.txt", "a.txt", "dir/c.txt", "dir/sub/d.txt", "dir-2/e.txt"):
            storage.save(name, ContentFile(b""))
        directories, files = storage.listdir(path)
        assert sorted(directories) == ["dir", "dir-2"]
        assert sorted(files) == ["a.txt", "b.txt"]

    @pytest.mark.parametrize("path", ["dir", "dir/", "./dir"])
    def test_a_directory_lists_only_its_direct_entries(self, storage: Storage, path: str) -> None:
        for name in ("dir/c.txt", "dir/sub/d.txt", "dir/sub/e.txt", "dir.txt", "dir0", "di/r"):
            storage.save(name, ContentFile(b""))
        assert storage.listdir(path) == (["sub"], ["c.txt"])

    def test_listing_takes_percent_and_underscore_as_they_are(self, storage: Storage) -> None:
        for name in ("a_b/1", "axb/2", "a%/3", "abc/4"):
            storage.save(name, ContentFile(b""))
        assert storage.listdir("a_b") == ([], ["1"])
        assert storage.listdir("a%") == ([], ["3"])

    def test_listing_a_missing_directory_is_not_found(self, storage: Storage) -> None:
        with pytest.raises(FileNotFoundError):
            storage.listdir("missing")

    def test_listing_a_file_is_an_error(self, storage: Storage) -> None:
        storage.save("a.txt", ContentFile(b""))
        with pytest.raises(NotADirectoryError):
            storage.listdir("a.txt")

    @pytest.mark.parametrize("method", ["get_created_time", "get_modified_time"])
    def test_times_are_aware_with_use_tz(
        self, storage: Storage, settings: Settings, method: str
    ) -> None:
        settings.USE_TZ = True
        settings.TIME_ZONE = "Asia/Tokyo"
        storage.save("a.txt", ContentFile(b""))
        time = getattr(storage, method)("a.txt")
        assert timezone.is_aware(time)
        assert abs(time - datetime.now(UTC)) < timedelta(seconds=5)

    @pytest.mark.parametrize("method", ["get_created_time", "get_modified_time"])
    def test_times_are_the_projects_local_ones_without_use_tz(
        self, storage: Storage, settings: Settings, method: str
    ) -> None:
        settings.USE_TZ = False
        settings.TIME_ZONE = "Asia/Tokyo"
        storage.save("a.txt", ContentFile(b""))
        # The time zone that a middleware activates for a visitor has no effect.
        with timezone.override("America/New_York"):
            time = getattr(storage, method)("a.txt")
        assert timezone.is_naive(time)
        assert abs(time - datetime.now()) < timedelta(seconds=5)  # noqa: DTZ005


class OverwritingContract:
    """Tests of every storage that may overwrite. A subclass has the fixture ``overwriting``."""

    def test_a_taken_name_gets_the_new_content(self, overwriting: Storage) -> None:
        overwriting.save("a.txt", ContentFile(LARGE))
        assert overwriting.save("a.txt", ContentFile(b"new")) == "a.txt"
        assert read(overwriting, "a.txt") == b"new"
        assert overwriting.listdir("") == ([], ["a.txt"])

    def test_a_long_name_is_shortened(self, overwriting: Storage) -> None:
        name = overwriting.save(f"{'n' * 26}.txt", ContentFile(b""), max_length=20)
        assert name == f"{'n' * 16}.txt"

    def test_a_directory_is_not_overwritten(self, overwriting: Storage) -> None:
        overwriting.save("dir/a.txt", ContentFile(b"content"))
        with pytest.raises(IsADirectoryError):
            overwriting.save("dir", ContentFile(b"content"))
