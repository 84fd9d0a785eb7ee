"""The table as each database really has it."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connections, migrations, transaction
from django.db.migrations.loader import MigrationLoader
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage import models
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


def upload(**changes: Any) -> dict[str, Any]:
    """Return the first row of an upload that has no name yet."""
    now = timezone.now()
    return {
        "content": 1,
        "namespace": "",
        "size": 4096,
        "chunk_size": 4096,
        "created": now,
        "expires": now,
        "data": b"",
        **changes,
    }


def other(**changes: Any) -> dict[str, Any]:
    """Return a row that continues a content."""
    return {"content": 1, "position": 1, "data": b"", **changes}


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


#: On SQLite a new column would land behind the bytes, and make each listing walk through them. So
#: the first migration has all columns, with those that later features need.
COLUMNS = {
    "id": "",
    "content": "",
    "position": "0 for the first row of files and uploads, the last possible one for used links",
    "namespace": "wide enough for '~', which marks deleted files",
    "name": "wide enough for what a deleted file is called; NULL while an upload is unfinished",
    "size": "declared by the client while an upload is unfinished",
    "chunk_size": "",
    "sha256": "of an upload, there when all its bytes are; of an encrypted file, a keyed digest",
    "content_type": "",
    "is_public": "",
    "created": "",
    "modified": "",
    "link_epoch": "",
    "expires": "of temporary files, unfinished uploads, used links and deleted files",
    "sealed_key": "of encrypted files and uploads",
    "data": "last",
}


def test_the_columns_stand_in_this_order_with_the_bytes_last(database: str) -> None:
    assert physical_columns(database) == list(COLUMNS)


def test_no_migration_adds_a_column() -> None:
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    operations = [
        operation
        for (app, _), migration in loader.disk_migrations.items()
        if app == "secure_dbstorage"
        for operation in migration.operations
    ]
    assert not any(isinstance(operation, migrations.AddField) for operation in operations)
    (created,) = [operation for operation in operations if hasattr(operation, "fields")]
    assert [name for name, _ in created.fields] == list(COLUMNS)


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


NOW = timezone.now()

#: Rows of each kind.
ROWS = {
    "a file": head(),
    "a temporary file": head(expires=NOW),
    "an encrypted file": head(sealed_key=b"key"),
    "a deleted file": head(namespace="~" + "n" * 90, name=f"{'n' * 512}/{'k' * 13}", expires=NOW),
    "an upload": upload(),
    "an upload that has all its bytes": upload(sha256="0" * 64),
    "an encrypted upload": upload(sealed_key=b"key"),
    "a continuation": other(),
    "a use of a link": other(expires=NOW),
}

#: What looks like a row of a kind, and is none.
NO_ROWS = {
    **{f"a file without {column}": head(**{column: None}) for column in HEAD_COLUMNS},
    "a file behind the first position": head(position=1),
    **{
        f"an upload without {column}": upload(**{column: None})
        for column in ("namespace", "size", "chunk_size", "created", "expires")
    },
    **{
        f"an upload with {column}": upload(**{column: head()[column]})
        for column in ("name", "content_type", "is_public", "modified", "link_epoch")
    },
    "an upload behind the first position": upload(position=1),
    **{
        f"a continuation with {column}": other(**{column: head()[column]})
        for column in HEAD_COLUMNS
    },
    "an encrypted continuation": other(sealed_key=b"key"),
    "a continuation at the first position": other(position=0),
    "a use of a link at the first position": other(position=0, expires=NOW),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_kind_of_row_is_accepted(database: str, row: dict[str, Any]) -> None:
    added = add(database, **row)
    found = StoredFile.rows.using(database).values().get()
    for column in ("data", "sealed_key"):
        found[column] = None if found[column] is None else bytes(found[column])
    assert found == {**dict.fromkeys(COLUMNS), "id": added.pk, "position": 0, **row}


@pytest.mark.parametrize("row", NO_ROWS.values(), ids=NO_ROWS)
def test_what_is_of_no_kind_is_refused(database: str, row: dict[str, Any]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):
        add(database, **row)


def test_any_number_of_uploads_wait_for_a_name(database: str) -> None:
    for content in range(3):
        add(database, **upload(content=content))
    assert StoredFile.rows.using(database).in_namespace("").unfinished().count() == 3


def test_no_row_is_without_bytes(database: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=database):
        add(database, content=1, position=1, data=None)


def test_the_longest_name_is_held_and_compared_whole(database: str) -> None:
    # Of four bytes each, and no two alike: PostgreSQL can't compress what its index holds.
    characters = "".join(map(chr, range(0x20000, 0x20000 + 660)))
    names = [characters[:559] + end for end in "ab"]
    for number, name in enumerate(names):
        add(database, **head(name=name, namespace=characters[560:], content=number))
    assert StoredFile.objects.using(database).get(name=names[1]).content == 1


def test_the_default_manager_gives_heads_and_leaves_the_bytes(database: str) -> None:
    add(database, **head())
    add(database, **other(data=b"x"))
    add(database, **upload(content=2))
    add(database, **other(content=2, data=b"x"))
    with CaptureQueriesContext(connections[database]) as queries:
        (file,) = StoredFile.objects.using(database)
    assert "data" in file.get_deferred_fields()
    assert "data" not in queries[0]["sql"]
    assert StoredFile.rows.using(database).count() == 4


def test_the_rows_of_each_kind_are_found(database: str) -> None:
    mark = models.USE_MARK_POSITION
    add(database, **head())
    add(database, **upload(content=2))
    for content in (1, 2, 3):
        add(database, **other(content=content))
        add(database, **other(content=content, position=mark, expires=NOW))
    rows = StoredFile.rows.using(database)
    found = {
        "head": StoredFile.objects.using(database),
        "unfinished": rows.unfinished(),
        "continuations": rows.continuations(),
        "strays": rows.strays(),
        "used": rows.use_marks(),
    }
    positions = {
        name: sorted(kind.values_list("content", "position")) for name, kind in found.items()
    }
    assert positions == {
        "head": [(1, 0)],
        "unfinished": [(2, 0)],
        "continuations": [(1, 1), (2, 1), (3, 1)],
        "strays": [(3, 1)],
        "used": [(1, mark), (2, mark), (3, mark)],
    }


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
        StoredFile.rows.using(database).in_namespace("").unfinished(),
    ):
        plan = found.values("name").explain()
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan


def test_a_row_describes_itself() -> None:
    assert str(StoredFile(name="a.txt")) == "a.txt"
    assert str(StoredFile(content=5)) == "unfinished upload 5"
    assert str(StoredFile(content=5, position=2)) == "chunk 2 of content 5"
