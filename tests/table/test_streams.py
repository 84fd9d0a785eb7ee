"""Content becomes rows and rows become content, on every database."""

import hashlib
import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations_with_replacement

import pytest
from django.db import connections, transaction
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from secure_dbstorage.exceptions import ContentVanished, FileTooLarge
from secure_dbstorage.files import Content
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import streams
from tests.support.aliases import added_alias
from tests.support.uploads import begin_upload

DATA = bytes(range(53))

#: Around the borders of rows that hold ten bytes.
POSITIONS = [0, 1, 9, 10, 11, 19, 20, 29, 30, 40, 49, 50, 51, 52, 53]


def save(using: str, pieces: Iterable[bytes | str] = (DATA,), chunk_size: int = 10) -> Content:
    """Write content with its first chunk in a first row, as a head row would hold it."""
    written = streams.write(pieces, using=using, chunk_size=chunk_size, max_size=None)
    content = written.content
    begin_upload(using, key=content.key, size=content.size, data=written.first_chunk)
    return content


def rows(content: Content) -> list[bytes]:
    found = StoredFile.rows.using(content.using).filter(content=content.key).order_by("position")
    return [bytes(data) for data in found.values_list("data", flat=True)]


def write(
    using: str, pieces: Iterable[bytes | str], chunk_size: int = 10, max_size: int | None = None
) -> streams.Written:
    return streams.write(pieces, using=using, chunk_size=chunk_size, max_size=max_size)


# Writing


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 21, 53])
@pytest.mark.parametrize("piece", [1, 7, 10, 25, 100])
def test_content_is_cut_into_rows_of_one_length(database: str, size: int, piece: int) -> None:
    pieces = [DATA[start : min(start + piece, size)] for start in range(0, size, piece)]
    content = save(database, pieces)
    assert rows(content) == [DATA[n : min(n + 10, size)] for n in range(0, max(size, 1), 10)]
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
    assert b"".join(rows(written.content)) == data


def test_text_is_written_as_utf_8(database: str) -> None:
    assert b"".join(rows(save(database, ["grün ", "日本語"]))) == "grün 日本語".encode()


@pytest.mark.parametrize("pieces", [[bytearray(DATA)], [memoryview(DATA)]])
def test_whatever_holds_bytes_is_written(database: str, pieces: Iterable[bytes]) -> None:
    assert b"".join(rows(save(database, pieces))) == DATA


def test_every_byte_survives(database: str) -> None:
    data = bytes(range(256)) + b"%s {} \\x00 '; --" + b"\\" * 3 + b"\x00\xff\r\n"
    content = save(database, [data], chunk_size=100)
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


# Reading


def test_every_part_of_a_content_is_read(database: str) -> None:
    content = save(database)
    for start, stop in combinations_with_replacement(POSITIONS, 2):
        read = b"".join(streams.read(content, start=start, stop=stop))
        assert read == DATA[start:stop], (start, stop)


def test_a_known_first_chunk_is_not_fetched_again(database: str) -> None:
    content = save(database)
    with CaptureQueriesContext(connections[database]) as queries:
        pieces = list(streams.read(content, stop=10, first_chunk=DATA[:10]))
    assert (pieces, len(queries)) == ([DATA[:10]], 0)


@pytest.mark.parametrize(("start", "stop"), [(0, 53), (0, 4), (3, 8), (3, 25), (10, 53), (35, 53)])
def test_a_known_first_chunk_changes_nothing(database: str, start: int, stop: int) -> None:
    pieces = streams.read(save(database), start=start, stop=stop, first_chunk=DATA[:10])
    assert b"".join(pieces) == DATA[start:stop]


def test_nothing_is_read_of_empty_content(database: str) -> None:
    content = save(database, [])
    assert list(streams.read(content)) == []
    assert list(streams.read(content, first_chunk=b"")) == []


@pytest.mark.parametrize("size", [600, 1024, 2048])
def test_a_file_of_two_mebibytes_takes_one_query_behind_its_head(database: str, size: int) -> None:
    chunk = 255 * 1024
    content = save(database, [b"x" * size * 1024], chunk_size=chunk)
    with CaptureQueriesContext(connections[database]) as queries:
        pieces = list(streams.read(content, first_chunk=b"x" * chunk))
    assert len(queries) == 1
    assert sum(map(len, pieces)) == size * 1024


def test_a_reader_in_a_crowd_says_how_many_rows_it_wants(database: str) -> None:
    content = save(database)
    wanted = iter([1, 3, 1, 1])
    sending = streams.Sending(rows_wanted=lambda: next(wanted))
    with CaptureQueriesContext(connections[database]) as queries:
        asked = [
            sum("position" in query["sql"] for query in queries.captured_queries)
            for _ in streams.read(content, sending=sending)
        ]
    assert asked == [1, 2, 2, 2, 3, 4]


def test_queries_grow_to_two_mebibytes(database: str) -> None:
    chunk = 255 * 1024
    content = save(database, [b"x" * chunk] * 25, chunk_size=chunk)
    asked = []
    with CaptureQueriesContext(connections[database]) as queries:
        for piece in streams.read(content):
            assert len(piece) == chunk
            asked.append(len(queries))
    assert asked == [1, 2, 2, *[3] * 4, *[4] * 8, *[5] * 8, 6, 6]


def test_rows_over_two_mebibytes_are_read_one_by_one(database: str) -> None:
    chunk = 3 * 2**20
    content = save(database, [b"x" * chunk] * 2, chunk_size=chunk)
    assert [len(piece) for piece in streams.read(content)] == [chunk, chunk]


def test_a_part_of_a_row_is_one_short_piece(database: str) -> None:
    content = save(database)
    assert list(streams.read(content, start=12, stop=17)) == [DATA[12:17]]


def test_nothing_is_asked_before_the_first_piece(database: str) -> None:
    content = save(database)
    with CaptureQueriesContext(connections[database]) as queries:
        streams.read(content)
    assert len(queries) == 0


# Vanishing


@pytest.mark.parametrize(
    ("position", "before"), [(0, b""), (1, DATA[:10]), (3, DATA[:30]), (5, DATA[:30])]
)
def test_a_missing_row_is_an_error_after_the_pieces_before_it(
    database: str, position: int, before: bytes
) -> None:
    content = save(database)
    StoredFile.rows.using(database).filter(content=content.key, position=position).delete()
    lengths = iter([1, 2, 4])
    pieces = streams.read(content, sending=streams.Sending(rows_wanted=lambda: next(lengths)))
    read = b"".join(next(pieces) for _ in range(len(before) // 10))
    assert read == before
    with pytest.raises(ContentVanished):
        next(pieces)


@pytest.mark.parametrize(("start", "stop"), [(12, 17), (50, 53), (51, 53), (0, 5)])
def test_a_part_of_a_missing_row_is_an_error(database: str, start: int, stop: int) -> None:
    content = save(database)
    streams.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content, start=start, stop=stop))


def test_vanished_content_is_an_oserror(database: str) -> None:
    content = save(database)
    streams.delete(content.key, using=database)
    with pytest.raises(OSError, match="while it was being read"):
        list(streams.read(content))


def test_deleting_takes_all_rows_of_a_content_and_no_other(database: str) -> None:
    gone, kept = save(database), save(database)
    streams.delete(gone.key, using=database)
    assert rows(gone) == []
    assert b"".join(streams.read(kept)) == DATA


def test_deleting_loads_nothing(database: str) -> None:
    content = save(database)

    def receiver(**_: object) -> None:
        raise AssertionError("The rows were loaded")

    post_delete.connect(receiver)
    try:
        with CaptureQueriesContext(connections[database]) as queries:
            streams.delete(content.key, using=database)
    finally:
        post_delete.disconnect(receiver)
    assert len(queries) == 1


# Nothing is held between pieces


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_no_transaction_is_open_between_pieces(database: str) -> None:
    with transaction.atomic(using=database):
        content = save(database)
    pieces = streams.read(content, sending=streams.Sending())
    next(pieces)
    driver = connections[database].connection
    assert driver is not None
    assert driver.info.transaction_status == TransactionStatus.IDLE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sending", [None, streams.Sending()], ids=["open", "response"])
def test_without_a_pool_the_connection_is_kept(
    database: str, sending: streams.Sending | None
) -> None:
    content = save(database)
    driver = connections[database].connection
    assert b"".join(streams.read(content, sending=sending)) == DATA
    assert connections[database].connection is driver


@pytest.mark.django_db(transaction=True)
def test_an_error_in_a_response_gives_the_connection_back(database: str) -> None:
    content = save(database)
    streams.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content, sending=streams.Sending()))
    assert connections[database].connection is None


@pytest.mark.django_db(transaction=True)
def test_an_error_elsewhere_leaves_the_connection_to_the_caller(database: str) -> None:
    content = save(database)
    streams.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content))
    assert connections[database].connection is not None


def test_an_error_in_the_callers_transaction_leaves_it_the_connection(database: str) -> None:
    content = save(database)
    streams.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content, sending=streams.Sending()))
    assert connections[database].connection is not None
    assert StoredFile.rows.using(database).count() == 0


def test_a_save_reads_no_more_than_it_writes(database: str) -> None:
    source = io.BytesIO(b"x" * 1_000_000)
    taken = []

    class Watched:
        def read(self, size: int) -> bytes:
            taken.append(size)
            return source.read(size)

    DatabaseStorage(using=database).save("a.bin", Watched())
    assert max(taken) <= 2**20


@pytest.fixture
def pooled(database: str) -> Iterator[Content]:
    """Return content behind an alias whose pool has one connection."""
    options = {"pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    content = save(database)
    with added_alias("pooled", like=database, OPTIONS=options) as connection:
        yield replace(content, using=connection.alias)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
class TestPool:
    """Django's psycopg pool gets its connection back whenever a reader may be slow."""

    def test_nothing_is_held_between_two_pieces(self, pooled: Content) -> None:
        for piece in streams.read(pooled, sending=streams.Sending()):
            assert piece
            assert connections[pooled.using].connection is None

    def test_a_handles_reader_keeps_the_connection(self, pooled: Content) -> None:
        next(streams.read(pooled))
        assert connections[pooled.using].connection is not None

    def test_an_error_gives_the_connection_back(self, pooled: Content) -> None:
        streams.delete(pooled.key, using=pooled.using)
        for _ in range(3):
            with pytest.raises(ContentVanished):
                list(streams.read(pooled, sending=streams.Sending()))
            assert connections[pooled.using].connection is None

    def test_the_callers_transaction_keeps_the_connection(self, pooled: Content) -> None:
        with transaction.atomic(using=pooled.using):
            assert b"".join(streams.read(pooled, sending=streams.Sending())) == DATA
            streams.release(pooled.using)
            assert connections[pooled.using].connection is not None

    def test_a_pooled_connection_is_given_back_on_demand(self, pooled: Content) -> None:
        next(streams.read(pooled))
        streams.release(pooled.using)
        assert connections[pooled.using].connection is None


@pytest.mark.django_db(transaction=True)
def test_a_connection_without_a_pool_is_not_given_back(database: str) -> None:
    connections[database].ensure_connection()
    streams.release(database)
    assert connections[database].connection is not None
