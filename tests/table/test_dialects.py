"""The fast form and the portable form of each database are one interface, and one behaviour."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import (
    DataError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import SimpleTestCase
from django.test.testcases import DatabaseOperationForbidden
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage import fields
from secure_dbstorage.files.heads import LinkState, Room
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import ancestors
from secure_dbstorage.sealing.keyrings import NO_KEYS
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import dialects, statements
from secure_dbstorage.table.dialects import MySQLRows, PsycopgRows, SQLiteRows, rows
from secure_dbstorage.table.rows import Rows
from tests.support.aliases import added_alias
from tests.support.files import CHUNK_SIZE, LARGE
from tests.support.uploads import begin_upload, finish_upload

#: All byte values, and what quoting, formatting and escaping trip over.
DATA = bytes(range(256)) + b"%s %% {} '\\'' \\x00 \\\\ \x00\xff\r\n"

NOW = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)

#: Databases, and the ways in which a project connects to them.
WAYS = [
    ("sqlite", "fast"),
    ("sqlite", "portable"),
    ("postgres", "fast"),
    ("postgres", "portable"),
    ("postgres", "server-side binding"),
    ("postgres", "portable, server-side binding"),
    ("postgres", "pool"),
    ("mariadb", "fast"),
    ("mariadb", "portable"),
    ("mariadb", "as MySQL"),
]

OPTIONS = {
    "server-side binding": {"server_side_binding": True},
    "pool": {"pool": {"min_size": 1, "max_size": 2}},
}

FREE = Room(is_file=False, is_directory=False)

every_way = pytest.mark.parametrize(("database", "way"), WAYS, indirect=["database"])

#: On the aliases of DATABASES: Django looks after no other when settings change, or a test begins.
every_plain_way = pytest.mark.parametrize(
    ("database", "way"),
    [way for way in WAYS if way[1] in {"fast", "portable"}],
    indirect=["database"],
)


@pytest.fixture
def connection(
    database: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BaseDatabaseWrapper]:
    """Connect in this way; what is written is undone."""
    if way.startswith("portable"):
        monkeypatch.setattr(dialects, "_class_for", lambda connection: Rows)
    if way == "as MySQL":
        features = connections[database].features
        monkeypatch.setattr(features, "can_return_columns_from_insert", False)
    options = OPTIONS.get(way.removeprefix("portable, "), {})
    if not options:
        yield connections[database]
        return
    with (
        added_alias("another", like=database, OPTIONS=options) as another,
        transaction.atomic(using=another.alias),
    ):
        yield another
        transaction.set_rollback(True, using=another.alias)


def head_row(**changes: object) -> dict[str, object]:
    return {
        "content": 2**61 + 1,
        "position": 0,
        "namespace": "",
        "name": "a.txt",
        "size": len(DATA),
        "chunk_size": 261_120,
        "sha256": "0" * 64,
        "content_type": "text/plain",
        "is_public": True,
        "created": NOW,
        "modified": NOW,
        "link_epoch": 2**60,
        "data": DATA,
        **changes,
    }


def insert(connection: BaseDatabaseWrapper, row: dict[str, object]) -> None:
    assert rows(connection.alias).insert_head(row)


def insert_chunks(connection: BaseDatabaseWrapper, key: int, *chunks: bytes) -> None:
    rows(connection.alias).insert_chunks(key, 1, chunks)


@pytest.mark.parametrize(
    ("database", "expected"),
    [("sqlite", SQLiteRows), ("postgres", PsycopgRows), ("mariadb", MySQLRows)],
    indirect=["database"],
)
def test_each_database_has_its_own_way(database: str, expected: type[Rows]) -> None:
    assert type(rows(database)) is expected


def test_an_unknown_database_gets_the_portable_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "oracle", raising=False)
    assert type(rows("default")) is Rows


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_psycopg2_gets_the_portable_way(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Psycopg2:
        __name__ = "psycopg2"

    monkeypatch.setattr(connections[database], "Database", Psycopg2())
    assert type(rows(database)) is Rows


@every_way
def test_an_inserted_head_is_fetched(connection: BaseDatabaseWrapper) -> None:
    insert(connection, head_row())
    head = rows(connection.alias).head("", "a.txt")
    assert head is not None
    assert head.stat.name == "a.txt"
    assert head.stat.size == len(DATA)
    assert head.stat.sha256 == "0" * 64
    assert head.stat.content_type == "text/plain"
    assert head.stat.is_public is True
    assert head.stat.created == head.stat.modified == NOW
    assert head.stat.created.tzinfo is UTC
    assert (head.content.using, head.content.key) == (connection.alias, 2**61 + 1)
    assert (head.content.size, head.content.chunk_size) == (len(DATA), 261_120)
    assert head.link_epoch == 2**60
    assert head.first_chunk is None


@every_way
@pytest.mark.parametrize("data", [b"", b"\0", DATA, b"x" * 261_120], ids=len)
def test_a_head_comes_with_its_first_chunk(connection: BaseDatabaseWrapper, data: bytes) -> None:
    insert(connection, head_row(data=data))
    head = rows(connection.alias).head("", "a.txt", with_chunk=True)
    assert head is not None
    assert type(head.first_chunk) is bytes
    assert head.first_chunk == data


@every_way
def test_the_orm_reads_the_inserted_values(connection: BaseDatabaseWrapper) -> None:
    insert(connection, head_row())
    row = StoredFile.rows.using(connection.alias).values().get()
    row["data"] = bytes(row["data"])
    assert row.items() >= head_row().items()


@every_way
@pytest.mark.parametrize("name", ["A.txt", "a.txt ", "a", "", "%", "_.txt", "' OR 1=1 --"])
def test_only_the_very_name_is_found(connection: BaseDatabaseWrapper, name: str) -> None:
    insert(connection, head_row())
    assert rows(connection.alias).head("", name) is None
    with transaction.atomic(using=connection.alias):
        assert rows(connection.alias).locked("", name, waits=True) is None
    assert rows(connection.alias).link_states("", [name]) == {}


@pytest.mark.django_db
def test_a_column_that_is_not_exact_opens_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "_byte_collation", lambda connection: "NOCASE")
    with added_alias("careless", like="default", NAME=str(tmp_path / "db.sqlite3")) as connection:
        with connection.schema_editor() as editor:
            editor.create_model(StoredFile)
        insert(connection, head_row())
        assert rows(connection.alias).head("", "A.txt") is None
        assert rows(connection.alias).head("", "a.txt") is not None


@every_way
def test_only_the_namespace_is_searched(connection: BaseDatabaseWrapper) -> None:
    insert(connection, head_row(namespace="invoices"))
    stored = rows(connection.alias)
    assert stored.head("", "a.txt") is None
    assert stored.head("Invoices", "a.txt") is None
    assert stored.head("invoices", "a.txt") is not None


@every_way
@pytest.mark.parametrize("public", [True, False])
def test_public_files_alone_are_found_on_demand(
    connection: BaseDatabaseWrapper,
    public: bool,  # noqa: FBT001
) -> None:
    insert(connection, head_row(is_public=public))
    head = rows(connection.alias).head("", "a.txt", public_only=True)
    assert (head is not None) is public


@every_way
def test_the_link_states_of_many_files_are_fetched_at_once(
    connection: BaseDatabaseWrapper,
) -> None:
    insert(connection, head_row())
    insert(connection, head_row(name="日本.txt", content=2, is_public=False, link_epoch=7))
    states = rows(connection.alias).link_states("", ["a.txt", "日本.txt", "missing"])
    assert states == {"a.txt": LinkState(True, 2**60), "日本.txt": LinkState(False, 7)}
    assert all(type(state.is_public) is bool for state in states.values())


@every_way
@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("a/b.txt", Room(is_file=True, is_directory=False)),
        ("a", Room(is_file=False, is_directory=True)),
        ("a/b", FREE),
        ("b", FREE),
        ("a/b.txt/c", Room(is_file=False, is_directory=False, is_below_file=True)),
        ("a/b.txt/c/d", Room(is_file=False, is_directory=False, is_below_file=True)),
        ("a/c", FREE),
    ],
)
def test_what_is_in_the_way_of_a_name_stands_at_below_or_above_it(
    connection: BaseDatabaseWrapper, name: str, room: Room
) -> None:
    insert(connection, head_row(name="a/b.txt"))
    assert rows(connection.alias).room("", name, ancestors(name)) == room
    assert rows(connection.alias).room("invoices", name, ancestors(name)) == FREE
    assert rows(connection.alias).room("", name) == replace(room, is_below_file=False)


@pytest.mark.parametrize(
    ("database", "way"), [way for way in WAYS if way[1] == "fast"], indirect=["database"]
)
def test_what_is_in_the_way_of_a_name_takes_one_query(connection: BaseDatabaseWrapper) -> None:
    for name in ("a", "a/b/c"):
        with CaptureQueriesContext(connection) as queries:
            rows(connection.alias).room("", name, ancestors(name))
        assert len(queries) == 1


@every_way
@pytest.mark.parametrize(
    ("bounds", "limit", "names"),
    [
        (("", None), 9, ["a", "a ", "a/b", "b", "\U0010ffff"]),
        (("", None), 2, ["a", "a "]),
        (("a ", None), 2, ["a ", "a/b"]),
        (("a/", "a0"), 9, ["a/b"]),
        (("c", "d"), 9, []),
    ],
)
def test_names_come_in_the_order_of_their_bytes(
    connection: BaseDatabaseWrapper,
    bounds: tuple[str, str | None],
    limit: int,
    names: list[str],
) -> None:
    for number, name in enumerate(["b", "\U0010ffff", "a/b", "a ", "a"]):
        insert(connection, head_row(name=name, content=number))
    insert(connection, head_row(name="a", content=9, namespace="invoices"))
    assert rows(connection.alias).names("", bounds, limit) == names


@every_way
def test_a_run_of_chunks_comes_in_order(connection: BaseDatabaseWrapper) -> None:
    for number in reversed(range(1, 13)):
        data = DATA + bytes([number])
        rows(connection.alias).insert_chunks(5, number, [data])
    insert_chunks(connection, 6, b"other")
    run = rows(connection.alias).run(5, 2, 10)
    assert run == [DATA + bytes([number]) for number in range(2, 12)]
    assert all(type(chunk) is bytes for chunk in run)


@every_way
def test_many_chunks_are_inserted_by_one_statement(connection: BaseDatabaseWrapper) -> None:
    chunks = [DATA[:number] for number in range(256)]
    with CaptureQueriesContext(connection) as queries:
        rows(connection.alias).insert_chunks(2**61 + 1, 7, chunks)
    assert len(queries) == 1
    assert rows(connection.alias).run(2**61 + 1, 7, 256) == chunks
    positions = StoredFile.rows.using(connection.alias).values_list("position", flat=True)
    assert sorted(positions) == list(range(7, 7 + 256))


@every_way
def test_of_many_chunks_none_is_inserted_if_one_is_there(connection: BaseDatabaseWrapper) -> None:
    rows(connection.alias).insert_chunks(5, 3, [b"three"])
    with pytest.raises(IntegrityError), transaction.atomic(using=connection.alias):
        insert_chunks(connection, 5, b"one", b"two", b"another three", b"four")
    assert rows(connection.alias).run(5, 1, 9) == [b"three"]


@every_way
def test_the_first_row_of_an_upload_is_deleted_as_it_was_seen(
    connection: BaseDatabaseWrapper,
) -> None:
    begin_upload(connection.alias, key=5, rows=2)
    begin_upload(connection.alias, key=6)
    finish_upload(connection.alias, key=6, name="a.txt")
    stored = rows(connection.alias)
    assert not any(stored.delete_unchanged(5, length) for length in (0, 4095, 4097))
    assert not stored.delete_unchanged(6, 4096)
    assert stored.delete_unchanged(5, 4096)
    assert not stored.delete_unchanged(5, 4096)
    assert [row.content for row in StoredFile.rows.using(connection.alias)] == [5, 6]


@every_way
def test_an_expired_upload_is_deleted_by_its_first_row(connection: BaseDatabaseWrapper) -> None:
    begin_upload(connection.alias, key=5, rows=2, expires=NOW)
    stored = rows(connection.alias)
    assert not stored.delete_unfinished(6, NOW)
    assert not stored.delete_unfinished(5, NOW - timedelta(microseconds=1))
    assert stored.delete_unfinished(5, NOW)
    assert not stored.delete_unfinished(5, NOW)
    assert StoredFile.rows.using(connection.alias).get().position == 1


@every_way
def test_of_a_run_the_chunks_that_are_there_are_fetched(connection: BaseDatabaseWrapper) -> None:
    insert_chunks(connection, 5, b"1", b"2", b"3")
    assert rows(connection.alias).run(5, 3, 4) == [b"3"]
    assert rows(connection.alias).run(7, 1, 4) == []


@every_way
def test_chunks_that_nobody_takes_any_more_leave_the_connection_usable(
    connection: BaseDatabaseWrapper,
) -> None:
    data = b"x" * 255 * 1024
    stored = rows(connection.alias)
    for number in range(1, 17):
        stored.insert_chunks(5, number, [data])
    chunks = stored.each(5, 1, 16)
    assert next(chunks) == data
    del chunks
    assert stored.run(5, 16, 2) == [data]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_psycopgs_pipeline_works_behind_a_run(database: str) -> None:
    """In single-row mode, the next pipeline would get its first result in that mode, too."""
    insert_chunks(connections[database], 5, b"1", b"2")
    assert rows(database).run(5, 1, 2) == [b"1", b"2"]
    driver = connections[database].connection
    with driver.pipeline():
        assert driver.execute("SELECT 3").fetchall() == [(3,)]
        assert rows(database).run(5, 1, 2) == [b"1", b"2"]


@every_way
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, len(DATA)), (37, 91), (256, len(DATA))])
def test_a_part_of_a_chunk_is_fetched(
    connection: BaseDatabaseWrapper, start: int, stop: int
) -> None:
    insert_chunks(connection, 5, b"other", DATA)
    part = rows(connection.alias).part(5, 2, start, stop, length=len(DATA))
    assert part == DATA[start:stop]


@every_way
def test_there_is_no_part_without_the_chunk(connection: BaseDatabaseWrapper) -> None:
    assert rows(connection.alias).part(5, 1, 0, 10, length=10) is None


@every_way
@pytest.mark.parametrize("more", [-1, 1, 28])
def test_there_is_no_part_of_a_chunk_that_has_another_length(
    connection: BaseDatabaseWrapper, more: int
) -> None:
    insert_chunks(connection, 5, DATA)
    assert rows(connection.alias).part(5, 1, 0, 10, length=len(DATA) + more) is None


@every_way
def test_a_row_is_updated_and_no_other(connection: BaseDatabaseWrapper) -> None:
    insert(connection, head_row())
    insert(connection, head_row(name="b.txt", content=2))
    row_id = StoredFile.objects.using(connection.alias).get(name="a.txt").pk
    stored = rows(connection.alias)
    stored.update(row_id, {"data": b"new", "size": 3, "sha256": "1" * 64})
    head = stored.head("", "a.txt", with_chunk=True)
    assert head is not None
    assert (head.first_chunk, head.stat.size, head.stat.sha256) == (b"new", 3, "1" * 64)
    other = stored.head("", "b.txt", with_chunk=True)
    assert other is not None
    assert other.first_chunk == DATA


@every_way
def test_the_rows_of_a_content_are_deleted_and_no_others(connection: BaseDatabaseWrapper) -> None:
    insert_chunks(connection, 5, b"0", b"1", b"2")
    insert_chunks(connection, 6, b"0", b"1")
    rows(connection.alias).delete(5)
    left = StoredFile.rows.using(connection.alias).values_list("content", flat=True)
    assert list(left) == [6, 6]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("database", "analyze", "limit"),
    [
        ("postgres", "ANALYZE", "SET lock_timeout = 1000"),
        ("mariadb", "ANALYZE TABLE", "SET innodb_lock_wait_timeout = 1"),
    ],
    indirect=["database"],
)
def test_deleting_does_not_wait_for_saves(database: str, analyze: str, limit: str) -> None:
    connection = connections[database]
    insert_chunks(connection, 5, *[b"x"] * 20)
    with added_alias("another", like=database) as another, connection.cursor() as cursor:
        # Of a table that is known to be small, a scan looks cheap.
        cursor.execute(f"{analyze} secure_dbstorage_storedfile")
        cursor.execute(limit)
        with transaction.atomic(using=another.alias):
            insert_chunks(another, 6, b"0", b"1")
            rows(connection.alias).delete(5)
    connection.close()  # and the limit with it
    assert StoredFile.rows.using(database).count() == 2


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_deleting_never_scans_on_mariadb(database: str) -> None:
    connection = connections[database]
    with CaptureQueriesContext(connection) as queries:
        rows(connection.alias).delete(5)
        rows(connection.alias).delete_unfinished(5, NOW)
    assert len(queries) == 2
    for query in queries:
        assert "FORCE INDEX (`secure_dbstorage_unique_chunk`)" in query["sql"]


# Manners


@every_way
def test_a_content_key_that_is_there_is_an_error_of_django(
    connection: BaseDatabaseWrapper,
) -> None:
    insert(connection, head_row())
    with pytest.raises(IntegrityError), transaction.atomic(using=connection.alias):
        insert(connection, head_row(name="b.txt"))
    assert StoredFile.rows.using(connection.alias).get().name == "a.txt"


@every_way
def test_a_chunk_that_is_there_is_an_error_of_django(connection: BaseDatabaseWrapper) -> None:
    insert_chunks(connection, 5, b"one")
    with pytest.raises(IntegrityError), transaction.atomic(using=connection.alias):
        insert_chunks(connection, 5, b"two")
    assert rows(connection.alias).run(5, 1, 2) == [b"one"]


@every_way
def test_a_taken_name_is_reported_and_breaks_no_transaction(
    connection: BaseDatabaseWrapper,
) -> None:
    insert(connection, head_row())
    with transaction.atomic(using=connection.alias):
        assert not rows(connection.alias).insert_head(head_row(content=2))
        assert StoredFile.rows.using(connection.alias).get().content == head_row()["content"]


@pytest.mark.parametrize(
    ("database", "way"), [way for way in WAYS if way[0] != "sqlite"], indirect=["database"]
)
def test_too_long_a_value_is_an_error_of_django(connection: BaseDatabaseWrapper) -> None:
    with pytest.raises(DataError), transaction.atomic(using=connection.alias):
        insert(connection, head_row(name="n" * 600))


@every_way
def test_a_missing_table_is_an_error_of_django(
    connection: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_finished", {})
    monkeypatch.setattr(statements, "TABLE", "no_such_table")
    with (
        pytest.raises((OperationalError, ProgrammingError)),
        transaction.atomic(using=connection.alias),
    ):
        rows(connection.alias).run(5, 0, 1)


@every_plain_way
@pytest.mark.parametrize("before", [True, False])
def test_times_are_as_use_tz_says(
    connection: BaseDatabaseWrapper,
    settings: Settings,
    before: bool,  # noqa: FBT001
) -> None:
    for key, use_tz in enumerate([before, not before]):
        settings.USE_TZ = use_tz
        now = NOW if use_tz else timezone.make_naive(NOW, timezone.get_default_timezone())
        insert(connection, head_row(content=key, name=f"{key}.txt", created=now, modified=now))
        head = rows(connection.alias).head("", f"{key}.txt")
        assert head is not None
        assert (head.stat.created, head.stat.modified) == (NOW, NOW)


@every_plain_way
@pytest.mark.parametrize("use_tz", [True, False], ids=["USE_TZ", "naive"])
def test_a_locked_row_is_what_djangos_queryset_finds(
    connection: BaseDatabaseWrapper,
    settings: Settings,
    use_tz: bool,  # noqa: FBT001
) -> None:
    settings.USE_TZ = use_tz
    now = NOW if use_tz else timezone.make_naive(NOW, timezone.get_default_timezone())
    times = dict.fromkeys(("created", "modified", "expires"), now)
    insert(connection, head_row(is_public=False, sealed_key=b"\0key\xff", **times))
    with transaction.atomic(using=connection.alias):
        locked = rows(connection.alias).locked("", "a.txt", waits=True)
    expected = StoredFile.objects.using(connection.alias).get()
    assert locked == expected
    assert locked.get_deferred_fields() == expected.get_deferred_fields() == {"data"}
    assert (locked._state.db, locked._state.adding) == (connection.alias, False)
    for name in statements.FIELDS.keys() - {"data"}:
        assert getattr(locked, name) == getattr(expected, name), name
    assert locked.is_public is False
    assert bytes(locked.data) == DATA  # Fetched when it is asked for.


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("options", [{}, {"detect_types": 0}], ids=["times", "text"])
def test_sqlite_keeps_times_in_the_zone_of_its_connection(
    database: str, tmp_path: Path, zone: str, options: dict[str, object]
) -> None:
    changes = {"NAME": tmp_path / "db.sqlite3", "OPTIONS": options, "TIME_ZONE": zone}
    with added_alias("another", like=database, **changes) as connection:
        with connection.schema_editor() as editor:
            editor.create_model(StoredFile)
        insert(connection, head_row(expires=NOW))
        head = rows(connection.alias).head("", "a.txt")
        assert StoredFile.rows.using(connection.alias).get().expires == NOW  # As Django reads it.
    assert head is not None
    assert (head.stat.created, head.stat.modified, head.stat.expires) == (NOW, NOW, NOW)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_mariadb_keeps_times_in_the_zone_of_its_connection(database: str) -> None:
    with (
        added_alias("another", like=database, TIME_ZONE="Asia/Tokyo") as connection,
        transaction.atomic(using=connection.alias),
    ):
        insert(connection, head_row(expires=NOW))
        head = rows(connection.alias).head("", "a.txt")
        assert StoredFile.rows.using(connection.alias).get().expires == NOW  # As Django reads it.
        transaction.set_rollback(True, using=connection.alias)
    assert head is not None
    assert (head.stat.created, head.stat.modified, head.stat.expires) == (NOW, NOW, NOW)


def test_no_connection_outlives_its_thread(database: str) -> None:
    seen = []

    def use() -> None:
        connection = connections[database]
        seen.append(weakref.ref(connection))
        rows(connection.alias).head("", "a.txt", with_chunk=True)
        connection.close()

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    gc.collect()
    assert [reference() for reference in seen] == [None]


@every_plain_way
def test_a_database_that_a_test_case_may_not_use_is_refused(
    connection: BaseDatabaseWrapper,
) -> None:
    class Forbidding(SimpleTestCase):
        pass

    connection.ensure_connection()
    Forbidding.setUpClass()
    try:
        with pytest.raises(DatabaseOperationForbidden):
            rows(connection.alias).run(5, 0, 1)
        with pytest.raises(DatabaseOperationForbidden):
            rows(connection.alias).delete(5)
    finally:
        Forbidding.doClassCleanups()
    assert rows(connection.alias).run(5, 0, 1) == []


@every_way
def test_a_broken_transaction_is_not_used(connection: BaseDatabaseWrapper) -> None:
    with transaction.atomic(using=connection.alias):
        transaction.set_rollback(True, using=connection.alias)
        with pytest.raises(transaction.TransactionManagementError):
            rows(connection.alias).run(5, 0, 1)


@every_way
def test_statements_are_logged_without_the_bytes(connection: BaseDatabaseWrapper) -> None:
    insert_chunks(connection, 5, b"")
    row_id = StoredFile.rows.using(connection.alias).get().pk
    with CaptureQueriesContext(connection) as queries:
        insert(connection, head_row(data=b"secret" * 43_520))
        rows(connection.alias).update(row_id, {"data": b"secret"})
    logged = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert "<261120 bytes>" in logged[0]
    assert "'a.txt'" in logged[0]
    assert "<6 bytes>" in logged[-1]
    assert "secret" not in "".join(logged)
    assert b"secret".hex() not in "".join(logged)


@every_way
def test_each_method_is_one_logged_query(connection: BaseDatabaseWrapper) -> None:
    stored = rows(connection.alias)
    calls: list[Callable[[], object]] = [
        lambda: stored.insert_chunks(5, 1, [DATA, b""] * 4),
        lambda: stored.update(0, {"size": 1}),
        lambda: stored.delete(1),
        lambda: stored.delete_unfinished(1, NOW),
        lambda: stored.delete_unchanged(1, 0),
        lambda: stored.head("", "a.txt", with_chunk=True),
        lambda: stored.link_states("", ["a.txt", "b.txt"]),
        lambda: stored.names("", ("a", "b"), 4),
        lambda: stored.run(5, 0, 4),
        lambda: stored.part(5, 0, 1, 2, length=3),
    ]
    for call in calls:
        with CaptureQueriesContext(connection) as queries:
            call()
        assert len(queries) == 1


@every_way
def test_nothing_is_logged_unless_somebody_asks(connection: BaseDatabaseWrapper) -> None:
    connection.queries_log.clear()
    rows(connection.alias).run(5, 0, 1)
    assert not connection.queries_log


@every_way
def test_the_logger_gets_no_bytes(
    connection: BaseDatabaseWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG, logger="django.db.backends"),
        CaptureQueriesContext(connection),
    ):
        insert(connection, head_row(data=b"secret"))
    assert "<6 bytes>" in caplog.text
    assert "secret" not in caplog.text


@every_way
def test_execute_wrappers_are_called(connection: BaseDatabaseWrapper) -> None:
    seen = []

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        seen.append((sql.split(None, 1)[0], context["connection"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        insert_chunks(connection, 5, DATA)
        rows(connection.alias).head("", "a.txt")
    assert seen == [("INSERT", connection), ("SELECT", connection)]


@every_way
def test_an_execute_wrapper_can_refuse(connection: BaseDatabaseWrapper) -> None:
    def wrapper(*_: object) -> None:
        raise PermissionError

    with connection.execute_wrapper(wrapper), pytest.raises(PermissionError):
        rows(connection.alias).run(5, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_a_closed_connection_is_opened(database: str) -> None:
    connection = connections[database]
    connection.close()
    assert rows(connection.alias).run(5, 0, 1) == []


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_dead_connection_is_replaced_with_health_checks(database: str) -> None:
    lasting = {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": None}
    with added_alias("lasting", like=database, **lasting) as connection:
        connection.ensure_connection()
        with connections[database].cursor() as cursor:
            pid = connection.connection.info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        connection.close_if_unusable_or_obsolete()  # as each request begins
        assert rows(connection.alias).run(5, 0, 1) == []


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_bytes_travel_in_binary_on_postgresql(database: str) -> None:
    connection = connections[database]
    insert_chunks(connection, 5, b"x" * 1000)
    cursor = rows(connection.alias).cursor()
    with cursor:
        cursor.execute("SELECT data FROM secure_dbstorage_storedfile")
        result = cursor.pgresult
        assert result.fformat(0) == psycopg.pq.Format.BINARY
        assert len(result.get_value(0, 0)) == 1000


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_statement_takes_one_cursor_of_psycopg(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    initialise = psycopg.Cursor.__init__

    def noting(cursor: Any, *args: Any, **kwargs: Any) -> None:
        made.append(cursor)
        initialise(cursor, *args, **kwargs)

    connections[database].ensure_connection()
    monkeypatch.setattr(psycopg.Cursor, "__init__", noting)
    assert rows(database).run(5, 0, 1) == []
    assert len(made) == 1


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_djangos_own_cursors_stay_what_they_are(database: str) -> None:
    with connections[database].cursor() as before:
        usual = type(before.cursor)
    rows(database).run(5, 0, 1)
    with connections[database].cursor() as after:
        assert type(after.cursor) is usual


@pytest.mark.parametrize("database", ["sqlite", "postgres", "mariadb"], indirect=True)
def test_of_a_part_no_more_than_it_travels(database: str) -> None:
    connection = connections[database]
    insert_chunks(connection, 5, DATA)
    with CaptureQueriesContext(connection) as queries:
        rows(connection.alias).part(5, 1, 37, 91, length=len(DATA))
    assert "substr(" in queries[0]["sql"]
    assert "38, 54" in queries[0]["sql"]


@every_way
def test_a_storage_saves_overwrites_and_reads(
    connection: BaseDatabaseWrapper, settings: Settings
) -> None:
    class Router:
        def db_for_read(self, model: object, **hints: object) -> str:
            return connection.alias

        db_for_write = db_for_read

    settings.DATABASE_ROUTERS = [Router()]
    storage = DatabaseStorage(chunk_size=CHUNK_SIZE, allow_overwrite=True)
    storage.save("a.bin", b"old" * CHUNK_SIZE)
    storage.save("a.bin", LARGE)
    with storage.open("a.bin") as file:
        assert file.read() == LARGE
        file.seek(5000)
        assert file.read(100) == LARGE[5000:5100]
    storage.delete("a.bin")
    assert not storage.exists("a.bin")


@every_way
def test_many_files_are_inserted_and_found_at_once(connection: BaseDatabaseWrapper) -> None:
    heads = [
        head_row(content=number, name=name, namespace=namespace, **more)
        for number, (name, namespace, more) in enumerate(
            [
                ("a", "", {}),
                ("A", "", {"expires": NOW}),
                ("b/c", "", {}),
                ("d", "other", {}),
                ("e%s", "", {"data": b""}),
            ]
        )
    ]
    stored = rows(connection.alias)
    stored.insert_heads(heads)
    wanted = ["a", "b", "b/c", "d", "e%s"]
    found = stored.heads("", wanted, keyring=NO_KEYS, with_chunk=True)
    assert {name: head.first_chunk for name, head in found.items()} == {
        "a": DATA,
        "b/c": DATA,
        "e%s": b"",
    }
    assert found["a"].stat.created == NOW
    assert found["a"].stat.expires is None
    assert stored.heads("", ["A"], keyring=NO_KEYS)["A"].stat.expires == NOW
    assert stored.heads("", ["A"], keyring=NO_KEYS)["A"].first_chunk is None
    assert stored.directories("", [*wanted, "b/", "B"]) == {"b"}
    with pytest.raises(IntegrityError), transaction.atomic(using=connection.alias):
        stored.insert_heads([head_row(content=7, name="f"), head_row(content=8, name="a")])
    assert not stored.heads("", ["f"], keyring=NO_KEYS)
