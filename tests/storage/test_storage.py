"""The storage does what Django's own storages do, and more."""

import copy
import hashlib
import io
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage, storages
from django.db import OperationalError, connections, transaction
from django.db.models.signals import post_delete
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage.exceptions import FileTooLarge
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage, default, named
from tests.support.files import CHUNK_SIZE, LARGE, captured, read, undone
from tests.support.storage_contract import (
    DANGEROUS_NAMES,
    LOOK_UPS,
    Failing,
    OverwritingContract,
    StorageContract,
    Unseekable,
)

METHODS = [
    *LOOK_UPS,
    *("save", "stat", "is_public", "set_public", "revoke_urls", "rename", "get_created_time"),
]


#: Names that no file has, beside one in "dir", and the errors that say so.
NO_FILES = [
    ("missing.txt", FileNotFoundError),
    ("dir", IsADirectoryError),
    ("", IsADirectoryError),
]


class TestFileSystemStorage(StorageContract, OverwritingContract):
    """Django's own, on disk."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return FileSystemStorage(tmp_path / "files", base_url="/files/")

    @pytest.fixture
    def overwriting(self, tmp_path: Path) -> Storage:
        return FileSystemStorage(tmp_path / "files", base_url="/files/", allow_overwrite=True)

    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()


class TestInMemoryStorage(StorageContract):
    """Django's own, in memory: less strict than a file system."""

    test_no_look_up_leaves_the_storage = None  # type: ignore[assignment]  # delete("..") looks for a file ".."
    test_deleting_no_name_is_an_error = None  # type: ignore[assignment]  # deletes nothing
    test_a_directory_with_files_is_not_deleted = None  # type: ignore[assignment]  # goes with its files
    test_nothing_is_saved_below_a_file = None  # type: ignore[assignment]  # ValueError from the making of the message
    test_listing_a_file_is_an_error = None  # type: ignore[assignment]  # FileExistsError

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return InMemoryStorage(location=tmp_path, base_url="/files/")


class TestDatabaseStorage(StorageContract, OverwritingContract):
    """Ours, on every database."""

    @pytest.fixture
    def storage(self, database: str) -> DatabaseStorage:
        return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)

    @pytest.fixture
    def overwriting(self, database: str) -> DatabaseStorage:
        return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE, allow_overwrite=True)

    # Names

    def test_a_backslash_is_a_slash_on_every_look_up(self, storage: DatabaseStorage) -> None:
        storage.save("a/b.txt", ContentFile(b"content"))
        assert storage.exists("a\\b.txt")
        assert read(storage, "a\\b.txt") == b"content"
        assert storage.stat("a\\b.txt").name == "a/b.txt"
        storage.delete("a\\b.txt")
        assert not storage.exists("a/b.txt")

    @pytest.mark.parametrize("name", ["n" * 300, "n" * 512, "\U0001f600" * 512], ids=len)
    def test_a_name_of_up_to_512_characters_is_kept(
        self, storage: DatabaseStorage, name: str
    ) -> None:
        assert storage.save(name, ContentFile(b"content")) == name
        assert read(storage, name) == b"content"

    @pytest.mark.parametrize("max_length", [None, 1000])
    def test_a_name_that_the_table_cannot_hold_is_shortened(
        self, storage: DatabaseStorage, max_length: int | None
    ) -> None:
        name = storage.save("n" * 600 + ".txt", ContentFile(b"content"), max_length=max_length)
        assert re.fullmatch(r"n{500}_[A-Za-z0-9]{7}\.txt", name)

    def test_a_directory_that_the_table_cannot_hold_is_refused(
        self, storage: DatabaseStorage
    ) -> None:
        with pytest.raises(SuspiciousFileOperation):
            storage.save("d" * 600 + "/a.txt", ContentFile(b"content"))

    def test_writing_under_too_long_a_name_is_refused(self, storage: DatabaseStorage) -> None:
        file = storage.open("n" * 513, "wb")
        with pytest.raises(SuspiciousFileOperation):
            file.close()

    def test_a_name_that_the_table_cannot_hold_is_of_no_file(
        self, storage: DatabaseStorage
    ) -> None:
        assert not storage.exists("n" * 600)
        storage.delete("n" * 600)
        with pytest.raises(FileNotFoundError):
            storage.open("n" * 600)

    def test_namespaces_share_nothing(self, storage: DatabaseStorage, database: str) -> None:
        other = DatabaseStorage(using=database, namespace="other")
        storage.save("a.txt", ContentFile(b"one"))
        assert not other.exists("a.txt")
        assert other.save("a.txt", ContentFile(b"other")) == "a.txt"
        other.delete("a.txt")
        assert other.listdir("") == ([], [])
        assert read(storage, "a.txt") == b"one"

    # Saving

    @pytest.mark.parametrize("content", [b"gr\xc3\xbcn", "gr\u00fcn"])
    def test_bytes_and_text_are_saved_without_a_file_around_them(
        self, storage: DatabaseStorage, content: Any
    ) -> None:
        storage.save("a.txt", content)
        assert read(storage, "a.txt") == b"gr\xc3\xbcn"

    def test_the_metadata_of_a_saved_file(self, storage: DatabaseStorage) -> None:
        before = datetime.now(UTC)
        storage.save("dir/Photo.JPG", ContentFile(LARGE))
        stat = storage.stat("dir/Photo.JPG")
        assert stat.name == "dir/Photo.JPG"
        assert stat.size == len(LARGE)
        assert stat.sha256 == hashlib.sha256(LARGE).hexdigest()
        assert stat.content_type == "image/jpeg"
        assert stat.is_public is False
        assert before <= stat.created == stat.modified <= datetime.now(UTC)
        assert stat.created.tzinfo is UTC

    def test_known_times_are_utc_whatever_the_project_and_the_visitor_have(
        self, storage: DatabaseStorage, settings: Settings
    ) -> None:
        settings.USE_TZ = False
        settings.TIME_ZONE = "Asia/Tokyo"
        storage.save("a.txt", b"")
        with timezone.override("America/New_York"):
            stat = storage.stat("a.txt")
        assert abs(stat.created - datetime.now(UTC)) < timedelta(seconds=5)

    def test_a_content_that_breaks_leaves_nothing(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        with pytest.raises(ConnectionResetError):
            storage.save("a.bin", Failing(LARGE))
        assert not storage.exists("a.bin")
        assert StoredFile.rows.using(database).count() == 0
        assert storage.save("a.bin", b"new") == "a.bin"

    @pytest.mark.parametrize("content", [ContentFile, Unseekable])
    def test_a_file_over_max_size_is_refused_and_leaves_nothing(
        self, database: str, content: Any
    ) -> None:
        storage = DatabaseStorage(using=database, chunk_size=CHUNK_SIZE, max_size=len(LARGE) - 1)
        with pytest.raises(FileTooLarge):
            storage.save("a.bin", content(LARGE))
        assert StoredFile.rows.using(database).count() == 0

    def test_a_file_of_max_size_is_saved(self, database: str) -> None:
        storage = DatabaseStorage(using=database, chunk_size=CHUNK_SIZE, max_size=len(LARGE))
        storage.save("a.bin", LARGE)
        assert storage.size("a.bin") == len(LARGE)

    def test_an_endless_stream_is_refused_at_max_size(self, database: str) -> None:
        class Endless:
            given = 0

            def read(self, size: int) -> bytes:
                self.given += size
                return b"x" * size

        content = Endless()
        with pytest.raises(FileTooLarge):
            DatabaseStorage(using=database, max_size=1_000_000).save("a.bin", content)
        assert content.given < 1_500_000

    def test_a_save_follows_the_transaction(self, storage: DatabaseStorage, database: str) -> None:
        with undone(database):
            storage.save("a.bin", LARGE)
        assert not storage.exists("a.bin")
        assert StoredFile.rows.using(database).count() == 0

    def test_a_delete_follows_the_transaction(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.bin", LARGE)
        with undone(database):
            storage.delete("a.bin")
        assert read(storage, "a.bin") == LARGE

    def test_an_overwrite_follows_the_transaction(
        self, overwriting: DatabaseStorage, database: str
    ) -> None:
        overwriting.save("a.bin", LARGE)
        with undone(database):
            overwriting.save("a.bin", b"new")
        assert read(overwriting, "a.bin") == LARGE

    def test_the_callers_transaction_is_usable_after_a_refused_save(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a", b"content")
        with transaction.atomic(using=database):
            with pytest.raises(FileExistsError):
                storage.save("a/b", LARGE)
            with pytest.raises(ConnectionResetError):
                storage.save("b", Failing(LARGE))
            storage.save("c", b"content")
        assert storage.listdir("") == ([], ["a", "c"])

    @pytest.mark.parametrize("way", ["save", "open"])
    def test_an_overwrite_keeps_the_flag_the_creation_and_the_link_epoch(
        self, overwriting: DatabaseStorage, database: str, way: str
    ) -> None:
        overwriting.save("a.txt", LARGE)
        overwriting.set_public("a.txt", True)
        before = StoredFile.objects.using(database).get(name="a.txt")
        if way == "save":
            overwriting.save("a.txt", b"new")
        else:
            with overwriting.open("a.txt", "wb") as file:
                file.write(b"new")
        after = StoredFile.objects.using(database).get(name="a.txt")
        assert after.is_public
        assert (after.created, after.link_epoch) == (before.created, before.link_epoch)
        assert after.content != before.content
        assert after.modified > before.modified
        assert after.sha256 == hashlib.sha256(b"new").hexdigest()
        assert after.size == 3

    def test_an_overwrite_leaves_no_row_of_the_old_content(
        self, overwriting: DatabaseStorage, database: str
    ) -> None:
        overwriting.save("a.bin", LARGE)
        assert StoredFile.rows.using(database).count() == 4
        overwriting.save("a.bin", b"new")
        assert StoredFile.rows.using(database).count() == 1

    def test_a_new_file_under_a_deleted_name_has_another_link_epoch(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        epochs = set()
        for _ in range(3):
            storage.save("a.txt", b"content")
            epochs.add(StoredFile.objects.using(database).get(name="a.txt").link_epoch)
            storage.delete("a.txt")
        assert len(epochs) == 3

    def test_deleting_leaves_no_row(self, storage: DatabaseStorage, database: str) -> None:
        storage.save("a.bin", LARGE)
        storage.delete("a.bin")
        assert StoredFile.rows.using(database).count() == 0

    @pytest.mark.parametrize("way", ["save", "open"])
    def test_default_public_decides_by_the_name_of_a_new_file(
        self, database: str, way: str
    ) -> None:
        storage = DatabaseStorage(
            using=database, default_public=lambda name: name.startswith("public/")
        )
        for name in ("public/a.txt", "private/a.txt"):
            if way == "save":
                storage.save(name, b"")
            else:
                storage.open(name, "wb").close()
        assert storage.is_public("public/a.txt")
        assert not storage.is_public("private/a.txt")

    def test_each_file_remembers_its_own_chunk_size(self, database: str) -> None:
        DatabaseStorage(using=database, chunk_size=CHUNK_SIZE).save("a.bin", LARGE)
        storage = DatabaseStorage(using=database, chunk_size=2 * CHUNK_SIZE)
        storage.save("b.bin", LARGE)
        assert read(storage, "a.bin") == read(storage, "b.bin") == LARGE
        assert StoredFile.rows.using(database).count() == 4 + 2

    # More than Django's Storage

    def test_the_flag_is_changed(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"")
        storage.set_public("a.txt", True)
        assert storage.is_public("a.txt")
        storage.set_public("a.txt", False)
        assert not storage.is_public("a.txt")

    @pytest.mark.parametrize("public", [None, 1, "False"])
    def test_the_flag_is_a_bool(self, storage: DatabaseStorage, public: Any) -> None:
        storage.save("a.txt", b"")
        with pytest.raises(TypeError):
            storage.set_public("a.txt", public)

    @pytest.mark.parametrize(("name", "error"), NO_FILES)
    def test_only_files_have_a_flag(
        self, storage: DatabaseStorage, name: str, error: type[OSError]
    ) -> None:
        storage.save("dir/a.txt", b"")
        with pytest.raises(error):
            storage.set_public(name, True)

    def test_a_renamed_file_keeps_all_but_type_and_link_epoch(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.txt", LARGE)
        storage.set_public("a.txt", True)
        before = StoredFile.objects.using(database).get()
        assert storage.rename("a.txt", "dir//b.png") == "dir/b.png"
        after = StoredFile.objects.using(database).get()
        assert not storage.exists("a.txt")
        assert read(storage, "dir/b.png") == LARGE
        assert after.content_type == "image/png"
        assert after.link_epoch > before.link_epoch
        kept = ("id", "content", "size", "sha256", "is_public", "created", "modified")
        assert all(getattr(after, name) == getattr(before, name) for name in kept)

    def test_a_name_changes_its_case(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"content")
        storage.rename("a.txt", "A.txt")
        assert storage.listdir("") == ([], ["A.txt"])

    def test_a_file_renamed_to_its_own_name_stays_as_it_is(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.txt", b"content")
        before = StoredFile.objects.using(database).values().get()
        assert storage.rename("a.txt", "./a.txt") == "a.txt"
        assert StoredFile.objects.using(database).values().get() == before

    @pytest.mark.parametrize("taken", ["b.txt", "dir", "b.txt/c"])
    def test_a_rename_refuses_to_clobber(self, storage: DatabaseStorage, taken: str) -> None:
        for name in ("a.txt", "b.txt", "dir/c.txt"):
            storage.save(name, name)
        with pytest.raises(FileExistsError):
            storage.rename("a.txt", taken)
        assert storage.listdir("") == (["dir"], ["a.txt", "b.txt"])

    @pytest.mark.parametrize(("name", "error"), NO_FILES)
    def test_only_files_are_renamed(
        self, storage: DatabaseStorage, name: str, error: type[OSError]
    ) -> None:
        storage.save("dir/a.txt", b"")
        with pytest.raises(error):
            storage.rename(name, "new.txt")

    @pytest.mark.parametrize("name", ["", ".", "n" * 513, "b/", "b/.", "b\\"])
    def test_a_file_is_not_renamed_to_an_invalid_name(
        self, storage: DatabaseStorage, name: str
    ) -> None:
        storage.save("a.txt", b"")
        with pytest.raises(SuspiciousFileOperation):
            storage.rename("a.txt", name)

    # Revocation

    @pytest.mark.parametrize(
        ("arguments", "revoked"),
        [
            ({"name": "a/b.txt"}, {"a/b.txt"}),
            ({"name": "./a//b.txt"}, {"a/b.txt"}),
            ({"prefix": "a"}, {"a/b.txt", "a/c/d.txt"}),
            ({"prefix": "a/"}, {"a/b.txt", "a/c/d.txt"}),
            ({"prefix": "a/b"}, set()),
            ({"prefix": "nothing"}, set()),
            ({"prefix": ""}, {"a/b.txt", "a/c/d.txt", "ab.txt"}),
        ],
    )
    def test_links_of_a_name_or_a_prefix_are_revoked(
        self, storage: DatabaseStorage, arguments: dict[str, str], revoked: set[str]
    ) -> None:
        names = ["a/b.txt", "a/c/d.txt", "ab.txt"]
        for name in names:
            storage.save(name, b"")
        before = epochs(storage, names)
        assert storage.revoke_urls(**arguments) == len(revoked)
        after = epochs(storage, names)
        assert {name for name in names if after[name] > before[name]} == revoked
        assert all(after[name] == before[name] for name in set(names) - revoked)

    def test_revoking_twice_at_one_instant_makes_two_epochs(
        self, storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)  # a clock far behind
        storage.save("a.txt", b"")
        seen = [epochs(storage, ["a.txt"])["a.txt"]]
        for _ in range(3):
            storage.revoke_urls("a.txt")
            seen.append(epochs(storage, ["a.txt"])["a.txt"])
        assert seen == sorted(set(seen))

    def test_links_of_a_missing_file_are_not_revoked_in_silence(
        self, storage: DatabaseStorage
    ) -> None:
        storage.save("a/b.txt", b"")
        for name, error in {"missing.txt": FileNotFoundError, "a": IsADirectoryError}.items():
            with pytest.raises(error):
                storage.revoke_urls(name)

    @pytest.mark.parametrize("arguments", [{}, {"name": "a.txt", "prefix": "a"}])
    def test_revoking_takes_a_name_or_a_prefix(
        self, storage: DatabaseStorage, arguments: dict[str, str]
    ) -> None:
        with pytest.raises(TypeError):
            storage.revoke_urls(**arguments)

    def test_links_of_another_namespace_are_not_revoked(self, storage: DatabaseStorage) -> None:
        other = type(storage)(**{**storage._given, "namespace": "other"})
        other.save("a.txt", b"")
        before = epochs(other, ["a.txt"])
        assert storage.revoke_urls(prefix="") == 0
        assert epochs(other, ["a.txt"]) == before

    # Its cost

    @pytest.mark.django_db(transaction=True)
    def test_saving_a_file_of_one_row_takes_a_look_and_an_insert(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        for size in (0, 1, CHUNK_SIZE):
            for name in ("a.txt", "one/two/three/a.txt"):
                with captured(database) as queries:
                    storage.save(f"{size}/{name}", bytes(size))
                # And nothing that begins or ends a transaction.
                assert [sql.split()[0] for sql in queries.text.splitlines()] == [
                    "SELECT",
                    "INSERT",
                ]

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("database", ["postgres"], indirect=True)
    def test_a_save_that_fails_spoils_nothing_of_its_callers_transaction(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        taken, done, told = threading.Event(), threading.Event(), list[str]()

        def other() -> None:
            with transaction.atomic(using=database):
                storage.save("taken.txt", b"2")
                taken.set()
                done.wait(60)
            connections.close_all()

        thread = threading.Thread(target=other)
        thread.start()
        taken.wait(60)
        with transaction.atomic(using=database):
            storage.save("mine.txt", b"1")
            transaction.on_commit(lambda: told.append("mine.txt"), using=database)
            with connections[database].cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
            with pytest.raises(OperationalError):
                storage.save("taken.txt", b"1")
        done.set()
        thread.join(60)
        assert storage.exists("mine.txt")
        assert told == ["mine.txt"]

    def test_pieces_of_one_buffer_are_not_mixed(self, storage: DatabaseStorage) -> None:
        class Reusing(File):  # type: ignore[type-arg]
            """Yields views of a buffer, and fills it again."""

            def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
                buffer = bytearray(1000)
                while length := self.file.readinto(buffer):  # type: ignore[union-attr]
                    yield memoryview(buffer)[:length]

        data = b"".join(number.to_bytes(4) for number in range(750))
        storage.save("a.bin", Reusing(io.BytesIO(data), "a.bin"))
        assert read(storage, "a.bin") == data

    def test_saving_a_large_file_looks_once(self, storage: DatabaseStorage, database: str) -> None:
        with captured(database) as queries:
            storage.save("one/two/three/a.bin", LARGE)
        assert queries.verbs == ["SELECT", "INSERT", "INSERT"]

    def test_a_new_file_of_a_storage_that_overwrites_takes_a_look_and_an_insert(
        self, overwriting: DatabaseStorage, database: str
    ) -> None:
        with captured(database) as queries:
            overwriting.save("one/two/three/a.txt", b"content")
        assert queries.verbs == ["SELECT", "INSERT"]

    def test_overwriting_a_small_file_looks_locks_updates_and_deletes(
        self, overwriting: DatabaseStorage, database: str
    ) -> None:
        overwriting.save("a.txt", b"old")
        with captured(database) as queries:
            overwriting.save("a.txt", b"new")
        assert queries.verbs == ["SELECT", "SELECT", "UPDATE", "DELETE"]

    @pytest.mark.parametrize(("rows", "inserts"), [(1, 1), (2, 2), (5, 2), (6, 3), (9, 3)])
    def test_a_large_file_takes_an_insert_for_four_rows_and_one_for_its_head(
        self, database: str, rows: int, inserts: int
    ) -> None:
        storage = DatabaseStorage(using=database)
        data = bytes(storage.options.chunk_size * rows)
        with captured(database) as queries:
            storage.save("a.bin", data)
        assert queries.verbs == ["SELECT", *["INSERT"] * inserts]
        assert StoredFile.rows.using(database).count() == rows

    @pytest.mark.parametrize("method", ["exists", "size", "stat", "get_modified_time", "url"])
    def test_a_look_up_takes_one_query_without_the_bytes(
        self, storage: DatabaseStorage, database: str, method: str
    ) -> None:
        storage.save("a.txt", b"content")
        with captured(database) as queries:
            getattr(storage, method)("a.txt")
        assert queries.verbs == ["SELECT"]
        assert "data" not in queries.text

    def test_many_urls_take_one_query(self, storage: DatabaseStorage, database: str) -> None:
        names = [f"{number}.txt" for number in range(5)]
        for name in names:
            storage.save(name, b"")
        with captured(database) as queries:
            assert list(storage.urls(names)) == names
        assert queries.verbs == ["SELECT"]

    def test_reading_a_small_file_takes_one_query(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.txt", b"content")
        with captured(database) as queries:
            assert read(storage, "a.txt") == b"content"
        assert queries.verbs == ["SELECT"]

    def test_reading_the_beginning_of_a_large_file_fetches_one_row(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.bin", LARGE)
        with captured(database) as queries, storage.open("a.bin") as file:
            assert file.read(100) == LARGE[:100]
        assert queries.verbs == ["SELECT"]

    def test_deleting_loads_no_bytes_for_receivers_of_signals(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        storage.save("a.bin", LARGE)

        def receiver(**_: Any) -> None:
            raise AssertionError("The rows were loaded")

        post_delete.connect(receiver)
        try:
            with captured(database) as queries:
                storage.delete("a.bin")
        finally:
            post_delete.disconnect(receiver)
        assert queries.verbs == ["SELECT", "DELETE"]
        assert "data" not in queries.text
        assert StoredFile.rows.using(database).count() == 0

    def test_renaming_touches_no_bytes(self, storage: DatabaseStorage, database: str) -> None:
        storage.save("a.bin", LARGE)
        with captured(database) as queries:
            storage.rename("a.bin", "b.bin")
        assert queries.verbs == ["SELECT", "SELECT", "UPDATE"]
        assert "data" not in queries.text


def pickle_and_back(storage: DatabaseStorage) -> DatabaseStorage:
    """Return what another process would get."""
    return pickle.loads(pickle.dumps(storage))  # type: ignore[no-any-return]  # noqa: S301


def epochs(storage: DatabaseStorage, names: list[str]) -> dict[str, int]:
    """Return the link epoch of each file."""
    return {name: state.link_epoch for name, state in storage.catalog.link_states(names).items()}


class ReadOnce:
    """Content that has nothing but ``read()``."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


class Hasty(DatabaseStorage):
    """Finds names free, as if others took them only then."""

    looks = 1

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        self.looks -= 1
        return self.looks >= 0 or super().is_name_available(name, max_length=max_length)


class TestTakenMeanwhile:
    """Another save takes the name between the look and the save."""

    @pytest.mark.parametrize("content", [ContentFile, Unseekable, ReadOnce])
    def test_a_save_moves_on_to_another_name(self, database: str, content: Any) -> None:
        storage = Hasty(using=database, chunk_size=CHUNK_SIZE)
        DatabaseStorage(using=database).save("dir/a.tar.gz", b"first")
        name = storage.save("dir/a.tar.gz", content(LARGE))
        assert re.fullmatch(r"dir/a_[A-Za-z0-9]{7}\.tar\.gz", name)
        assert (read(storage, "dir/a.tar.gz"), read(storage, name)) == (b"first", LARGE)
        assert StoredFile.rows.using(database).count() == 1 + 4

    def test_the_other_name_stays_within_max_length(self, database: str) -> None:
        DatabaseStorage(using=database).save(f"{'n' * 16}.txt", b"first")
        name = Hasty(using=database).save(f"{'n' * 16}.txt", b"second", max_length=20)
        assert re.fullmatch(r"n{8}_[A-Za-z0-9]{7}\.txt", name)

    def test_a_subclass_may_save_in_its_own_way(self, database: str) -> None:
        class Moving(Hasty):
            def _save(self, name: str, content: Any) -> str:
                return super()._save(f"moved/{name}", ContentFile(content.read().upper()))

        DatabaseStorage(using=database).save("moved/a.txt", b"first")
        storage = Moving(using=database)
        name = storage.save("a.txt", ContentFile(b"second"))
        assert re.fullmatch(r"moved/a_[A-Za-z0-9]{7}\.txt", name)
        assert read(storage, name) == b"SECOND"

    def test_a_name_that_a_subclass_makes_is_looked_for_above(self, database: str) -> None:
        class Below(DatabaseStorage):
            def get_available_name(self, name: Any, max_length: int | None = None) -> str:
                return f"a.txt/{super().get_available_name(name, max_length)}"

        storage = Below(using=database)
        DatabaseStorage(using=database).save("a.txt", b"first")
        with pytest.raises(FileExistsError):
            storage.save("b.txt", b"second")

    def test_a_subclass_may_say_what_exists(self, database: str) -> None:
        class Reserving(DatabaseStorage):
            def exists(self, name: Any) -> bool:
                return str(name) == "a.txt" or super().exists(name)

        storage = Reserving(using=database)
        assert re.fullmatch(r"a_[A-Za-z0-9]{7}\.txt", storage.save("a.txt", b"content"))
        assert storage.save("b.txt", b"content") == "b.txt"
        with pytest.raises(FileExistsError):
            storage.save("b.txt/c.txt", b"content")

    def test_subclasses_get_names_as_plain_text(self, database: str) -> None:
        given: list[str] = []

        class Keeping(DatabaseStorage):
            def _save(self, name: str, content: Any) -> str:
                given.extend([copy.copy(name), pickle.loads(pickle.dumps(name))])  # noqa: S301
                super()._save(name, content)
                return name

            def get_available_name(self, name: Any, max_length: int | None = None) -> str:
                free = super().get_available_name(name, max_length)
                given.extend([copy.copy(free), pickle.loads(pickle.dumps(free))])  # noqa: S301
                return free

        given.append(DatabaseStorage(using=database).save("a.txt", b""))
        given.append(Keeping(using=database).save("b.txt", b""))
        assert [type(name) for name in given] == [str] * 6

    def test_the_number_of_names_is_bounded(self, database: str) -> None:
        class Stubborn(Hasty):
            looks = 1000

            def get_alternative_name(self, file_root: str, file_ext: str) -> str:
                return file_root + file_ext

        storage = Stubborn(using=database)
        DatabaseStorage(using=database).save("a.txt", b"first")
        with pytest.raises(FileExistsError):
            storage.save("a.txt", b"second")
        assert storage.looks == 1000 - 10
        assert storage.save("b.txt", b"third") == "b.txt"


@pytest.mark.parametrize("name", DANGEROUS_NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_a_dangerous_name_is_refused_before_the_database_is_asked(method: str, name: str) -> None:
    more = {"save": [ContentFile(b"")], "set_public": [True], "rename": ["new"]}
    with pytest.raises(SuspiciousFileOperation):
        getattr(DatabaseStorage(), method)(name, *more.get(method, []))


@pytest.mark.parametrize("mode", ["wb", "ab", "xb", "rb+"])
def test_a_dangerous_name_is_not_opened_for_writing(mode: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        DatabaseStorage().open("a\0b", mode)


@pytest.mark.parametrize("name", DANGEROUS_NAMES)
def test_no_file_is_renamed_to_a_dangerous_name(name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        DatabaseStorage().rename("a.txt", name)


def test_a_migration_gets_the_identity_and_no_key() -> None:
    storage = DatabaseStorage(
        namespace="invoices",
        using="default",
        base_url="/invoices/",
        signing_keys=["k" * 32],
        auth_hooks=["secure_dbstorage.access.staff"],
        expires_in=60,
    )
    assert storage.deconstruct() == (
        "secure_dbstorage.storage.DatabaseStorage",
        (),
        {"namespace": "invoices", "using": "default", "base_url": "/invoices/"},
    )


def test_a_subclass_is_deconstructed_as_itself() -> None:
    class Invoices(DatabaseStorage):
        pass

    path, _, _ = Invoices().deconstruct()
    assert path.endswith("Invoices")


def test_an_unknown_option_is_an_error_at_once() -> None:
    with pytest.raises(ImproperlyConfigured, match="no_such_option"):
        DatabaseStorage(no_such_option=1)


def test_a_changed_setting_takes_effect(settings: Settings) -> None:
    storage = DatabaseStorage()
    assert storage.options.max_size is None
    settings.SECURE_DBSTORAGE = {"MAX_SIZE": 5}
    assert storage.options.max_size == 5


def test_a_storage_is_found_with_its_type_and_no_other_is(settings: Settings) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.STORAGES = {**settings.STORAGES, "folder": folder}
    assert default() is storages["default"]
    assert named("invoices") is storages["invoices"]
    with pytest.raises(ImproperlyConfigured, match=r"STORAGES\['folder'\] is not a"):
        named("folder")


def test_there_is_no_path_on_a_disk() -> None:
    with pytest.raises(NotImplementedError, match="disk"):
        DatabaseStorage().path("a.txt")


def test_times_of_access_are_not_kept() -> None:
    with pytest.raises(NotImplementedError, match="Access times"):
        DatabaseStorage().get_accessed_time("a.txt")


@pytest.mark.parametrize("answer", [None, 1, "yes", []])
def test_a_callable_must_say_with_a_bool_whether_a_file_is_public(
    database: str, answer: object
) -> None:
    storage = DatabaseStorage(using=database, default_public=lambda _: answer)  # type: ignore[return-value]
    with pytest.raises(TypeError, match="default_public"):
        storage.save("a.txt", b"content")
    assert StoredFile.rows.using(database).count() == 0


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, pickle_and_back], ids=lambda f: f.__name__
)
def test_a_storage_in_use_can_be_copied_and_pickled(
    settings: Settings, again: Callable[[Any], Any]
) -> None:
    storage = DatabaseStorage(namespace="invoices", expires_in=60)
    assert storage.base_url
    copied = again(storage)
    assert copied.options.namespace == "invoices"
    settings.SECURE_DBSTORAGE = {"URL_WINDOW": 7}
    assert copied.options.url_window == storage.options.url_window == 7
    assert b"only-for-tests" not in pickle.dumps(storage)


@pytest.mark.parametrize("option", ["signing_keys", "encryption_keys"])
def test_a_pickle_of_a_storage_holds_its_alias_and_no_key(settings: Settings, option: str) -> None:
    keys = ["k" * 43 + "="]
    settings.STORAGES = settings.STORAGES | {
        "keyed": {
            "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": {"namespace": "keyed", option: keys},
        }
    }
    pickled = pickle.dumps(storages["keyed"])
    assert b"kkkk" not in pickled
    assert pickle.loads(pickled) is storages["keyed"]  # noqa: S301
    other = DatabaseStorage(namespace="other", **{option: keys})
    with pytest.raises(pickle.PicklingError, match=option):
        pickle.dumps(other)
    for again in (copy.copy(other), copy.deepcopy(other)):
        assert again.options == other.options


class TestTemporaryFiles:
    """Temporary files."""

    def test_an_option_makes_new_files_temporary(self, database: str) -> None:
        storage = DatabaseStorage(using=database, delete_after=timedelta(hours=1))
        before = timezone.now()
        storage.save("a.txt", b"x")
        expires = storage.stat("a.txt").expires
        assert expires is not None
        assert timedelta(0) <= expires - before - timedelta(hours=1) < timedelta(minutes=1)
        assert expires.tzinfo is UTC

    def test_a_subclass_may_give_another_extension(self, database: str) -> None:
        class Careful(DatabaseStorage):
            def is_name_available(self, name: str, max_length: int | None = None) -> bool:
                return not self.exists(name)

            def get_alternative_name(self, file_root: str, file_ext: str) -> str:
                return f"{file_root}{file_ext}.v2"

        storage = Careful(using=database, allow_overwrite=True)
        assert storage.save("a.txt", b"one") == "a.txt"
        assert storage.save("a.txt", b"two") == "a.txt.v2"
        assert storage.open("a.txt").read() == b"one"

    def test_a_name_that_is_shortened_gets_no_extension(self, database: str) -> None:
        storage = DatabaseStorage(using=database, allow_overwrite=True)
        name = storage.save("n" * 20 + ".html" + "zzz.", ContentFile(b"x"), max_length=25)
        assert name == "n" * 20
        assert storage.save("d.html/aaa.zz.", ContentFile(b"x"), max_length=10) == "d.html/aaa"
        with pytest.raises(SuspiciousFileOperation, match="shortened"):
            storage.save(".hidden.html", ContentFile(b"x"), max_length=6)

    def test_an_overwrite_starts_a_new_lifetime(self, database: str) -> None:
        storage = DatabaseStorage(using=database, delete_after=3600, allow_overwrite=True)
        storage.save("a.txt", b"x")
        end = datetime(2020, 1, 1, tzinfo=UTC)
        storage.set_expires("a.txt", end)
        storage.save("a.txt", b"y")
        expires = storage.stat("a.txt").expires
        assert expires is not None
        assert expires > timezone.now()

    def test_an_overwrite_keeps_an_end_that_was_set(self, database: str) -> None:
        storage = DatabaseStorage(using=database, allow_overwrite=True)
        storage.save("a.txt", b"x")
        end = datetime(2020, 1, 1, tzinfo=UTC)
        storage.set_expires("a.txt", end)
        storage.save("a.txt", b"y")
        assert storage.stat("a.txt").expires == end

    @pytest.mark.parametrize("use_tz", [True, False])
    def test_an_end_may_be_naive_or_aware(
        self, database: str, settings: Settings, *, use_tz: bool
    ) -> None:
        settings.USE_TZ = use_tz
        storage = DatabaseStorage(using=database)
        storage.save("a.txt", b"x")
        assert storage.stat("a.txt").expires is None
        aware = datetime(2030, 1, 1, 12, tzinfo=UTC)
        naive = aware.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)
        for end in (aware, naive):
            storage.set_expires("a.txt", end)
            assert storage.stat("a.txt").expires == aware
        storage.set_expires("a.txt", None)
        assert storage.stat("a.txt").expires is None

    def test_a_missing_file_can_not_expire(self, database: str) -> None:
        with pytest.raises(FileNotFoundError):
            DatabaseStorage(using=database).set_expires("a.txt", None)

    @pytest.mark.parametrize("never", ["tomorrow", 60, timedelta(days=1)])
    def test_an_expiry_that_is_no_instant_is_a_value_error(self, never: object) -> None:
        with pytest.raises(ValueError, match="expires must be a datetime or None, not"):
            DatabaseStorage().set_expires("a.txt", never)
