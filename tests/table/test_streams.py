"""Rows become content, on every database."""

from collections.abc import Iterator
from itertools import combinations_with_replacement

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from secure_dbstorage.exceptions import ContentVanished
from secure_dbstorage.files.contents import Content
from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import chunks, lending, streams
from tests.support.aliases import added_alias
from tests.support.contents import DATA, save_content

#: Around the borders of rows that hold ten bytes.
POSITIONS = [0, 1, 9, 10, 11, 19, 20, 29, 30, 40, 49, 50, 51, 52, 53]


def test_every_part_of_a_content_is_read(database: str) -> None:
    content = save_content(database)
    for start, stop in combinations_with_replacement(POSITIONS, 2):
        read = b"".join(streams.read(content, start=start, stop=stop))
        assert read == DATA[start:stop], (start, stop)


def test_a_known_first_chunk_is_not_fetched_again(database: str) -> None:
    content = save_content(database)
    with CaptureQueriesContext(connections[database]) as queries:
        pieces = list(streams.read(content, stop=10, first_chunk=DATA[:10]))
    assert (pieces, len(queries)) == ([DATA[:10]], 0)


@pytest.mark.parametrize(("start", "stop"), [(0, 53), (0, 4), (3, 8), (3, 25), (10, 53), (35, 53)])
def test_a_known_first_chunk_changes_nothing(database: str, start: int, stop: int) -> None:
    pieces = streams.read(save_content(database), start=start, stop=stop, first_chunk=DATA[:10])
    assert b"".join(pieces) == DATA[start:stop]


def test_nothing_is_read_of_empty_content(database: str) -> None:
    content = save_content(database, [])
    assert list(streams.read(content)) == []
    assert list(streams.read(content, first_chunk=b"")) == []


@pytest.mark.parametrize("size", [600, 1024, 2048])
def test_a_file_of_two_mebibytes_takes_one_query_behind_its_head(database: str, size: int) -> None:
    chunk = 255 * 1024
    content = save_content(database, [b"x" * size * 1024], chunk_size=chunk)
    with CaptureQueriesContext(connections[database]) as queries:
        pieces = list(streams.read(content, first_chunk=b"x" * chunk))
    assert len(queries) == 1
    assert sum(map(len, pieces)) == size * 1024


def test_a_reader_in_a_crowd_says_how_many_rows_it_wants(database: str) -> None:
    content = save_content(database)
    wanted = iter([1, 3, 1, 1])
    sending = lending.Sending(rows_wanted=lambda: next(wanted))
    with CaptureQueriesContext(connections[database]) as queries:
        asked = [
            sum("position" in query["sql"] for query in queries.captured_queries)
            for _ in streams.read(content, sending=sending)
        ]
    assert asked == [1, 2, 2, 2, 3, 4]


def test_queries_grow_to_two_mebibytes(database: str) -> None:
    chunk = 255 * 1024
    content = save_content(database, [b"x" * chunk] * 25, chunk_size=chunk)
    asked = []
    with CaptureQueriesContext(connections[database]) as queries:
        for piece in streams.read(content):
            assert len(piece) == chunk
            asked.append(len(queries))
    assert asked == [1, 2, 2, *[3] * 4, *[4] * 8, *[5] * 8, 6, 6]


def test_rows_over_two_mebibytes_are_read_one_by_one(database: str) -> None:
    chunk = 3 * 2**20
    content = save_content(database, [b"x" * chunk] * 2, chunk_size=chunk)
    assert [len(piece) for piece in streams.read(content)] == [chunk, chunk]


def test_a_part_of_a_row_is_one_short_piece(database: str) -> None:
    content = save_content(database)
    assert list(streams.read(content, start=12, stop=17)) == [DATA[12:17]]


def test_nothing_is_asked_before_the_first_piece(database: str) -> None:
    content = save_content(database)
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
    content = save_content(database)
    StoredFile.rows.using(database).filter(content=content.key, position=position).delete()
    lengths = iter([1, 2, 4])
    pieces = streams.read(content, sending=lending.Sending(rows_wanted=lambda: next(lengths)))
    read = b"".join(next(pieces) for _ in range(len(before) // 10))
    assert read == before
    with pytest.raises(ContentVanished):
        next(pieces)


@pytest.mark.parametrize(("start", "stop"), [(12, 17), (50, 53), (51, 53), (0, 5)])
def test_a_part_of_a_missing_row_is_an_error(database: str, start: int, stop: int) -> None:
    content = save_content(database)
    chunks.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content, start=start, stop=stop))


def test_vanished_content_is_an_oserror(database: str) -> None:
    content = save_content(database)
    chunks.delete(content.key, using=database)
    with pytest.raises(OSError, match="while it was being read"):
        list(streams.read(content))


# Nothing is held between pieces


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_no_transaction_is_open_between_pieces(database: str) -> None:
    with transaction.atomic(using=database):
        content = save_content(database)
    pieces = streams.read(content, sending=lending.Sending())
    next(pieces)
    driver = connections[database].connection
    assert driver is not None
    assert driver.info.transaction_status == TransactionStatus.IDLE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sending", [None, lending.Sending()], ids=["open", "response"])
def test_without_a_pool_the_connection_is_kept(
    database: str, sending: lending.Sending | None
) -> None:
    content = save_content(database)
    driver = connections[database].connection
    assert b"".join(streams.read(content, sending=sending)) == DATA
    assert connections[database].connection is driver


@pytest.mark.django_db(transaction=True)
def test_an_error_in_a_response_gives_the_connection_back(database: str) -> None:
    content = save_content(database)
    chunks.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content, sending=lending.Sending()))
    assert connections[database].connection is None


@pytest.mark.django_db(transaction=True)
def test_an_error_elsewhere_leaves_the_connection_to_the_caller(database: str) -> None:
    content = save_content(database)
    chunks.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content))
    assert connections[database].connection is not None


def test_an_error_in_the_callers_transaction_leaves_it_the_connection(database: str) -> None:
    content = save_content(database)
    chunks.delete(content.key, using=database)
    with pytest.raises(ContentVanished):
        list(streams.read(content, sending=lending.Sending()))
    assert connections[database].connection is not None
    assert StoredFile.rows.using(database).count() == 0


@pytest.fixture
def pooled(database: str) -> Iterator[Content]:
    """Return content behind an alias whose pool has one connection."""
    options = {"pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    content = save_content(database)
    with added_alias("pooled", like=database, OPTIONS=options) as connection:
        yield content._replace(using=connection.alias)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
class TestPool:
    """Django's psycopg pool gets its connection back whenever a reader may be slow."""

    def test_nothing_is_held_between_two_pieces(self, pooled: Content) -> None:
        for piece in streams.read(pooled, sending=lending.Sending()):
            assert piece
            assert connections[pooled.using].connection is None

    def test_a_handles_reader_keeps_the_connection(self, pooled: Content) -> None:
        next(streams.read(pooled))
        assert connections[pooled.using].connection is not None

    def test_an_error_gives_the_connection_back(self, pooled: Content) -> None:
        chunks.delete(pooled.key, using=pooled.using)
        for _ in range(3):
            with pytest.raises(ContentVanished):
                list(streams.read(pooled, sending=lending.Sending()))
            assert connections[pooled.using].connection is None

    def test_the_callers_transaction_keeps_the_connection(self, pooled: Content) -> None:
        with transaction.atomic(using=pooled.using):
            assert b"".join(streams.read(pooled, sending=lending.Sending())) == DATA
            lending.release(pooled.using)
            assert connections[pooled.using].connection is not None

    def test_a_pooled_connection_is_given_back_on_demand(self, pooled: Content) -> None:
        next(streams.read(pooled))
        lending.release(pooled.using)
        assert connections[pooled.using].connection is None


@pytest.mark.django_db(transaction=True)
def test_a_connection_without_a_pool_is_not_given_back(database: str) -> None:
    connections[database].ensure_connection()
    lending.release(database)
    assert connections[database].connection is not None
