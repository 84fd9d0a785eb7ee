"""Content becomes rows, on every database."""

import hashlib
import io
import random
from collections.abc import Iterable, Iterator

import pytest
from django.db import connections
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.exceptions import FileTooLarge
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import chunks, streams
from tests.support.contents import DATA, rows_of, save_content
from tests.support.uploads import begin_upload


def write(
    using: str, pieces: Iterable[bytes | str], chunk_size: int = 10, max_size: int | None = None
) -> chunks.Written:
    return chunks.write(pieces, using=using, chunk_size=chunk_size, max_size=max_size)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 21, 53])
@pytest.mark.parametrize("piece", [1, 7, 10, 25, 100])
def test_content_is_cut_into_rows_of_one_length(database: str, size: int, piece: int) -> None:
    pieces = [DATA[start : min(start + piece, size)] for start in range(0, size, piece)]
    content = save_content(database, pieces)
    assert rows_of(content) == [DATA[n : min(n + 10, size)] for n in range(0, max(size, 1), 10)]
    assert content.size == size


def test_the_first_chunk_is_left_to_the_head_row(database: str) -> None:
    written = write(database, [DATA])
    assert written.first_chunk == DATA[:10]
    positions = StoredFile.rows.using(database).values_list("position", flat=True)
    assert sorted(positions) == [1, 2, 3, 4, 5]


def test_content_is_hashed_once(database: str) -> None:
    written = write(database, [DATA[:17], DATA[17:]])
    assert written.sha256 == hashlib.sha256(DATA).hexdigest()


def test_no_content_has_an_empty_first_chunk(database: str) -> None:
    written = write(database, [])
    assert (written.first_chunk, written.content.size) == (b"", 0)
    assert written.sha256 == hashlib.sha256().hexdigest()


@pytest.mark.parametrize(
    ("chunk_size", "chunks", "statements"),
    [
        (255 * 1024, 1, []),
        (255 * 1024, 2, [1]),
        (255 * 1024, 5, [4]),
        (255 * 1024, 6, [4, 1]),
        (255 * 1024, 9, [4, 4]),
        (4 * 1024, 256, [255]),
        (4 * 1024, 257 + 256, [256, 256]),
        (600 * 1024, 3, [1, 1]),
        (4 * 1024 * 1024, 3, [1, 1]),
    ],
)
def test_a_statement_carries_a_mebibyte_or_one_row(
    database: str, chunk_size: int, chunks: int, statements: list[int]
) -> None:
    data = random.Random(chunks).randbytes(chunk_size * chunks - 1)
    with CaptureQueriesContext(connections[database]) as queries:
        written = write(database, [data], chunk_size=chunk_size)
    assert [query["sql"].count(" bytes>") for query in queries] == statements
    begin_upload(database, key=written.content.key, data=written.first_chunk)
    assert b"".join(rows_of(written.content)) == data


def test_text_is_written_as_utf_8(database: str) -> None:
    assert b"".join(rows_of(save_content(database, ["grün ", "日本語"]))) == "grün 日本語".encode()


@pytest.mark.parametrize("pieces", [[bytearray(DATA)], [memoryview(DATA)]])
def test_whatever_holds_bytes_is_written(database: str, pieces: Iterable[bytes]) -> None:
    assert b"".join(rows_of(save_content(database, pieces))) == DATA


def test_every_byte_survives(database: str) -> None:
    data = bytes(range(256)) + b"%s {} \\x00 '; --" + b"\\" * 3 + b"\x00\xff\r\n"
    content = save_content(database, [data], chunk_size=100)
    assert b"".join(streams.read(content)) == data


def test_content_may_have_max_size(database: str) -> None:
    assert write(database, [DATA], max_size=53).content.size == 53


def test_content_over_max_size_stops_as_soon_as_it_is(database: str) -> None:
    given = []

    def endless() -> Iterator[bytes]:
        while True:
            given.append(1)
            yield b"x" * 10

    with pytest.raises(FileTooLarge, match="larger than 25 bytes"):
        write(database, endless(), max_size=25)
    assert len(given) == 3


def test_two_saves_never_share_a_key(database: str) -> None:
    keys = {write(database, [DATA]).content.key for _ in range(20)}
    assert len(keys) == 20
    assert all(0 <= key < 2**62 for key in keys)


def test_deleting_takes_all_rows_of_a_content_and_no_other(database: str) -> None:
    gone, kept = save_content(database), save_content(database)
    chunks.delete(gone.key, using=database)
    assert rows_of(gone) == []
    assert b"".join(streams.read(kept)) == DATA


def test_deleting_loads_nothing(database: str) -> None:
    content = save_content(database)

    def receiver(**_: object) -> None:
        raise AssertionError("The rows were loaded")

    post_delete.connect(receiver)
    try:
        with CaptureQueriesContext(connections[database]) as queries:
            chunks.delete(content.key, using=database)
    finally:
        post_delete.disconnect(receiver)
    assert len(queries) == 1


def test_a_save_reads_no_more_than_it_writes(database: str) -> None:
    source = io.BytesIO(b"x" * 1_000_000)
    taken = []

    class Watched:
        def read(self, size: int) -> bytes:
            taken.append(size)
            return source.read(size)

    DatabaseStorage(using=database).save("a.bin", Watched())
    assert max(taken) <= 2**20
