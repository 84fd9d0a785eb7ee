"""A file is renamed together with the rows that name it."""

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from secure_dbstorage.upkeep.renaming import rename_with_rows, rows_naming
from tests.support.admin import storage
from tests.testapp.models import Book, SignedLetter

# The rows are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def book(name: str, *, is_hidden: bool = False) -> Book:
    return Book._base_manager.create(text=name, is_hidden=is_hidden)


def test_the_rows_that_name_a_file_get_its_new_name(database: str) -> None:
    storage().save("books/a.txt", ContentFile(b"words"))
    naming = [book("books/a.txt"), book("books/a.txt", is_hidden=True)]
    others = [book("books/A.txt"), book("books/a.txt.old")]
    assert {found.row.pk for found in rows_naming(storage(), "books/a.txt")} == {
        each.pk for each in naming
    }
    assert rename_with_rows(storage(), "books/a.txt", "books//b.txt") == ("books/b.txt", 2)
    with connection.cursor() as cursor:  # the manager hides rows
        cursor.execute("SELECT id, text FROM testapp_book")
        rows = dict(cursor.fetchall())
    assert {rows[each.pk] for each in naming} == {"books/b.txt"}
    assert [rows[each.pk] for each in others] == ["books/A.txt", "books/a.txt.old"]


def test_every_column_of_the_storage_and_no_other_follows(database: str) -> None:
    storage().save("scans/a.txt", ContentFile(b"words"))
    letter = SignedLetter.objects.create(
        scan="scans/a.txt", copy="scans/a.txt", signature="scans/a.txt"
    )
    # Its storage has another namespace, where a file of this name is another file.
    assert rename_with_rows(storage(), "scans/a.txt", "scans/b.txt") == ("scans/b.txt", 0)
    letter.refresh_from_db()
    assert letter.scan.name == "scans/a.txt"


def test_a_failure_changes_neither_file_nor_rows(database: str) -> None:
    storage().save("books/a.txt", ContentFile(b"words"))
    row = book("books/a.txt")
    for name, error in (("books/" + "x" * 250, ValueError), ("books/a.txt/b", FileExistsError)):
        with pytest.raises(error):
            rename_with_rows(storage(), "books/a.txt", name)
    assert storage().exists("books/a.txt")
    assert [found.row.pk for found in rows_naming(storage(), "books/a.txt")] == [row.pk]
