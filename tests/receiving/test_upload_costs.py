"""What an upload costs the database: its statements, and the bytes that are read again."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.models import USE_MARK_POSITION
from secure_dbstorage.storage import DatabaseStorage
from tests.support.uploads import Uploader

pytestmark = pytest.mark.django_db

MIB = 1024 * 1024
READING = re.compile(r'^SELECT "data"')


@pytest.fixture
def storage() -> DatabaseStorage:
    """Return a storage with rows as large as they are without options."""
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage


@contextmanager
def statements() -> Iterator[list[str]]:
    """Yield the list of what the database is asked meanwhile, in the end."""
    asked: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield asked
    asked += [query["sql"] for query in captured.captured_queries]


def words(asked: list[str]) -> list[str]:
    return [statement.split()[0] for statement in asked]


def test_a_whole_piece_is_one_transaction(storage: DatabaseStorage, uploader: Uploader) -> None:
    """A commit may take as long as a disk needs to write."""
    place = uploader.begun(storage.upload_url(prefix="in", max_size=9 * MIB), 9 * MIB)
    assert uploader.patch(place, 0, bytes(MIB)).status_code == 204
    with statements() as asked:
        assert uploader.patch(place, MIB, bytes(4 * MIB)).status_code == 204
    # It asks where the upload is, holds it, and lets its last row grow, which has to be read.
    first = ["SELECT", "SAVEPOINT", "UPDATE", "SELECT", "UPDATE"]
    assert words(asked) == [*first, *["INSERT"] * 4, "RELEASE"]


@pytest.mark.parametrize("size", [9, 3 * MIB])
def test_what_comes_in_one_request_is_not_read_again(
    storage: DatabaseStorage, uploader: Uploader, size: int
) -> None:
    data = bytes(size)
    with statements() as asked:
        assert uploader.put(storage.upload_url("a.bin", max_size=size), data).status_code == 201
    assert not list(filter(READING.search, asked))
    link = storage.upload_url(prefix="in", max_size=size)
    place = uploader.begun(link, size)
    with statements() as asked:
        assert uploader.patch(place, 0, data).status_code == 204
    assert not list(filter(READING.search, asked))
    with statements() as asked:
        uploader.sent(link, data)
    assert not list(filter(READING.search, asked))


def test_what_comes_in_pieces_is_read_once(storage: DatabaseStorage, uploader: Uploader) -> None:
    place = uploader.begun(storage.upload_url(prefix="in", max_size=3 * MIB), 3 * MIB)
    for offset in range(2):
        assert uploader.patch(place, offset * MIB, bytes(MIB)).status_code == 204
    with statements() as asked:
        assert uploader.patch(place, 2 * MIB, bytes(MIB)).status_code == 204
    # The last row, to let it grow, and then the whole of it in runs of 1, 2, 4 and 8 rows.
    assert len(list(filter(READING.search, asked))) == 5


@pytest.mark.parametrize(("size", "count"), [(3 * MIB, 0), (5 * MIB, 5)])
def test_only_who_reads_much_takes_a_turn(
    storage: DatabaseStorage, uploader: Uploader, size: int, count: int
) -> None:
    place = uploader.begun(storage.upload_url("a.bin", max_size=size), size)
    assert uploader.patch(place, 0, bytes(size - 9)).status_code == 204
    with statements() as asked:
        assert uploader.patch(place, size - 9, bytes(9)).status_code == 204
    turn = [each for each in asked if str(USE_MARK_POSITION) in each]
    assert len(turn) == count


@pytest.mark.parametrize("size", [0, 9, MIB])
def test_what_one_request_brings_is_written_like_a_save(
    storage: DatabaseStorage, uploader: Uploader, size: int
) -> None:
    """Once the name is known to be free: one transaction, no row twice, none without a name."""
    data = bytes(size)
    with statements() as asked:
        storage.save("saved.bin", ContentFile(data))
    saved = ["SAVEPOINT", *["INSERT"] * (2 if size == MIB else 1), "RELEASE"]
    assert words(asked) == ["SELECT", *saved]
    with statements() as asked:
        assert uploader.put(storage.upload_url("put.bin", max_size=MIB), data).status_code == 201
    assert words(asked) == ["SELECT", "SELECT", *saved]
    link = storage.upload_url("post.bin", max_size=MIB)
    with statements() as asked:
        assert uploader.create(link, size, data).status_code == 201
    if size:  # An empty body is as good as none.
        assert words(asked) == ["SELECT", *saved]


def test_a_whole_upload_in_one_patch_is_one_transaction(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    place = uploader.begun(storage.upload_url("a.bin", max_size=MIB), MIB)
    with statements() as asked:
        assert uploader.patch(place, 0, bytes(MIB)).status_code == 204
    # The first row is written once, with the name.
    naming = ["SAVEPOINT", "UPDATE", "RELEASE"]
    assert words(asked) == ["SELECT", "SAVEPOINT", "INSERT", *naming, "RELEASE"]


@pytest.mark.parametrize(("size", "times"), [(100_000, 0), (4 * MIB, 1)])
def test_a_connection_keeps_nothing_of_a_large_piece(
    storage: DatabaseStorage, uploader: Uploader, size: int, times: int
) -> None:
    place = uploader.begun(storage.upload_url(prefix="in", max_size=9 * MIB), 9 * MIB)
    asked: list[str] = []
    connection.connection.set_trace_callback(asked.append)
    try:
        assert uploader.patch(place, 0, bytes(size)).status_code == 204
    finally:
        connection.connection.set_trace_callback(None)
    assert asked.count("PRAGMA shrink_memory") == times
