"""Files are deleted with the model instance that owns them, if the storage says so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import transaction

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.changes import Changes
from tests.testapp.models import Book, Letter, SignedLetter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def files() -> Callable[[], list[str]]:
    """Return a function that returns the names of all files owned by letters."""
    storage = Letter._meta.get_field("scan").storage
    assert isinstance(storage, DatabaseStorage)
    return lambda: sorted(str(row.name) for row in storage.catalog.files())


def file(name: str) -> "ContentFile[bytes]":
    return ContentFile(b"content", name)


def test_a_file_is_deleted_with_its_instance(files: Callable[[], list[str]]) -> None:
    letter = Letter.objects.create(scan=file("a.png"), copy=file("b.png"))
    Letter.objects.create(scan=file("c.png"))
    assert files() == ["copies/b.png", "scans/a.png", "scans/c.png"]
    letter.delete()
    assert files() == ["scans/c.png"]


def test_it_can_be_restored_if_the_storage_keeps_what_is_deleted(
    files: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Letter._meta.get_field("scan").storage
    assert isinstance(storage, DatabaseStorage)
    keeping = replace(storage.options, keep_deleted=timedelta(days=1))
    monkeypatch.setitem(storage.__dict__, "options", keeping)
    catalog = Catalog(keeping)
    monkeypatch.setitem(storage.__dict__, "catalog", catalog)
    monkeypatch.setitem(storage.__dict__, "changes", Changes(keeping, catalog))
    Letter.objects.create(scan=file("a.png")).delete()
    assert files() == []
    assert storage.undelete("scans/a.png") == "scans/a.png"
    assert files() == ["scans/a.png"]


def test_files_go_with_many_instances_at_once(files: Callable[[], list[str]]) -> None:
    for number in range(3):
        Letter.objects.create(scan=file(f"{number}.png"), subject="old" if number else "new")
    Letter.objects.filter(subject="old").delete()
    assert files() == ["scans/0.png"]


def test_a_replaced_or_cleared_file_is_deleted(files: Callable[[], list[str]]) -> None:
    letter = Letter.objects.create(scan=file("a.png"), copy=file("b.png"))
    letter.scan = file("new.png")  # type: ignore[assignment]
    letter.copy = None  # type: ignore[assignment]
    letter.save()
    assert files() == ["scans/new.png"]
    letter.scan.save("newer.png", file("newer.png"))
    assert files() == ["scans/newer.png"]


def test_unsaved_changes_delete_nothing(files: Callable[[], list[str]]) -> None:
    letter = Letter.objects.create(scan=file("a.png"), copy=file("b.png"))
    letter.copy = None  # type: ignore[assignment]
    letter.subject = "new"
    letter.save(update_fields=["subject"])
    letter.refresh_from_db()
    letter.save()
    assert files() == ["copies/b.png", "scans/a.png"]


def test_a_transaction_that_rolls_back_keeps_the_file(files: Callable[[], list[str]]) -> None:
    letter = Letter.objects.create(scan=file("a.png"))
    with transaction.atomic():
        Letter.objects.get().delete()
        transaction.set_rollback(True)
    with transaction.atomic():
        letter.scan = file("b.png")  # type: ignore[assignment]
        letter.save()
        transaction.set_rollback(True)
    assert files() == ["scans/a.png"]


def test_a_file_is_deleted_when_the_transaction_is_committed(
    files: Callable[[], list[str]],
) -> None:
    letter = Letter.objects.create(scan=file("a.png"))
    with transaction.atomic():
        letter.delete()
        assert files() == ["scans/a.png"]
    assert files() == []


def test_a_file_that_another_instance_has_stays(files: Callable[[], list[str]]) -> None:
    letter = Letter.objects.create(scan=file("a.png"))
    copy = Letter.objects.create(scan="scans/other.png", copy="scans/a.png")
    letter.delete()
    assert files() == ["scans/a.png"]
    copy.delete()
    assert files() == []


def test_files_of_a_model_and_of_its_parent_are_deleted(files: Callable[[], list[str]]) -> None:
    letter = SignedLetter.objects.create(scan=file("a.png"), signature=file("b.png"))
    letter.scan = file("c.png")  # type: ignore[assignment]
    letter.save()
    assert files() == ["scans/c.png", "signatures/b.png"]
    letter.delete()
    assert files() == []


def test_files_of_other_storages_stay() -> None:
    book = Book.objects.create(text=file("a.txt"))
    storage = book.text.storage
    book.text = file("b.txt")  # type: ignore[assignment]
    book.save()
    book.delete()
    assert storage.exists("books/a.txt")
    assert storage.exists("books/b.txt")
