"""Which names are held by rows, as the storage compares names: exactly."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import connections
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from secure_dbstorage.exceptions import ReferencesHidden
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep import revisions
from secure_dbstorage.upkeep.pruning import prune_unreferenced
from secure_dbstorage.upkeep.references import ReferredNames, referred
from tests.support.aliases import added_alias
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


@pytest.mark.parametrize(
    "spelling",
    [
        *("scans/a.png", "scans//a.png", "./scans/a.png", "scans/./a.png", "scans/a.png/"),
        *("scans/a.png/.", "scans\\a.png", ".\\scans\\.\\a.png\\", "./scans\\a.png"),
        *("./scans//a.png", "scans\\\\a.png", ".\\scans\\\\a.png"),
    ],
)
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_file_stays_while_another_row_spells_it_in_another_way(
    spelling: str, *, is_deleted: bool
) -> None:
    letter = Letter.objects.create(scan=ContentFile(b"content", "a.png"))
    storage = letter.scan.storage
    other = Letter.objects.create(scan="scans/a.png")
    odd = letter if is_deleted else other
    Letter.objects.filter(pk=odd.pk).update(scan=spelling)
    Letter.objects.get(pk=letter.pk).delete()
    assert storage.exists("scans/a.png")
    Letter.objects.get(pk=other.pk).delete()
    assert not storage.exists("scans/a.png")


@pytest.mark.parametrize("spelling", ["./%_'.pdf", "%_'.pdf/", "x\\..\\%_'.pdf", "./ünï.pdf"])
def test_any_spelling_counts_on_every_database(books: str, spelling: str) -> None:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    Book._base_manager.using(books).create(text=spelling)
    Book._base_manager.using(books).create(text=spelling.replace("pdf", "png"))
    wanted = ["%_'.pdf", "ünï.pdf", "a.pdf"]
    held = set() if ".." in spelling else {spelling.strip("./")}
    assert referred(storage, wanted, using=books) == held
    assert set.union(*(referred(storage, [name], using=books) for name in wanted)) == held


def test_a_single_name_is_looked_up_in_an_index_of_the_column() -> None:
    storage, connection = storages["default"], connections["default"]
    assert isinstance(storage, DatabaseStorage)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX book_texts ON testapp_book (text)")
        try:
            with CaptureQueriesContext(connection) as ran:
                referred(storage, ["books/2026/a.pdf"], using="default")
            (query,) = [query["sql"] for query in ran if 'FROM "testapp_book"' in query["sql"]]
            cursor.execute(f"EXPLAIN QUERY PLAN {query}")
            plan = str(cursor.fetchall())
        finally:
            cursor.execute("DROP INDEX book_texts")
    assert "SEARCH testapp_book USING COVERING INDEX book_texts (text=?)" in plan


def test_a_deep_name_counts_in_any_spelling_too() -> None:
    storage, name = storages["default"], "/".join("abcdefghijklm")
    assert isinstance(storage, DatabaseStorage)
    Book._base_manager.create(text=f"./{name}/".replace("/", "\\"))
    assert referred(storage, [name], using="default") == {name}


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


class OnlyIn:
    """Rows are in one database, or in others that no test has but its own."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: object, **hints: object) -> str:
        return self.alias

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db in (self.alias, "tenant")


@pytest.mark.django_db(databases=["default", "postgres"])
class TestSharedByTenants:
    """A table of files that tenants share, each of whom has a schema for the rest."""

    @pytest.fixture
    def storage(self, settings: Settings) -> DatabaseStorage:
        settings.DATABASE_ROUTERS = [OnlyIn("postgres")]
        for schema in ("a", "b"):
            execute(f"CREATE SCHEMA {schema}")
            create(Book, schema)
        storage = storages["default"]
        assert isinstance(storage, DatabaseStorage)
        return storage

    @pytest.mark.parametrize("path", ["a, public", "b, public", "public"])
    def test_no_file_seems_unreferenced_while_rows_are_out_of_reach(
        self, storage: DatabaseStorage, path: str
    ) -> None:
        set_path(path)
        storage.save("a.pdf", b"x")
        with pytest.raises(ReferencesHidden, match=r"ha(s|ve) a table 'testapp_book'"):
            list(prune_unreferenced(storage, older_than=timedelta(), dry_run=False))
        assert storage.exists("a.pdf")

    @pytest.mark.parametrize("path", ["a, public", "b, public", "public"])
    def test_schemas_with_tables_of_files_share_none(
        self, storage: DatabaseStorage, path: str
    ) -> None:
        create(StoredFile, "a")
        create(StoredFile, "b")
        set_path(path)
        storage.save("a.pdf", b"x")
        found = prune_unreferenced(storage, older_than=-timedelta(seconds=1), dry_run=False)
        assert [item.name for item in found] == ["a.pdf"]

    def test_a_schema_may_share_the_files_of_one_that_has_such_a_table_too(
        self, storage: DatabaseStorage
    ) -> None:
        execute("DROP SCHEMA b CASCADE")
        create(Book, "public")  # Of an app that is there with and without a tenant.
        set_path("a, public")
        with pytest.raises(ReferencesHidden, match="The schema 'public' has a table"):
            ReferredNames(storage)

    def test_a_schema_can_be_ignored_by_its_name(self, storage: DatabaseStorage) -> None:
        set_path("a, public")
        Book._base_manager.using("postgres").create(text="a.pdf")
        for ignored in ((), ("a",), ("B", "")):
            with pytest.raises(ReferencesHidden, match="The schema 'b' has") as caught:
                ReferredNames(storage, ignored_schemas=ignored)
            assert caught.value.schemas == ("b",)
        # What is in reach counts all the same.
        assert "a.pdf" in ReferredNames(storage, ignored_schemas=("a", "b"))

    def test_a_versions_table_out_of_reach_counts_too(
        self, storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        execute("DROP SCHEMA b CASCADE")
        set_path("a, public")
        assert len(ReferredNames(storage)) == 0
        monkeypatch.setattr(revisions, "models", lambda: [Letter])
        create(Letter, "public")
        create(Letter, "a")
        set_path("a, public")
        with pytest.raises(
            ReferencesHidden, match=r"The schema 'public' has a table 'testapp_let"
        ):
            ReferredNames(storage)


def execute(statement: str) -> None:
    with connections["postgres"].cursor() as cursor:
        cursor.execute(statement)


def set_path(path: str) -> None:
    execute(f"SET LOCAL search_path TO {path}")


def create(model: type[Model], schema: str) -> None:
    set_path(schema)
    with connections["postgres"].schema_editor() as editor:
        editor.create_model(model)


@pytest.mark.django_db(transaction=True, databases=["default", "postgres"])
def test_rows_that_another_alias_reaches_are_not_hidden(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = [OnlyIn("postgres")]
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    path = {"OPTIONS": {"options": "-c search_path=a,public"}}
    with added_alias("tenant", "postgres", **path) as connection, ExitStack() as ending:
        execute("CREATE SCHEMA a")
        ending.callback(execute, "DROP SCHEMA a CASCADE")
        with connection.schema_editor() as editor:
            editor.create_model(Book)
        Book._base_manager.using("tenant").create(text="a.pdf")
        with pytest.raises(ReferencesHidden):
            ReferredNames(storage)
        connections.settings["tenant"] = connection.settings_dict
        ending.callback(connections.settings.pop, "tenant")
        assert "a.pdf" in ReferredNames(storage)


def test_a_table_counts_whose_schema_the_model_names(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, books: str
) -> None:
    settings.DATABASE_ROUTERS = [OnlyIn(books)]
    Book._base_manager.using(books).create(text="a.pdf")
    name = str(connections[books].settings_dict["NAME"])
    schema = {"sqlite": "main", "postgresql": "public"}.get(connections[books].vendor, name)
    quote = connections[books].ops.quote_name("a")[0]
    monkeypatch.setattr(Book._meta, "db_table", f"{schema}{quote}.{quote}{Book._meta.db_table}")
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    assert referred(storage, ["a.pdf"], using=books) == {"a.pdf"}
