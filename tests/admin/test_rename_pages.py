"""A renamed file stays the file of the rows that name it."""

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile
from django.test import Client

from tests.support.admin import YES, messages_of, page, row, save, signed_in, storage
from tests.testapp.models import Book

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

RENAME = {"operation": "rename", "name": "books/new.txt"}


def test_the_rows_that_change_are_listed_first(database: str, chief: Client) -> None:
    book = Book(text=storage().save("books/a.txt", ContentFile(b"words")))
    book.save()
    file = row("books/a.txt")
    asked = chief.post(page(file), RENAME)
    assert "These database rows refer to the file" in asked.text
    assert "book: books/a.txt" in asked.text
    book.refresh_from_db()
    assert (book.text.name, row("books/a.txt").pk) == ("books/a.txt", file.pk)
    answer = chief.post(page(file), {**RENAME, **YES}, follow=True)
    assert messages_of(answer) == ["The file was renamed to “books/new.txt”. 1 row was changed."]
    book.refresh_from_db()
    assert book.text.name == "books/new.txt"
    assert book.text.storage.exists(book.text.name)
    assert LogEntry.objects.get().get_change_message() == "Renamed to “books/new.txt”."


def test_a_row_that_has_the_new_name_already_is_listed(chief: Client) -> None:
    book = Book.objects.create(text="books/new.txt")
    asked = chief.post(page(save("books/a.txt")), RENAME)
    assert "already refer to the new name" in asked.text
    assert "book: books/new.txt" in asked.text
    assert book.text.name == "books/new.txt"


def test_a_row_that_a_user_may_not_see_is_not_described(chief: Client) -> None:
    file = save("books/secret.txt")
    book = Book.objects.create(text="books/secret.txt")
    asked = signed_in("view", "change", "open").post(page(file), RENAME)
    assert f"<li>book {book.pk}</li>" in asked.text


def test_a_file_that_no_row_names_is_renamed_at_once(chief: Client) -> None:
    file = save("a.txt")
    answer = chief.post(page(file), RENAME, follow=True)
    assert messages_of(answer) == ["The file was renamed to “books/new.txt”."]


def test_a_name_too_long_for_a_row_is_a_form_error(chief: Client) -> None:
    file = save("books/a.txt")
    Book.objects.create(text="books/a.txt")
    answer = chief.post(page(file), {**RENAME, "name": "x" * 201, **YES})
    assert "longer than the 200 characters of book.text" in answer.text
    assert storage().exists("books/a.txt")
