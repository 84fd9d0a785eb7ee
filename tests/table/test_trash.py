"""The trash: what was deleted or overwritten comes back, and nothing else finds it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from secure_dbstorage.files import DeletedFile
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import MAX_LENGTH
from secure_dbstorage.storage import DatabaseStorage
from tests.support.files import CHUNK_SIZE, LARGE, captured, read, undone

DAY = timedelta(days=1)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def make(database: str) -> Callable[..., DatabaseStorage]:
    def make(**options: Any) -> DatabaseStorage:
        given = {"keep_deleted": 30 * DAY, "allow_overwrite": True, **options}
        return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE, **given)

    return make


@pytest.fixture
def storage(make: Callable[..., DatabaseStorage]) -> DatabaseStorage:
    return make()


def rows(storage: DatabaseStorage) -> int:
    count: int = StoredFile.rows.using(storage.catalog.writer).count()
    return count


def age(storage: DatabaseStorage, by: timedelta) -> None:
    """Let everything in the trash have been deleted earlier."""
    for row in storage.catalog.trash.files():
        earlier = (row.link_epoch or 0) - by // timedelta(microseconds=1)
        storage.catalog.trash.files().filter(pk=row.pk).update(link_epoch=earlier)


def by_open(storage: DatabaseStorage, name: str, content: bytes) -> None:
    with storage.open(name, "wb") as file:
        file.write(content)


def by_upload(storage: DatabaseStorage, name: str, content: bytes) -> None:
    upload = storage.inbox.new(len(content), timezone.now() + DAY)
    storage.inbox.adopt_over(name, storage.inbox.append(upload, [content]))


OVERWRITES: dict[str, Callable[[DatabaseStorage, str, bytes], object]] = {
    "save": lambda storage, name, content: storage.save(name, ContentFile(content)),
    "open": by_open,
    "upload": by_upload,
}


class TestDeleting:
    """What ``delete()`` leaves."""

    @pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
    def test_a_deleted_file_comes_back_as_it_was(
        self, storage: DatabaseStorage, content: bytes
    ) -> None:
        storage.save("dir/a.txt", content)
        before = storage.stat("dir/a.txt")
        storage.delete("dir/a.txt")
        assert not storage.exists("dir/a.txt")
        assert not storage.exists("dir")
        assert storage.undelete("dir/a.txt") == "dir/a.txt"
        after = storage.stat("dir/a.txt")
        assert read(storage, "dir/a.txt") == content
        assert after.modified > before.modified
        kept = ("size", "sha256", "content_type", "is_public", "created", "expires")
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
        assert storage.versions("dir/a.txt") == []

    def test_its_row_keeps_content_size_and_key(self, storage: DatabaseStorage) -> None:
        storage.save("a.bin", LARGE)
        rows = StoredFile.rows.using(storage.catalog.writer)
        rows.filter(position=0).update(sealed_key=b"sealed")
        (before,) = rows.filter(position=0).values()
        storage.delete("a.bin")
        (after,) = rows.filter(position=0).values()
        changed = {name for name in before if bytes_of(before[name]) != bytes_of(after[name])}
        assert changed == {"namespace", "name", "link_epoch"}
        assert after["namespace"] == "~"

    def test_it_takes_no_statement_more_than_deleting_for_good(
        self, make: Callable[..., DatabaseStorage]
    ) -> None:
        counts = []
        for storage in (make(), make(keep_deleted=None)):
            storage.save("a.bin", LARGE)
            with captured(storage.catalog.writer) as statements:
                storage.delete("a.bin")
            counts.append(len(statements.verbs))
        assert counts == [2, 2]

    def test_without_the_option_nothing_is_kept(
        self, make: Callable[..., DatabaseStorage]
    ) -> None:
        storage = make(keep_deleted=None)
        storage.save("a.bin", LARGE)
        storage.save("a.bin", b"new")
        storage.delete("a.bin")
        assert rows(storage) == 0
        with captured(storage.catalog.writer) as statements:
            assert storage.versions("a.bin") == []
        assert statements.verbs == []
        with pytest.raises(FileNotFoundError):
            storage.undelete("a.bin")

    def test_forever_leaves_nothing_of_the_name(self, storage: DatabaseStorage) -> None:
        for content in (LARGE, b"second", LARGE):
            storage.save("a.bin", content)
        storage.save("a.bin.txt", b"other")
        storage.save("b/a.bin", b"another")
        for name in ("a.bin.txt", "b/a.bin"):
            storage.delete(name)
        storage.delete("a.bin", forever=True)
        assert rows(storage) == 2
        assert storage.versions("a.bin") == []
        assert [len(storage.versions(name)) for name in ("a.bin.txt", "b/a.bin")] == [1, 1]

    def test_forever_erases_what_is_in_the_trash_alone(self, storage: DatabaseStorage) -> None:
        storage.save("a.bin", LARGE)
        storage.delete("a.bin")
        storage.delete("a.bin", forever=True)
        assert rows(storage) == 0
        storage.delete("a.bin", forever=True)  # As without `forever`, there need not be one.

    def test_forever_spares_a_directory_of_that_name(self, storage: DatabaseStorage) -> None:
        storage.save("a", b"file")
        storage.delete("a")
        storage.save("a/b", b"below")
        storage.save("a/c", b"deleted")
        storage.delete("a/c")
        storage.delete("a", forever=True)
        assert storage.exists("a/b")
        assert len(storage.versions("a/c")) == 1
        assert storage.versions("a") == []
        with pytest.raises(OSError, match="not empty"):
            storage.delete("a", forever=True)

    def test_a_deletion_that_is_rolled_back_leaves_the_file(
        self, storage: DatabaseStorage
    ) -> None:
        storage.save("a.txt", b"x")
        with undone(storage.catalog.writer):
            storage.delete("a.txt")
            assert storage.versions("a.txt")
        assert read(storage, "a.txt") == b"x"
        assert storage.versions("a.txt") == []

    @pytest.mark.parametrize("name", ["x" * MAX_LENGTH, "é" * MAX_LENGTH, "😀" * MAX_LENGTH])
    def test_the_longest_names_fit(self, make: Callable[..., DatabaseStorage], name: str) -> None:
        storage = make(namespace="n" * 90)
        storage.save(name, b"x")
        storage.delete(name)
        assert storage.undelete(name) == name
        assert read(storage, name) == b"x"

    @pytest.mark.parametrize("name", ["../a", "a\n", "/a"])
    def test_a_dangerous_name_is_refused(self, storage: DatabaseStorage, name: str) -> None:
        for method in (storage.undelete, storage.versions, partial(storage.delete, forever=True)):
            with pytest.raises(SuspiciousFileOperation):
                method(name)


class TestOverwriting:
    """What an overwrite leaves."""

    @pytest.mark.parametrize("way", OVERWRITES)
    @pytest.mark.parametrize("content", [b"first", LARGE], ids=["small", "large"])
    def test_the_old_content_is_kept(
        self, storage: DatabaseStorage, way: str, content: bytes
    ) -> None:
        storage.save("a.txt", content)
        OVERWRITES[way](storage, "a.txt", b"second")
        assert read(storage, "a.txt") == b"second"
        (version,) = storage.versions("a.txt")
        assert (version.name, version.size) == ("a.txt", len(content))
        storage.delete("a.txt")
        storage.undelete("a.txt", version=version)
        assert read(storage, "a.txt") == content
        assert [kept.size for kept in storage.versions("a.txt")] == [len(b"second")]

    @pytest.mark.parametrize("way", ["save", "upload"])
    @pytest.mark.parametrize("content", [b"first", LARGE], ids=["small", "large"])
    def test_it_takes_at_most_one_statement_more(
        self, make: Callable[..., DatabaseStorage], way: str, content: bytes
    ) -> None:
        counts = {}
        for keep in (DAY, None):
            storage = make(keep_deleted=keep)
            storage.save("a.txt", content)
            with captured(storage.catalog.writer) as statements:
                OVERWRITES[way](storage, "a.txt", b"second")
            counts[keep] = statements.text.count("\n") + 1
            storage.delete("a.txt", forever=True)
        assert counts[None] < counts[DAY] + 1 <= counts[None] + 2

    def test_without_the_option_no_statement_is_about_the_trash(
        self, make: Callable[..., DatabaseStorage]
    ) -> None:
        about = {}
        for keep in (DAY, None):
            storage = make(keep_deleted=keep)
            storage.save("a.txt", b"first")
            with captured(storage.catalog.writer) as statements:
                storage.save("a.txt", b"second")
                storage.delete("a.txt")
            about[keep] = statements.text.count("'~'")
        # Where it is kept, the old content and then the file move there.
        assert about == {DAY: 2, None: 0}

    def test_the_kept_row_has_all_that_the_file_had(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", LARGE)
        rows = StoredFile.rows.using(storage.catalog.writer)
        rows.filter(position=0).update(sealed_key=b"sealed")
        (before,) = rows.filter(position=0).values()
        storage.save("a.txt", b"second")
        (after,) = rows.filter(position=0, content=before["content"]).values()
        changed = {name for name in before if bytes_of(before[name]) != bytes_of(after[name])}
        assert changed == {"id", "namespace", "name", "link_epoch"}

    def test_the_file_keeps_its_row_its_flag_and_its_links(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"first")
        storage.set_public("a.txt", True)
        before = storage.catalog.files().get()
        storage.save("a.txt", b"second")
        after = storage.catalog.files().get()
        kept = ("pk", "is_public", "created", "link_epoch")
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]

    def test_versions_come_back_in_any_order(self, storage: DatabaseStorage) -> None:
        contents = [bytes([number]) * (number + 1) for number in range(4)]
        for content in contents:
            storage.save("a.bin", content)
        storage.delete("a.bin")
        versions = storage.versions("a.bin")
        assert [version.size for version in versions] == [4, 3, 2, 1]
        assert versions == sorted(versions, key=lambda kept: kept.deleted, reverse=True)
        storage.undelete("a.bin", version=versions[2].version)
        assert read(storage, "a.bin") == contents[1]
        assert len(storage.versions("a.bin")) == 3

    def test_a_reader_of_the_old_content_gets_all_of_it(self, storage: DatabaseStorage) -> None:
        storage.save("a.bin", LARGE)
        with storage.open("a.bin") as file:
            storage.save("a.bin", b"second")
            assert file.read() == LARGE


class TestRestoring:
    """What ``undelete()`` refuses, and what it changes."""

    def test_a_taken_name_is_not_touched(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"first")
        storage.save("a.txt", b"second")
        with pytest.raises(FileExistsError):
            storage.undelete("a.txt")
        assert read(storage, "a.txt") == b"second"
        assert len(storage.versions("a.txt")) == 1

    def test_nor_does_a_file_come_back_below_a_file_or_over_a_directory(
        self, storage: DatabaseStorage
    ) -> None:
        for name in ("a/b", "c"):
            storage.save(name, b"deleted")
            storage.delete(name)
        storage.save("a", b"in the way")
        storage.save("c/d", b"in the way")
        for name in ("a/b", "c"):
            with pytest.raises(FileExistsError):
                storage.undelete(name)

    @pytest.mark.parametrize("version", [None, "0" * 13, "", "x", "'", "\x00", "é" * 13])
    def test_what_is_not_there_is_not_found(
        self, storage: DatabaseStorage, version: str | None
    ) -> None:
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        with pytest.raises(FileNotFoundError):
            storage.undelete("a.txt" if version is not None else "b.txt", version=version)
        assert len(storage.versions("a.txt")) == 1

    def test_another_name_has_no_part_in_it(self, storage: DatabaseStorage) -> None:
        """Not one that looks like a version of it, nor one below it."""
        for name in ("a/0123456789abc", "a/b", "A", "a ", "a.txt"):
            storage.save(name, b"x")
            storage.delete(name)
        assert storage.versions("a") == []
        with pytest.raises(FileNotFoundError):
            storage.undelete("a")

    def test_another_storage_has_no_part_in_it(self, make: Callable[..., DatabaseStorage]) -> None:
        ours, theirs = make(), make(namespace="theirs")
        ours.save("a.txt", b"x")
        ours.delete("a.txt")
        assert theirs.versions("a.txt") == []
        with pytest.raises(FileNotFoundError):
            theirs.undelete("a.txt")

    @pytest.mark.parametrize("was", [False, True])
    @pytest.mark.parametrize("default", [False, True])
    def test_it_is_public_only_if_it_was_and_may_be(
        self,
        make: Callable[..., DatabaseStorage],
        was: bool,  # noqa: FBT001
        default: bool,  # noqa: FBT001
    ) -> None:
        storage = make(default_public=default)
        storage.save("a.txt", b"x")
        storage.set_public("a.txt", was)
        storage.delete("a.txt")
        storage.undelete("a.txt")
        assert storage.is_public("a.txt") is (was and default)

    def test_no_epoch_comes_back(
        self, storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.time_ns", lambda: 10**15 * 1000)
        storage.save("a.txt", b"first")
        epochs = [storage.catalog.get("a.txt").link_epoch]
        storage.save("a.txt", b"second")
        for _ in range(3):
            storage.revoke_urls("a.txt")
            epochs.append(storage.catalog.get("a.txt").link_epoch)
        (first,) = storage.versions("a.txt")
        # The clock is set back.
        monkeypatch.setattr("time.time_ns", lambda: 10**15 * 1000 - 10**9)
        storage.delete("a.txt")
        storage.undelete("a.txt", version=first)
        assert storage.catalog.get("a.txt").link_epoch > max(epochs)

    def test_it_rolls_back(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        with undone(storage.catalog.writer):
            storage.undelete("a.txt")
        assert not storage.exists("a.txt")
        assert len(storage.versions("a.txt")) == 1

    def test_after_a_refusal_the_transaction_goes_on(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        storage.save("a.txt", b"new")
        with transaction.atomic(using=storage.catalog.writer):
            with pytest.raises(FileExistsError):
                storage.undelete("a.txt")
            storage.save("b.txt", b"later")
        assert storage.exists("b.txt")


class TestTime:
    """How long it can be restored."""

    def test_it_is_over_after_the_time_of_the_option(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        (version,) = storage.versions("a.txt")
        assert version.kept_until == version.deleted + 30 * DAY
        assert abs(version.deleted - datetime.now(UTC)) < timedelta(minutes=5)
        age(storage, 29 * DAY)
        assert len(storage.versions("a.txt")) == 1
        age(storage, DAY)
        assert storage.versions("a.txt") == []
        with pytest.raises(FileNotFoundError):
            storage.undelete("a.txt", version=version)

    def test_the_option_counts_as_it_is_now(self, make: Callable[..., DatabaseStorage]) -> None:
        storage = make()
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        age(storage, 2 * DAY)
        assert make(keep_deleted=DAY).versions("a.txt") == []
        assert make(keep_deleted=None).catalog.trash.over().count() == 1
        assert len(make(keep_deleted=3 * DAY).versions("a.txt")) == 1

    def test_a_temporary_file_whose_time_is_over_is_gone(self, storage: DatabaseStorage) -> None:
        for name in ("deleted.txt", "overwritten.txt"):
            storage.save(name, LARGE)
            storage.set_expires(name, PAST)
        storage.delete("deleted.txt")
        storage.save("overwritten.txt", b"new")
        assert storage.catalog.trash.files().count() == 0
        assert rows(storage) == 1

    def test_a_temporary_file_lives_no_longer_in_the_trash(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"x")
        storage.set_expires("a.txt", timezone.now() + DAY)
        storage.delete("a.txt")
        (version,) = storage.versions("a.txt")
        assert version.kept_until == version.expires
        storage.catalog.trash.files().update(expires=PAST)
        assert storage.versions("a.txt") == []
        with pytest.raises(FileNotFoundError):
            storage.undelete("a.txt")

    def test_nor_once_it_is_restored(self, make: Callable[..., DatabaseStorage]) -> None:
        storage = make(delete_after=10 * DAY)
        storage.save("a.txt", b"x")
        first = storage.stat("a.txt").expires
        storage.delete("a.txt")
        storage.undelete("a.txt")
        assert storage.stat("a.txt").expires == first

    def test_a_restored_file_expires_as_a_saved_one_does(
        self, make: Callable[..., DatabaseStorage]
    ) -> None:
        storage = make()
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        make(delete_after=DAY).undelete("a.txt")
        stat = storage.stat("a.txt")
        assert stat.expires == stat.modified + DAY


class TestSeenByNobody:
    """Nothing that looks for files finds one that was deleted."""

    def test_no_listing_manager_or_link_finds_it(self, storage: DatabaseStorage) -> None:
        storage.save("dir/a.txt", b"x")
        key = storage.catalog.get("dir/a.txt").content.key
        storage.set_public("dir/a.txt", True)
        storage.delete("dir/a.txt")
        using, catalog = storage.catalog.writer, storage.catalog
        assert storage.listdir("") == ([], [])
        assert catalog.entries("") == []
        assert catalog.find("dir/a.txt") is None
        assert catalog.find_content(key) is None
        assert storage.inbox.find(key) is None
        assert catalog.link_states(["dir/a.txt"]) == {}
        assert catalog.heads_below("dir", latest_epoch=2**62, now=0, limit=9) == []
        assert not StoredFile.objects.using(using).exists()
        assert StoredFile.deleted.using(using).count() == 1
        assert not StoredFile.rows.using(using).strays().exists()

    def test_another_namespace_is_no_trash(self, make: Callable[..., DatabaseStorage]) -> None:
        storage = make(namespace="zzz")
        storage.save("a.txt", b"x")
        using = storage.catalog.writer
        assert StoredFile.objects.using(using).count() == 1
        assert not StoredFile.deleted.using(using).exists()

    def test_its_name_is_no_name_in_the_storage(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"x")
        storage.delete("a.txt")
        raw = storage.catalog.trash.files().get()
        for name in (str(raw.name), f"~/{raw.name}", "~"):
            assert not storage.exists(name)
        assert isinstance(storage.versions("a.txt")[0], DeletedFile)


def bytes_of(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
