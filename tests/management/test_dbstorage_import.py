"""``dbstorage_import``: imports another package's table, with its names, times and flags."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from secure_dbstorage.models import StoredFile
from tests.support.copying import FILES, contents
from tests.support.other_tables import CREATED, MODIFIED, row_of, table

pytestmark = pytest.mark.django_db(transaction=True)

SINGLE_TABLE = "django-single-table-db-storage"


def run(using: str, *arguments: str) -> dict[str, Any]:
    told = io.StringIO()
    call_command(
        *("dbstorage_import", "--to", "default", "--database", using, "--json"),
        *arguments,
        stdout=told,
    )
    report: dict[str, Any] = json.loads(told.getvalue())
    return report


@pytest.fixture
def old(database: str) -> Iterator[Any]:
    with table(database, SINGLE_TABLE) as model:
        for name, content in FILES.items():
            row = row_of(SINGLE_TABLE, name, content, is_public=name == "a.txt")
            model.objects.using(database).create(**row)
        yield model.objects.using(database)


def test_names_content_times_and_flags_are_imported(
    database: str, old: Any, client: Client
) -> None:
    report = run(database)
    assert report["counts"] == {"copied": len(FILES), "replaced": 0, "present": 0}
    assert report["public"] == 1
    storage = storages["default"]
    assert contents(storage) == FILES
    for name in FILES:
        stat = storage.stat(name)
        assert (stat.created, stat.modified) == (CREATED, MODIFIED)
        assert stat.is_public is (name == "a.txt")
    assert client.get("/files/a.txt").status_code == 200
    assert client.get("/files/dir.txt").status_code == 404


def test_an_import_continues_and_leaves_the_table_unchanged(database: str, old: Any) -> None:
    before = sorted(old.values_list())
    assert run(database, "--dry-run")["counts"]["copied"] == len(FILES)
    assert contents(storages["default"]) == {}
    run(database)
    storages["default"].delete("a.txt")
    again = run(database)
    assert again["counts"] == {"copied": 1, "replaced": 0, "present": len(FILES) - 1}
    assert sorted(old.values_list()) == before


def test_links_to_a_replaced_file_do_not_open_the_import(
    database: str, old: Any, client: Client
) -> None:
    storage = storages["default"]
    storage.save("dir.txt", b"another")
    link = storage.url("dir.txt")
    assert client.get(link).status_code == 200
    run(database, "--overwrite")
    assert client.get(link).status_code == 403
    assert b"".join(client.get(storage.url("dir.txt"))) == FILES["dir.txt"]


@pytest.mark.parametrize(
    ("package", "options"),
    [
        ("django-dbfiles", ["--private"]),
        ("django-binary-database-files", ["--public"]),
        ("django-db-file-storage", ["--table", "console_picture", "--public"]),
    ],
)
def test_tables_of_other_packages_are_imported_too(
    database: str, package: str, options: list[str]
) -> None:
    with table(database, package) as model:
        for name, content in FILES.items():
            model.objects.using(database).create(**row_of(package, name, content))
        run(database, "--format", package, *options)
        assert contents(storages["default"]) == FILES
        flags = StoredFile.objects.using(database).values_list("is_public", flat=True)
        assert set(flags) == {"--public" in options}
        again = run(database, "--format", package, *options)
        assert again["counts"]["present"] == len(FILES)


def test_columns_may_have_other_names(database: str) -> None:
    with table(database, "django-dbfiles") as model:
        row = row_of("django-dbfiles", "a.txt", b"content")
        model.objects.using(database).create(**row)
        names = ["--name-column", "name", "--content-column", "content"]
        run(database, "--format", "django-dbfiles", *names)
    assert contents(storages["default"]) == {"a.txt": b"content"}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--format", "django-db-file-storage"], "Pass the name with --table"),
        (["--table", "nowhere"], "no table 'nowhere'"),
        (["--name-column", "nowhere"], "no column nowhere"),
        (["--to", "nowhere"], "STORAGES has: default"),
        (["--database", "nowhere"], "no 'nowhere'"),
    ],
)
def test_impossible_arguments_change_nothing(
    database: str, old: Any, options: list[str], text: str
) -> None:
    with pytest.raises(CommandError, match=text) as caught:
        run(database, *options)
    assert caught.value.returncode == 2
    assert contents(storages["default"]) == {}


# Other databases take no text for a time.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_bad_row_is_reported_and_the_rest_goes_on(
    database: str, old: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = old.create(**row_of(SINGLE_TABLE, "bad.txt", b"x"))
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {old.model._meta.db_table} SET created_ts = '2020-13-45 00:00' WHERE id = %s",
            [bad.pk],
        )
    with pytest.raises(CommandError, match="1 failed"):
        run(database)
    assert f"row {bad.pk}: the row can't be read" in capsys.readouterr().err
    assert contents(storages["default"]) == FILES
