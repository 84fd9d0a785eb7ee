"""Which names are held by rows, as the storage compares names: exactly."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import connections
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.references import ReferredNames, referred
from tests.testapp.models import Book, Letter

pytestmark = pytest.mark.django_db(transaction=True, databases=["default"])


@pytest.fixture
def books(database: str, settings: Settings) -> Iterator[str]:
    """Keep books in each database in turn."""
    settings.DATABASE_ROUTERS = []
    connection = connections[database]
    if database == "default":
        yield database
        return
    with connection.schema_editor() as editor:
        editor.create_model(Book)
    try:
        yield database
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Book)


@pytest.mark.parametrize("other", ["TAX.pdf", "täx.pdf", "tax.pdf ", "t_x.pdf", "%"])
def test_a_name_is_compared_exactly(books: str, other: str) -> None:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    Book._base_manager.using(books).create(text="tax.pdf")
    assert referred(storage, ["tax.pdf", other], using=books) == {"tax.pdf"}
    assert referred(storage, [other], using=books) == set()


def test_a_file_stays_while_another_row_spells_it_in_another_way() -> None:
    letter = Letter.objects.create(scan=ContentFile(b"content", "a.png"))
    storage = letter.scan.storage
    Letter.objects.create(scan="scans/a.png")
    Letter.objects.filter(pk=letter.pk).update(scan="scans//a.png")
    Letter.objects.get(pk=letter.pk).delete()
    assert storage.exists("scans/a.png")


class LegacyRouter:
    """Rows are in a database whose tables are somebody else's to migrate."""

    def db_for_read(self, model: object, **hints: object) -> str:
        return "default"

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return False


def test_rows_count_where_the_routers_look_for_them(settings: Settings) -> None:
    Book._base_manager.create(text="a.pdf")
    settings.DATABASE_ROUTERS = [LegacyRouter()]
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    assert referred(storage, ["a.pdf"]) == {"a.pdf"}
    assert "a.pdf" in ReferredNames(storage)


class Wrapper(Storage):
    """Passes its files on, in a way that nobody sees."""


def test_a_name_in_a_storage_that_may_pass_its_files_on_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Book._base_manager.create(text="a.pdf")
    storage, field = storages["default"], Book._meta.get_field("text")
    assert isinstance(storage, DatabaseStorage)
    for other, names in ((FileSystemStorage(tmp_path), set()), (Wrapper(), {"a.pdf"})):
        monkeypatch.setattr(field, "storage", other)
        assert referred(storage, ["a.pdf"]) == names
        assert ("a.pdf" in ReferredNames(storage)) is bool(names)


def test_a_table_counts_in_whatever_case_a_database_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Book._base_manager.create(text="a.pdf")
    introspection = connections["default"].introspection
    shown = [table.upper() for table in introspection.table_names()]
    monkeypatch.setattr(introspection, "table_names", lambda **options: shown)
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    assert "a.pdf" in ReferredNames(storage)
