"""The table as each database really has it."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage

TABLE = "secure_dbstorage_storedfile"

HEAD_COLUMNS = ["namespace", "name", "size", "chunk_size", "sha256", "content_type"]
HEAD_COLUMNS += ["is_public", "created", "modified", "link_epoch"]

NAMES = ["!", "A", "A.txt", "a", "a ", "a!", "a.txt", "a/b", "a0", "aa", "b", "z", "~"]
NAMES += [
    "\u00c9",
    "\u00df",
    "\u00e9",
    "\u0131",
    "\u65e5",
    "\uff5e",
    "\U0001f600",
    "e\u0301",
    "ss",
]


def head(**changes: Any) -> dict[str, Any]:
    now = timezone.now()
    return {
        "content": 1,
        "namespace": "",
        "name": "a.txt",
        "size": 0,
        "chunk_size": 4096,
        "sha256": "0" * 64,
        "content_type": "text/plain",
        "is_public": False,
        "created": now,
        "modified": now,
        "link_epoch": 1,
        "data": b"",
        **changes,
    }


def add(using: str, **values: Any) -> StoredFile:
    return StoredFile.rows.using(using).create(**values)


def physical_columns(using: str) -> list[str]:
    with connections[using].cursor() as cursor:
        description = connections[using].introspection.get_table_description(cursor, TABLE)
    return [column.name for column in description]


def collations(using: str) -> dict[str, str | None]:
    with connections[using].cursor() as cursor:
        description = connections[using].introspection.get_table_description(cursor, TABLE)
    return {column.name: column.collation for column in description}


@pytest.mark.django_db
def test_migrations_are_up_to_date(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = []  # With any, Django asks each alias what was migrated there.
    call_command("makemigrations", "secure_dbstorage", check=True, dry_run=True, verbosity=0)


def test_the_bytes_stand_last(database: str) -> None:
    columns = physical_columns(database)
    assert columns[-1] == "data"
    assert sorted(columns) == sorted(field.column for field in StoredFile._meta.concrete_fields)


def test_a_selected_row_has_its_bytes_last() -> None:
    assert StoredFile._meta.concrete_fields[-1].name == "data"


@pytest.mark.parametrize(
    ("database", "collation"),
    [("sqlite", None), ("postgres", "C"), ("mariadb", "utf8mb4_nopad_bin")],
    indirect=["database"],
)
def test_text_is_compared_byte_for_byte(database: str, collation: str | None) -> None:
    found = collations(database)
    for column in ("namespace", "name", "sha256", "content_type"):
        assert found[column] == collation


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A.txt", "a.txt"),
        ("\u00e9", "e\u0301"),
        ("a", "a "),
        ("\u00df", "ss"),
        ("i", "\u0131"),
        ("\u00e9", "e"),
        ("a", "\uff41"),
    ],
)
def test_names_that_look_alike_are_unique_side_by_side(
    database: str, one: str, other: str
) -> None:
    add(database, **head(name=one))
    add(database, **head(name=other, content=2))
    assert StoredFile.objects.using(database).get(name=one).content == 1
    assert StoredFile.objects.using(database).get(name=other).content == 2


def test_names_are_ordered_by_their_characters(database: str) -> None:
    for number, name in enumerate(reversed(NAMES)):
        add(database, **head(name=name, content=number))
    ordered = StoredFile.objects.using(database).order_by("name").values_list("name", flat=True)
    assert list(ordered) == sorted(NAMES)


def test_the_files_below_a_directory_are_a_range(database: str) -> None:
    names = ["a", "a!", "a/", "a/b", "a/\U0001f600", "a/~/c", "a0", "aa/b", "A/b", "b/a/c"]
    for number, name in enumerate(names):
        add(database, **head(name=name, content=number))
    files = StoredFile.objects.using(database)
    assert set(files.below("a").values_list("name", flat=True)) == set(names[2:6])
    assert set(files.at_or_below("a").values_list("name", flat=True)) == {"a", *names[2:6]}
    assert files.below("").count() == len(names)


def test_a_name_is_taken_once_in_a_namespace(database: str) -> None:
    add(database, **head())
    add(database, **head(namespace="other", content=2))
    with pytest.raises(IntegrityError), transaction.atomic(using=database):
        add(database, **head(content=3))


def test_a_position_is_taken_once_in_a_content(database: str) -> None:
    add(database, content=1, position=1, data=b"")
    add(database, content=1, position=2, data=b"")
    with pytest.raises(IntegrityError), transaction.atomic(using=database):
        add(database, content=1, position=2, data=b"")


@pytest.mark.parametrize("column", HEAD_COLUMNS)
def test_a_head_row_is_complete(database: str, column: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):
        add(database, **head(**{column: None}))


def test_a_head_row_is_at_the_first_position(database: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):
        add(database, **head(position=1))


@pytest.mark.parametrize("column", HEAD_COLUMNS)
def test_a_continuation_row_has_nothing_of_a_head_row(database: str, column: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):
        add(database, content=1, position=1, data=b"", **{column: head()[column]})


def test_no_row_is_without_bytes(database: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):
        add(database, content=1, position=1, data=None)


def test_the_longest_name_is_held_and_compared_whole(database: str) -> None:
    names = ["\U0001f600" * 511 + end for end in "ab"]
    for number, name in enumerate(names):
        add(database, **head(name=name, namespace="n" * 100, content=number))
    assert StoredFile.objects.using(database).get(name=names[1]).content == 1


def test_the_default_manager_gives_heads_and_leaves_the_bytes(database: str) -> None:
    add(database, **head())
    add(database, content=1, position=1, data=b"x")
    with CaptureQueriesContext(connections[database]) as queries:
        (file,) = StoredFile.objects.using(database)
    assert "data" in file.get_deferred_fields()
    assert "data" not in queries[0]["sql"]
    assert StoredFile.rows.using(database).count() == 2


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_postgresql_does_not_compress_the_bytes(database: str) -> None:
    with connections[database].cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
            [TABLE, "data"],
        )
        assert cursor.fetchone() == ("e",)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_zeros_take_their_place_on_postgresql(database: str) -> None:
    DatabaseStorage(using=database).save("a.bin", bytes(200_000))
    with connections[database].cursor() as cursor:
        cursor.execute(f"SELECT pg_column_size(data) FROM {TABLE}")
        assert cursor.fetchone() >= (200_000,)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_row_holds_the_largest_chunk_on_mariadb(database: str) -> None:
    with connections[database].cursor() as cursor:
        cursor.execute(
            "SELECT data_type FROM information_schema.columns WHERE table_schema = database() "
            "AND table_name = %s AND column_name = %s",
            [TABLE, "data"],
        )
        assert cursor.fetchone() == ("longblob",)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_names_and_ranges_are_looked_up_by_the_index(database: str) -> None:
    files = StoredFile.objects.using(database).in_namespace("")
    for found in (
        files.filter(name="a"),
        files.below("a"),
        files.at_or_below("a"),
        files.below("a").order_by("name").filter(name__gte="a/b")[:4],
    ):
        plan = found.values("name").explain()
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan


def test_a_row_describes_itself() -> None:
    assert str(StoredFile(name="a.txt")) == "a.txt"
    assert str(StoredFile(content=5, position=2)) == "chunk 2 of content 5"
