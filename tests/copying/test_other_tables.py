"""Tables of other packages are read row by row, as those packages write them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.copying import other_tables
from secure_dbstorage.copying.other_tables import LAYOUTS, OtherTable
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord
from tests.support.other_tables import CREATED, MODIFIED, row_of, table


@pytest.fixture(params=list(LAYOUTS))
def package(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def source(package: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Fill a package's table with these rows, and return it as a source."""
    monkeypatch.setattr(other_tables, "_PART_BYTES", 4096)
    monkeypatch.setattr(other_tables, "_PAGE_LENGTH", 3)
    with table(database, package) as model:

        def fill(**files: bytes) -> OtherTable:
            for name, content in files.items():
                model.objects.using(database).create(**row_of(package, name, content))
            return OtherTable(LAYOUTS[package], table=model._meta.db_table, using=database)

        yield fill


# Tables are made outside of a transaction: SQLite asks for it, and MariaDB would end one.
pytestmark = pytest.mark.django_db(transaction=True)


def read(source: OtherTable, record: FileRecord) -> bytes:
    return b"".join(source.read(record))


def test_each_row_is_a_file_with_its_size_times_and_content(source: Any, package: str) -> None:
    files = {f"{number}/ü.txt": bytes([number]) * (number * 1500) for number in range(8)}
    table_ = source(**files)
    assert table_.count("") == len(files)
    records = [table_.complete(record) for record in table_.records("")]
    assert {record.name: read(table_, record) for record in records} == files
    assert [record.size for record in records] == [len(content) for content in files.values()]
    layout = LAYOUTS[package]
    assert {record.created for record in records} == {CREATED if layout.created else None}
    assert {record.modified for record in records} == {MODIFIED if layout.modified else None}
    assert {record.is_public for record in records} == {False if layout.is_public else None}


def test_a_listing_reads_no_contents_and_a_few_rows_at_once(source: Any, database: str) -> None:
    table_ = source(**{str(number): b"content" for number in range(8)})
    with CaptureQueriesContext(connections[database]) as queries:
        assert len(list(table_.records(""))) == 8
    assert len(queries) == 4


def test_small_files_are_read_by_one_query(source: Any, database: str) -> None:
    files = {str(number): bytes([number]) * number for number in range(8)}
    table_ = source(**files)
    records = list(table_.records(""))
    assert {record.name: record.size for record in records} == {
        name: len(content) for name, content in files.items()
    }
    with CaptureQueriesContext(connections[database]) as queries:
        found = {record.name: content for record, content in table_.read_together(records)}
    assert found == files
    assert len(queries) == 1
    longer = replace(records[3], key=(records[3].key[0], records[3].key[1] + 1))
    assert list(table_.read_together([longer])) == []


def test_a_prefix_is_a_directory(source: Any) -> None:
    table_ = source(**{"a/b": b"", "a/c/d": b"", "ab": b"", "a": b""})
    assert {record.name for record in table_.records("a")} == {"a/b", "a/c/d"}
    assert table_.count("a") == 2


def test_a_row_that_vanishes_is_not_an_empty_file(
    source: Any, package: str, database: str
) -> None:
    table_ = source(a=bytes(10_000))
    (record,) = table_.records("")
    with closing(table_.read(record)) as pieces:
        next(pieces)
        with connections[database].cursor() as cursor:
            cursor.execute(f"DELETE FROM {table_._rows.model._meta.db_table}")
        with pytest.raises(CopyFailed, match="changed or deleted"):
            list(pieces)


def test_missing_tables_and_columns_are_named(database: str) -> None:
    layout = LAYOUTS["django-dbfiles"]
    with pytest.raises(LookupError, match="no table 'db_file'"):
        OtherTable(layout, table="db_file", using=database)
    with pytest.raises(LookupError, match="no 'nowhere'"):
        OtherTable(layout, table="db_file", using="nowhere")
    with (
        table(database, "django-binary-database-files") as other,
        pytest.raises(LookupError, match="no columns created_on, updated_on"),
    ):
        OtherTable(layout, table=other._meta.db_table, using=database)
