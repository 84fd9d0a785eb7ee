"""Open files behave like those of `open`, as files on disk do."""

import csv
import gc
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from secure_dbstorage.exceptions import ContentVanished, FileChanged, FileTooLarge
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.files import CHUNK_SIZE, LARGE, field_file, read

TEXT = b"first\r\nsecond\rthird\n\nf\xc3\xbcnfte"

MODES = ["r", "rb", "r+", "rb+", "w", "wb", "w+", "wb+", "a", "ab", "a+", "ab+"]
MODES += ["x", "xb", "x+", "xb+"]

OTHER_SPELLINGS = ["rt", "tr", "br", "r+t", "r+b", "+rb", "b+r", "wt", "w+b", "at", "a+b", "xt"]

#: For `open` all of these are ValueErrors, with other texts from one to the next.
NO_MODES = [
    "",
    "b",
    "t",
    "+",
    "rw",
    "wr",
    "ra",
    "wx",
    "rbt",
    "rtb",
    "rr",
    "r++",
    "rbb",
    "z",
    "rU",
    "r b",
    "R",
    "RB",
    " rb",
    "rb\n",
    "rb\0",
]


def outcome(operation: Callable[[Any], Any], file: Any) -> Any:
    """Return what an operation gives, or the class of its error."""
    try:
        return operation(file)
    except (OSError, ValueError) as error:
        return OSError if isinstance(error, io.UnsupportedOperation) else type(error)


def word(file: Any, text: str) -> Any:
    return text.encode() if "b" in file.mode else text


def readinto(file: Any) -> tuple[int, bytes]:
    buffer = bytearray(8)
    try:
        return file.readinto(buffer), bytes(buffer)
    except AttributeError:  # text
        return -1, b""


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "read": lambda file: file.read(),
    "read some": lambda file: [file.read(5), file.read(0), file.read(4), file.tell()],
    "readline": lambda file: [file.readline(), file.readline(), file.readline(3)],
    "readlines": lambda file: file.readlines(),
    "iterate": list,
    "chunks": lambda file: list(file.chunks(7)),
    "all chunks": lambda file: [file.read(3), *file.chunks(), file.tell(), file.read()],
    "size": lambda file: (file.size, len(file), bool(file)),
    "seek": lambda file: [file.seek(3), file.read(2), file.seek(0, io.SEEK_END), file.read()],
    "seek beyond": lambda file: [file.seek(100), file.tell(), file.read()],
    "seek before": lambda file: file.seek(-1),
    "able": lambda file: (file.readable(), file.writable(), file.seekable(), file.closed),
    "write first": lambda file: [file.write(word(file, "new")), file.tell()],
    "write last": lambda file: [file.seek(0, io.SEEK_END), file.write(word(file, "new"))],
    "write inside": lambda file: [file.seek(6), file.write(word(file, "new")), file.seek(0)],
    "write and read": lambda file: [file.write(word(file, "new")), file.seek(0), file.read()],
    "writelines": lambda file: file.writelines([word(file, "a\n"), word(file, "b\n")]),
    "truncate": lambda file: file.truncate(4),
    "truncate here": lambda file: [file.seek(8), file.truncate()],
    "grow": lambda file: [file.truncate(100), file.tell()],
    "flush": lambda file: [file.write(word(file, "new")), file.flush(), file.size],
    "readinto": readinto,
    "write beyond": lambda file: [file.seek(50), file.write(word(file, "new"))],
}


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_mode_has_the_manners_of_a_file_on_disk(
    storage: DatabaseStorage, tmp_path: Path, mode: str
) -> None:
    disk = FileSystemStorage(tmp_path)
    for operation in OPERATIONS:
        ours, expected = (in_mode(one, mode, operation, "there.txt") for one in (storage, disk))
        assert (operation, ours) == (operation, expected)


@pytest.mark.parametrize("mode", [*MODES, *OTHER_SPELLINGS])
@pytest.mark.parametrize("name", ["there.txt", "missing.txt"])
def test_every_mode_behaves_as_on_a_disk(
    storage: DatabaseStorage, tmp_path: Path, mode: str, name: str
) -> None:
    disk = FileSystemStorage(tmp_path)
    ours, expected = (in_mode(one, mode, "write and read", name) for one in (storage, disk))
    assert ours == expected


def in_mode(storage: Storage, mode: str, operation: str, name: str) -> tuple[Any, Any]:
    """Return what an operation gives on a file opened in this mode, and what it leaves."""
    storage.save("there.txt", ContentFile(TEXT))
    try:
        with storage.open(name, mode) as file:
            result = outcome(OPERATIONS[operation], file)
    except OSError as error:
        result = type(error)
    content = read(storage, name) if storage.exists(name) else None
    for each in ("there.txt", name):
        storage.delete(each)
    return result, content


@pytest.mark.parametrize("mode", NO_MODES)
def test_no_other_mode_opens_a_file(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- with a text for each
        FileSystemStorage(tmp_path).open("a.txt", mode)
    with pytest.raises(io.UnsupportedOperation):
        DatabaseStorage().open("a.txt", mode)


# Reading


def test_characters_and_newlines_cross_the_borders_of_rows(storage: DatabaseStorage) -> None:
    text = "x" * 4095 + "\u00fc" + "y" * 4094 + "\r\n" + "z"
    storage.save("a.txt", text.encode())
    with storage.open("a.txt", "r") as file:
        assert file.read() == text.replace("\r\n", "\n")


def test_a_file_can_be_wrapped_as_any_other(storage: DatabaseStorage) -> None:
    storage.save("a.csv", "a;\u00fc\r\n")
    file: Any = storage.open("a.csv").file
    with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        assert list(csv.reader(text, delimiter=";")) == [["a", "\u00fc"]]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside.txt", LARGE)
    storage.save("a.zip", buffer)
    with storage.open("a.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("inside.txt") == LARGE


def test_a_file_that_is_too_short_for_an_archive_is_none(storage: DatabaseStorage) -> None:
    storage.save("a.zip", b"short")
    with storage.open("a.zip") as file:
        assert not zipfile.is_zipfile(file)


def test_a_small_file_is_opened_and_read_with_one_query(
    storage: DatabaseStorage, database: str
) -> None:
    storage.save("a.bin", LARGE[:CHUNK_SIZE])
    with CaptureQueriesContext(connections[database]) as queries, storage.open("a.bin") as file:
        assert file.size == CHUNK_SIZE
        assert file.read() == LARGE[:CHUNK_SIZE]
    assert len(queries) == 1


def test_a_closed_file_is_not_read(storage: DatabaseStorage) -> None:
    storage.save("a.bin", LARGE)
    file = storage.open("a.bin")
    file.close()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_a_reopened_file_has_the_current_content(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"old")
    file = storage.open("a.txt")
    file.close()
    storage.delete("a.txt")
    storage.save("a.txt", b"new")
    with file.open() as again:
        assert again.read() == b"new"


def test_a_closed_file_is_opened_again_in_another_mode(storage: DatabaseStorage) -> None:
    file = storage.open("a.txt", "wb")
    file.close()
    with file.open("ab") as again:
        again.write(b"content")
    assert read(storage, "a.txt") == b"content"


def test_an_open_file_opened_again_is_at_its_start(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"content")
    with storage.open("a.txt") as file:
        file.read()
        assert file.open().read() == b"content"


# Overwritten and deleted while open


def test_a_small_file_overwritten_while_open_is_read_as_it_was(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"old")
    with storage.open("a.txt") as file:
        with storage.open("a.txt", "wb") as other:
            other.write(b"new")
        assert file.read() == b"old"


@pytest.mark.parametrize("read_before", [0, 1, CHUNK_SIZE + 1])
def test_a_large_file_overwritten_while_it_is_read_is_not_mixed(
    storage: DatabaseStorage, read_before: int
) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        before = file.read(read_before)
        with storage.open("a.bin", "wb") as other:
            other.write(LARGE[::-1])
        with pytest.raises(OSError, match="deleted or replaced"):
            file.read()
    assert LARGE.startswith(before)


def test_a_file_deleted_while_it_is_read_ends_in_an_error(storage: DatabaseStorage) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        file.read(1)
        storage.delete("a.bin")
        with pytest.raises(OSError, match="deleted or replaced"):
            file.read()


# Writing


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, len(LARGE)])
def test_writes_are_saved_on_close(storage: DatabaseStorage, size: int) -> None:
    file = storage.open("dir/a.bin", "wb")
    file.write(LARGE[:size])
    assert not storage.exists("dir/a.bin")
    file.close()
    assert read(storage, "dir/a.bin") == LARGE[:size]


def test_a_file_is_changed_in_its_midst(storage: DatabaseStorage) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin", "r+b") as file:
        assert file.size == len(LARGE)
        file.seek(5000)
        file.write(b"changed")
        file.truncate(9000)
    assert read(storage, "a.bin") == LARGE[:5000] + b"changed" + LARGE[5007:9000]


def test_a_file_grows_at_its_end(storage: DatabaseStorage) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin", "ab") as file:
        assert file.tell() == len(LARGE)
        file.write(b"more")
    assert read(storage, "a.bin") == LARGE + b"more"


def test_text_is_utf_8_in_both_directions(storage: DatabaseStorage) -> None:
    with storage.open("a.txt", "w") as file:
        file.write("\u00fc \u65e5\n")
    assert read(storage, "a.txt") == "\u00fc \u65e5\n".encode()
    assert read(storage, "a.txt", "r") == "\u00fc \u65e5\n"


def test_closing_twice_saves_once(storage: DatabaseStorage) -> None:
    file = storage.open("a.txt", "wb")
    file.close()
    storage.delete("a.txt")
    file.close()
    assert not storage.exists("a.txt")


def test_the_size_includes_writes(storage: DatabaseStorage) -> None:
    with storage.open("a.txt", "wb") as file:
        file.write(b"12345")
        assert file.size == 5


def test_no_transaction_spans_the_callers_code(storage: DatabaseStorage, database: str) -> None:
    with CaptureQueriesContext(connections[database]) as queries:
        file = storage.open("a.txt", "wb")
        file.write(LARGE)
        assert not any("INSERT" in query["sql"] or "POINT" in query["sql"] for query in queries)
        file.close()


def test_writes_belong_to_the_transaction_of_the_close(
    storage: DatabaseStorage, database: str
) -> None:
    storage.save("a.txt", b"old")
    with transaction.atomic(using=database):
        with storage.open("a.txt", "wb") as file:
            file.write(b"new")
        transaction.set_rollback(True, using=database)
    assert read(storage, "a.txt") == b"old"


def test_a_file_over_max_size_keeps_the_old_content(database: str) -> None:
    storage = DatabaseStorage(using=database, max_size=5)
    storage.save("a.txt", b"old")
    file = storage.open("a.txt", "wb")
    file.write(b"123456")
    with pytest.raises(FileTooLarge):
        file.close()
    assert read(storage, "a.txt") == b"old"
    assert file.closed


def test_a_file_that_appeared_is_not_clobbered_by_an_exclusive_one(
    storage: DatabaseStorage,
) -> None:
    file = storage.open("a.txt", "xb")
    storage.save("a.txt", b"first")
    with pytest.raises(FileExistsError):
        file.close()
    assert read(storage, "a.txt") == b"first"


@pytest.mark.parametrize("mode", ["r+b", "ab"])
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "replaced"])
def test_an_update_is_of_the_content_that_was_opened(
    storage: DatabaseStorage,
    mode: str,
    deleted: bool,  # noqa: FBT001
) -> None:
    storage.save("a.txt", b"old")
    file = storage.open("a.txt", mode)
    file.write(b"mine")
    storage.delete("a.txt")
    if not deleted:
        storage.save("a.txt", b"theirs")
    with pytest.raises(FileChanged):
        file.close()
    assert storage.exists("a.txt") is not deleted


def test_a_written_file_replaces_whatever_is_there(storage: DatabaseStorage) -> None:
    file = storage.open("a.txt", "wb")
    file.write(b"mine")
    storage.save("a.txt", b"theirs")
    file.close()
    assert read(storage, "a.txt") == b"mine"


def test_nothing_is_written_below_a_file(storage: DatabaseStorage) -> None:
    storage.save("a", b"content")
    file = storage.open("a/b", "wb")
    with pytest.raises(FileExistsError):
        file.close()
    assert storage.listdir("") == ([], ["a"])


def test_temporary_files_are_made_in_the_upload_directory_and_removed(
    storage: DatabaseStorage, settings: Settings, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    with storage.open("a.txt", "wb"):
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())


def test_a_content_with_missing_rows_is_not_opened_for_an_update(
    storage: DatabaseStorage, database: str, settings: Settings, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    storage.save("a.bin", LARGE)
    StoredFile.rows.using(database).filter(position=2).delete()
    with pytest.raises(ContentVanished):
        storage.open("a.bin", "r+b")
    assert not list(tmp_path.iterdir())


# An exception keeps the old content


class Broken(Exception):
    """What goes wrong in somebody's code."""


def written_and_broken(file: Any, error: Exception | None = None) -> None:
    with file:
        file.write(b"half of the n")
        raise error or Broken


@pytest.mark.parametrize("mode", ["wb", "ab", "rb+", "w+b"])
def test_an_exception_keeps_the_old_content(storage: DatabaseStorage, mode: str) -> None:
    storage.save("a.txt", b"old")
    with pytest.raises(Broken):
        written_and_broken(storage.open("a.txt", mode))
    assert read(storage, "a.txt") == b"old"


@pytest.mark.parametrize("mode", ["wb", "xb", "ab"])
def test_an_exception_makes_no_new_file(storage: DatabaseStorage, mode: str) -> None:
    with pytest.raises(Broken):
        written_and_broken(storage.open("a.txt", mode))
    assert not storage.exists("a.txt")


def test_an_exception_in_a_model_instances_file_keeps_the_old_content(
    storage: DatabaseStorage,
) -> None:
    storage.save("a.txt", b"old")
    with pytest.raises(Broken):
        written_and_broken(field_file(storage, "a.txt").open("wb"))
    assert read(storage, "a.txt") == b"old"


def test_an_exception_while_another_is_handled_keeps_the_old_content(
    storage: DatabaseStorage,
) -> None:
    storage.save("a.txt", b"old")
    try:
        raise LookupError
    except LookupError:
        with pytest.raises(Broken):
            written_and_broken(field_file(storage, "a.txt").open("wb"))
    assert read(storage, "a.txt") == b"old"


def test_an_exception_raised_again_keeps_the_old_content(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"old")
    try:
        raise LookupError
    except LookupError as error:
        with pytest.raises(LookupError):
            written_and_broken(storage.open("a.txt", "wb"), error)
    assert read(storage, "a.txt") == b"old"


def test_a_file_written_entirely_in_an_except_block_is_saved(
    storage: DatabaseStorage,
) -> None:
    try:
        raise LookupError
    except LookupError:
        with storage.open("a.txt", "wb") as file:
            file.write(b"one")
        with field_file(storage, "b.txt").open("wb") as file:
            file.write(b"two")
        file = storage.open("c.txt", "wb")
        file.write(b"three")
        file.close()
    assert [read(storage, name) for name in ("a.txt", "b.txt", "c.txt")] == [
        b"one",
        b"two",
        b"three",
    ]


def test_an_exception_that_was_dealt_with_inside_does_not_count(storage: DatabaseStorage) -> None:
    with field_file(storage, "a.txt").open("wb") as file:
        try:
            raise LookupError
        except LookupError:
            file.write(b"content")
    assert read(storage, "a.txt") == b"content"


def test_a_file_of_a_failed_block_can_be_written_again(storage: DatabaseStorage) -> None:
    file = storage.open("a.txt", "wb")
    with pytest.raises(Broken):
        written_and_broken(file)
    with file.open() as again:
        again.write(b"whole")
    assert read(storage, "a.txt") == b"whole"


# Through a model's FileField


def test_a_model_instances_file_is_saved_read_and_deleted(storage: DatabaseStorage) -> None:
    file = field_file(storage, None)
    file.save("a.txt", ContentFile(LARGE), save=False)
    assert (file.name, file.size) == ("a.txt", len(LARGE))
    with file.open() as opened:
        assert opened.read() == LARGE
    file.delete(save=False)
    assert not storage.exists("a.txt")


def test_a_model_instances_file_is_written_and_read_again(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"old")
    file = field_file(storage, "a.txt")
    for word in (b"one", b"two"):
        with file.open("wb") as opened:
            opened.write(word)
        with file.open("rb") as opened:
            assert opened.read() == word
    with file.open("ab") as opened:
        opened.write(b", three")
    assert read(storage, "a.txt") == b"two, three"


def test_appending_to_a_missing_file_replaces_no_file_created_meanwhile(
    storage: DatabaseStorage,
) -> None:
    handle = storage.open("new.txt", "ab")
    handle.write(b"mine")
    storage.save("new.txt", b"theirs")
    with pytest.raises(FileExistsError):
        handle.close()
    assert read(storage, "new.txt") == b"theirs"


def test_content_dropped_for_an_unrelated_exception_is_logged(
    storage: DatabaseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    handle = storage.open("a.txt", "wb")
    handle.write(b"written")
    try:
        raise KeyError("unrelated")
    except KeyError:
        handle.close()
    assert not storage.exists("a.txt")
    assert "written to 'a.txt' was dropped: KeyError('unrelated')" in caplog.text


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up", "ignore:unclosed file")
@pytest.mark.parametrize("mode", ["w", "wb", "ab", "x", "r+"])
def test_a_file_that_is_never_closed_is_logged(
    storage: DatabaseStorage, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    if mode == "r+":
        storage.save("a.txt", b"old")
    handle = storage.open("a.txt", mode)
    handle.write(b"new" if "b" in mode else "new")
    del handle
    gc.collect()
    (record,) = caplog.records
    assert record.name == "secure_dbstorage.storage"
    assert record.getMessage() == (
        "'a.txt' was opened for writing and never closed: what was written is lost"
    )
    assert storage.exists("a.txt") == (mode == "r+")


def test_a_file_that_is_closed_discarded_or_only_read_is_not_called_unclosed(
    storage: DatabaseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    with storage.open("a.txt", "w") as handle:
        handle.write("written")
    with suppress(Broken), storage.open("a.txt", "w"):
        raise Broken
    handle = storage.open("a.txt")
    del handle
    gc.collect()
    assert caplog.records == []


def test_a_file_that_is_open_when_the_process_exits_is_logged(tmp_path: Path) -> None:
    script = (
        "import django; from django.conf import settings; settings.configure("
        "INSTALLED_APPS=['secure_dbstorage'], SECRET_KEY='k' * 50, DATABASES={'default': "
        "{'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}); django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from secure_dbstorage.storage import DatabaseStorage\n"
        "handle = DatabaseStorage().open('a.txt', 'w')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )
    assert "'a.txt' was opened for writing and never closed" in ended.stderr


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_chunks_are_rows_and_reading_goes_on_behind_the_last_one(storage: DatabaseStorage) -> None:
    content = LARGE
    with storage.open(storage.save("a.bin", ContentFile(content))) as file:
        file.read(10)
        chunks = file.chunks()
        assert next(chunks) == content[:CHUNK_SIZE]
        assert file.tell() == CHUNK_SIZE
        assert file.read(5) == content[CHUNK_SIZE : CHUNK_SIZE + 5]
        assert b"".join(file.chunks()) == content
        assert file.read() == b""
    with pytest.raises(ValueError, match="closed"):
        next(file.chunks())


def test_chunks_of_a_large_file_come_two_mebibytes_a_query(database: str) -> None:
    storage = DatabaseStorage(using=database)
    data = bytes(range(256)) * 4096 * 3
    storage.save("a.bin", data)
    with CaptureQueriesContext(connections[database]) as asked, storage.open("a.bin") as file:
        assert b"".join(file.chunks()) == data
    assert len(asked) == 3
