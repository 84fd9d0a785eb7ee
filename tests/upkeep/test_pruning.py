"""Files and rows that are no longer needed are deleted, and nothing else."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connections
from django.utils import timezone

from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import uses
from secure_dbstorage.upkeep.pruning import (
    Pruned,
    prune_deleted,
    prune_expired,
    prune_rows,
    prune_unfinished,
    prune_unreferenced,
)
from tests.support.aliases import added_alias
from tests.support.uploads import begin_upload, finish_upload
from tests.support.waiting import wait_until
from tests.testapp.models import Book

#: Models are in the default database, wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

DAY = timedelta(days=1)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    """Return the default storage, in each database."""
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage


def names(pruned: Iterable[Pruned]) -> list[str]:
    return [item.name for item in pruned]


def present(storage: DatabaseStorage) -> list[str]:
    return sorted(str(row.name) for row in storage.catalog.files())


def age(storage: DatabaseStorage, *names: str, by: timedelta = 2 * DAY) -> None:
    """Make files older."""
    files = storage.catalog.files().filter(name__in=names)
    files.update(modified=timezone.now() - by)


class TestDeleted:
    """Deleted files, while they are kept and afterwards."""

    @pytest.fixture
    def keeping(self, database: str) -> DatabaseStorage:
        return DatabaseStorage(using=database, keep_deleted=2 * DAY, allow_overwrite=True)

    def test_those_that_were_kept_for_long_enough_are_erased(
        self, keeping: DatabaseStorage, database: str
    ) -> None:
        large = b"x" * (keeping.options.chunk_size + 1)
        for name in ("a.txt", "b.txt", "c.txt"):
            keeping.save(name, large)
        keeping.save("b.txt", b"x")
        keeping.delete("a.txt")
        old = keeping.catalog.trash.files().filter(name__startswith="a.txt")
        old.update(link_epoch=time.time_ns() // 1000 - 2 * 24 * 3600 * 10**6)
        expected = [Pruned(kind="deleted", name="a.txt", size=len(large))]
        assert list(prune_deleted(keeping, dry_run=True)) == expected
        assert list(prune_deleted(keeping, dry_run=False)) == expected
        assert list(prune_deleted(keeping, dry_run=False)) == []
        assert len(keeping.versions("b.txt")) == 1
        assert StoredFile.rows.using(database).count() == 1 + 2 + 2

    def test_those_that_would_have_expired_are_erased(self, keeping: DatabaseStorage) -> None:
        keeping.save("a.txt", b"x")
        keeping.delete("a.txt")
        keeping.catalog.trash.files().update(expires=PAST)
        assert names(prune_deleted(keeping, dry_run=False)) == ["a.txt"]

    def test_once_the_option_is_off_all_are_erased(
        self, storage: DatabaseStorage, keeping: DatabaseStorage
    ) -> None:
        keeping.save("a.txt", b"x")
        keeping.delete("a.txt")
        assert names(prune_deleted(storage, dry_run=False)) == ["a.txt"]

    def test_rows_of_deleted_files_are_no_strays(
        self, keeping: DatabaseStorage, database: str
    ) -> None:
        keeping.save("a.txt", b"x" * (keeping.options.chunk_size + 1))
        keeping.delete("a.txt")
        assert list(prune_rows(database, dry_run=False)) == []
        assert keeping.undelete("a.txt")

    def test_an_expired_file_is_not_kept(self, keeping: DatabaseStorage, database: str) -> None:
        keeping.save("a.txt", b"x")
        keeping.set_expires("a.txt", PAST)
        assert names(prune_expired(keeping, dry_run=False)) == ["a.txt"]
        assert StoredFile.rows.using(database).count() == 0

    def test_an_unreferenced_file_can_be_restored(self, keeping: DatabaseStorage) -> None:
        keeping.save("a.txt", b"x")
        age(keeping, "a.txt")
        assert names(prune_unreferenced(keeping, older_than=DAY, dry_run=False)) == ["a.txt"]
        keeping.undelete("a.txt")
        # It has another day to be referred to.
        assert names(prune_unreferenced(keeping, older_than=DAY, dry_run=False)) == []


class TestExpired:
    """Temporary files."""

    def test_expired_files_are_deleted_with_all_their_rows(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        large = b"x" * (storage.options.chunk_size + 1)
        for name in ("a.txt", "b.txt", "c.txt"):
            storage.save(name, large)
        storage.set_expires("a.txt", PAST)
        storage.set_expires("b.txt", timezone.now() + DAY)
        pruned = list(prune_expired(storage, dry_run=False))
        assert pruned == [Pruned(kind="expired", name="a.txt", size=len(large))]
        assert present(storage) == ["b.txt", "c.txt"]
        assert StoredFile.rows.using(database).count() == 4
        assert list(prune_expired(storage, dry_run=False)) == []

    def test_a_dry_run_deletes_nothing(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"x")
        storage.set_expires("a.txt", PAST)
        assert names(prune_expired(storage, dry_run=True)) == ["a.txt"]
        assert present(storage) == ["a.txt"]

    def test_a_file_whose_lifetime_is_extended_meanwhile_stays(
        self, storage: DatabaseStorage
    ) -> None:
        for name in ("a.txt", "b.txt"):
            storage.save(name, b"x")
            storage.set_expires(name, PAST)
        pruned = prune_expired(storage, dry_run=False)
        assert next(pruned).name == "a.txt"
        storage.set_expires("b.txt", None)
        assert names(pruned) == []
        assert present(storage) == ["b.txt"]

    def test_other_storages_keep_theirs(self, storage: DatabaseStorage) -> None:
        other = storages["invoices"]
        assert isinstance(other, DatabaseStorage)
        other.save("a.txt", b"x")
        other.set_expires("a.txt", PAST)
        assert names(prune_expired(storage, dry_run=False)) == []
        assert other.exists("a.txt")

    def test_files_are_deleted_over_several_queries(
        self, storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("secure_dbstorage.models._PAGE_LENGTH", 2)
        for number in range(5):
            storage.save(f"{number}.txt", b"x")
            storage.set_expires(f"{number}.txt", PAST)
        assert len(names(prune_expired(storage, dry_run=False))) == 5
        assert present(storage) == []


class TestUnreferenced:
    """Files that no FileField refers to."""

    def test_files_that_no_model_refers_to_are_deleted(self, storage: DatabaseStorage) -> None:
        storage.save("lost.txt", b"x")
        Book.objects.create(text=storage.save("books/shown.txt", b"x"))
        Book.objects.create(text=storage.save("books/hidden.txt", b"x"), is_hidden=True)
        age(storage, "lost.txt", "books/shown.txt", "books/hidden.txt")
        pruned = prune_unreferenced(storage, older_than=DAY, dry_run=False)
        assert names(pruned) == ["lost.txt"]
        assert present(storage) == ["books/hidden.txt", "books/shown.txt"]

    def test_new_ones_stay(self, storage: DatabaseStorage) -> None:
        storage.save("new.txt", b"x")
        storage.save("old.txt", b"x")
        age(storage, "old.txt")
        pruned = prune_unreferenced(storage, older_than=DAY, dry_run=True)
        assert names(pruned) == ["old.txt"]

    def test_another_spelling_of_a_name_is_a_reference(self, storage: DatabaseStorage) -> None:
        storage.save("books/a.txt", b"x")
        Book.objects.create(text="./books//a.txt")
        Book.objects.create(text="../no name")
        age(storage, "books/a.txt")
        assert names(prune_unreferenced(storage, older_than=DAY, dry_run=True)) == []

    def test_a_file_referred_to_in_the_meantime_stays(
        self, storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("secure_dbstorage.upkeep.pruning._BATCH", 1)
        for name in ("0.txt", "1.txt"):
            storage.save(name, b"x")
        age(storage, "0.txt", "1.txt")
        pruned = prune_unreferenced(storage, older_than=DAY, dry_run=False)
        assert next(pruned).name == "0.txt"
        Book.objects.create(text="1.txt")
        assert names(pruned) == []
        assert present(storage) == ["1.txt"]

    def test_prefix_and_keep_limit_the_directories(self, storage: DatabaseStorage) -> None:
        for name in ("a/1", "a/keep/2", "a/keep3", "b/4"):
            storage.save(name, b"x")
            age(storage, name)
        pruned = prune_unreferenced(
            storage, older_than=DAY, prefix="a", keep=("a/keep",), dry_run=False
        )
        assert names(pruned) == ["a/1", "a/keep3"]


class TestUnfinished:
    """Uploads without a name."""

    def test_those_whose_time_is_over_are_deleted_with_all_their_rows(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.txt", b"x")
        begin_upload(database, key=1, rows=3)
        begin_upload(database, key=2, rows=3, expires=timezone.now() + DAY)
        begin_upload(database, key=3, data=b"")
        expected = [
            Pruned(kind="unfinished", name="1", size=3 * 4096),
            Pruned(kind="unfinished", name="3", size=0),
        ]
        assert list(prune_unfinished(storage, dry_run=True)) == expected
        assert StoredFile.rows.using(database).count() == 1 + 3 + 3 + 1
        assert list(prune_unfinished(storage, dry_run=False)) == expected
        contents = StoredFile.rows.using(database).filter(name=None).content_keys()
        assert list(contents) == [2]
        assert present(storage) == ["a.txt"]

    def test_an_upload_that_gets_its_name_meanwhile_stays(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        for key in (1, 2):
            begin_upload(database, key=key, rows=2)
        pruned = prune_unfinished(storage, dry_run=False)
        assert next(pruned).name == "1"
        assert finish_upload(database, key=2, name="a.txt")
        assert names(pruned) == []
        assert present(storage) == ["a.txt"]
        assert StoredFile.rows.using(database).count() == 2

    def test_other_storages_keep_theirs(self, storage: DatabaseStorage, database: str) -> None:
        begin_upload(database, key=1, namespace="invoices")
        assert names(prune_unfinished(storage, dry_run=False)) == []
        assert StoredFile.rows.using(database).count() == 1

    def test_nothing_else_takes_them_for_files_or_strays(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        begin_upload(database, key=1, rows=3)
        assert list(prune_rows(database, dry_run=False)) == []
        assert list(prune_expired(storage, dry_run=False)) == []
        assert list(prune_unreferenced(storage, older_than=-DAY, dry_run=False)) == []
        assert StoredFile.rows.using(database).count() == 3


class TestRows:
    """Rows without a file."""

    def test_stray_rows_are_deleted_and_files_stay(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.txt", b"x" * (storage.options.chunk_size * 2 + 1))
        rows = StoredFile.rows.using(database)
        for position in (1, 2):
            rows.create(content=7, position=position, data=b"stray")
        expected = [Pruned(kind="stray", name="7", size=10)]
        assert list(prune_rows(database, dry_run=True)) == expected
        assert rows.count() == 5
        assert list(prune_rows(database, dry_run=False)) == expected
        assert rows.count() == 3
        assert storage.size("a.txt") == len(storage.open("a.txt").read())

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("database", ["mariadb"], indirect=True)
    def test_a_file_that_is_being_saved_is_not_stray_where_uncommitted_rows_are_seen(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        options = {"isolation_level": "read uncommitted", "charset": "utf8mb4"}

        def prune() -> list[Pruned]:
            try:
                with added_alias("uncommitted", like=database, OPTIONS=options):
                    return list(prune_rows("uncommitted", dry_run=False))
            finally:
                connections.close_all()

        def waits_for_a_row() -> bool:
            with connections[database].cursor() as cursor:
                cursor.execute("SHOW FULL PROCESSLIST")
                running = [row[7] or "" for row in cursor.fetchall()]
            return any("FOR UPDATE" in text or text.startswith("DELETE") for text in running)

        with ThreadPoolExecutor(1) as pool:
            pruned: list[Future[list[Pruned]]] = []

            def pieces() -> Iterator[bytes]:
                # One statement's worth of rows is in the table when the next piece is asked for.
                yield bytes(storage.options.chunk_size + STATEMENT_BYTES)
                pruned.append(pool.submit(prune))
                wait_until(lambda: waits_for_a_row() or pruned[0].done())
                yield b"end"

            content = ContentFile(b"")
            content.chunks = pieces  # type: ignore[assignment, method-assign]
            storage.save("a.bin", content)
            assert pruned[0].result(60) == []
        assert len(storage.open("a.bin").read()) == storage.size("a.bin") > STATEMENT_BYTES

    def test_records_of_used_links_are_deleted_once_the_link_has_expired(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        assert uses.begin(1, b"client", PAST, now=0, using=database)
        assert uses.begin(2, b"client", timezone.now() + DAY, now=0, using=database)
        assert [item.kind for item in prune_rows(database, dry_run=False)] == ["used"]
        assert not uses.begin(2, b"client", PAST, now=0, using=database)
        assert uses.begin(1, b"client", PAST, now=0, using=database)

    def test_a_turn_that_was_taken_anew_meanwhile_stays(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        inbox = storage.inbox
        uploads = [inbox.new(10, timezone.now() + DAY) for _ in range(2)]
        for upload in uploads:
            assert inbox.take_turn(inbox.new_turn(upload))  # By a server that then died.
        StoredFile.rows.using(database).use_marks().update(expires=PAST)
        found = prune_rows(database, dry_run=False)
        assert next(found).kind == "turn"
        (left,) = StoredFile.rows.using(database).use_marks()
        (upload,) = [each for each in uploads if inbox.new_turn(each).key == left.content]
        assert inbox.take_turn(inbox.new_turn(upload))
        assert list(found) == []
        assert not inbox.take_turn(inbox.new_turn(upload))
