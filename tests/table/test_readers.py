"""Readers give any part of a content, and fetch nothing twice."""

import io
from collections.abc import Iterator

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.exceptions import ContentVanished
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import readers, streams
from tests.support.files import CHUNK_SIZE, LARGE, read


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)


def test_a_file_is_read_from_anywhere(storage: DatabaseStorage) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        for position in (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 5, len(LARGE) - 1):
            for length in (0, 1, 100, CHUNK_SIZE, CHUNK_SIZE + 1, -1):
                file.seek(position)
                stop = None if length < 0 else position + length
                assert file.read(length) == LARGE[position:stop]


def test_a_file_is_sought_from_its_end_and_from_here(storage: DatabaseStorage) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        assert file.seek(-5000, io.SEEK_END) == len(LARGE) - 5000
        assert file.read(10) == LARGE[-5000:-4990]
        assert file.seek(-4096, io.SEEK_CUR) == file.tell() == len(LARGE) - 5000 + 10 - 4096
        assert file.read() == LARGE[-9086:]


@pytest.mark.parametrize("whence", [3, 4])  # For data or a hole, where a system has them.
def test_a_file_is_not_sought_from_where_only_disks_know(
    storage: DatabaseStorage, whence: int
) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        file.read(10)
        with pytest.raises(ValueError, match="unsupported"):
            file.seek(0, whence)
        assert file.read(10) == LARGE[10:20]


def test_lines_cross_the_borders_of_rows(storage: DatabaseStorage) -> None:
    lines = [b"x" * length + b"\n" for length in (10, 4085, 4095, 4096, 9000, 0, 1)]
    storage.save("a.txt", b"".join(lines))
    with storage.open("a.txt") as file:
        assert file.readlines() == lines
        assert list(file) == lines


def test_reading_on_fetches_no_row_twice(storage: DatabaseStorage, database: str) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file, CaptureQueriesContext(connections[database]) as queries:
        while file.read(1000):
            pass
    assert len(queries) == 1  # The first row came when the file was opened.


def test_seeking_within_fetched_bytes_makes_no_query(
    storage: DatabaseStorage, database: str
) -> None:
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        file.read(1000)
        with CaptureQueriesContext(connections[database]) as queries:
            file.seek(0)
            assert file.read(2000) == LARGE[:2000]
    assert len(queries) == 0


@pytest.mark.parametrize("position", [0, 1, CHUNK_SIZE, 3 * CHUNK_SIZE + 5, 100 * CHUNK_SIZE])
@pytest.mark.parametrize("most_joined", [0, streams.MAX_RUN_BYTES], ids=["large", "small"])
def test_the_rest_is_read_at_once(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch, position: int, most_joined: int
) -> None:
    monkeypatch.setattr(streams, "MAX_RUN_BYTES", most_joined)
    content = bytes(range(251)) * (4 * CHUNK_SIZE // 251)
    storage.save("a.bin", content)
    with storage.open("a.bin") as file:
        file.read(7)
        file.seek(position)
        assert file.read() == content[position:]
        assert file.read() == b""
        file.seek(2)
        assert file.read(3) == content[2:5]


@pytest.mark.parametrize(
    ("database", "queries"),
    [("sqlite", 2), ("mariadb", 2), ("postgres", 3)],
    indirect=["database"],
)
def test_a_large_file_is_read_whole_by_few_queries(database: str, queries: int) -> None:
    storage = DatabaseStorage(using=database)
    data = bytes(range(256)) * 4096 * 3
    storage.save("a.bin", data)
    with CaptureQueriesContext(connections[database]) as asked:
        assert read(storage, "a.bin") == data
    assert len(asked) == queries


@pytest.mark.parametrize("position", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1])
def test_a_whole_read_of_missing_rows_is_an_error_that_leaves_the_connection_usable(
    storage: DatabaseStorage, database: str, position: int
) -> None:
    storage.save("a.bin", LARGE)
    StoredFile.rows.using(database).filter(position=2).delete()
    with storage.open("a.bin") as file:
        file.seek(position)
        with pytest.raises(ContentVanished):
            file.read()
    assert storage.size("a.bin") == len(LARGE)


def test_a_whole_read_that_breaks_off_leaves_the_connection_usable(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(pieces: Iterator[bytes], length: int) -> bytes:
        next(pieces), next(pieces)  # The second one is not in the head row.
        raise MemoryError

    storage.save("a.bin", LARGE)
    monkeypatch.setattr(readers, "_joined", broken)
    with storage.open("a.bin") as file:
        try:
            file.read()
        except MemoryError:  # Its traceback holds all that was open.
            assert storage.exists("a.bin")
        else:
            pytest.fail("Nothing broke off")
