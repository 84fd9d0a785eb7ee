"""Files are copied whole, with their names and flags, and nothing else is changed."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage
from django.db import connections
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from secure_dbstorage.copying.copier import Copier, Outcome, Transfer
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.models import StoredFile
from secure_dbstorage.signals import file_saved
from secure_dbstorage.storage import DatabaseStorage
from tests.support.copying import CHUNK_SIZE, FILES, LARGE, contents, end_of, filled
from tests.support.sealing import KEY, OLD_KEY, Service


@pytest.fixture
def ours(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)


@pytest.fixture
def other(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database, namespace="other", chunk_size=CHUNK_SIZE)


@pytest.fixture
def folder(tmp_path: Path) -> FileSystemStorage:
    location = tmp_path / "folder"
    location.mkdir()
    return FileSystemStorage(location=location)


def copy(source: Any, target: Any, *, jobs: int = 1, **how: Any) -> dict[str, Transfer]:
    ends = end_of(source), end_of(target)
    copier = Copier(source=ends[0], target=ends[1], **how)
    return {done.record.name: done for done in copier.copy_all(ends[0].records(""), jobs=jobs)}


def outcomes(transfers: dict[str, Transfer]) -> set[Outcome]:
    return {transfer.outcome for transfer in transfers.values()}


def test_a_folder_is_moved_in_and_out_again(
    ours: DatabaseStorage, folder: FileSystemStorage, tmp_path: Path
) -> None:
    assert outcomes(copy(filled(folder), ours)) == {Outcome.COPIED}
    assert contents(ours) == FILES
    out = FileSystemStorage(location=tmp_path / "out")
    assert outcomes(copy(ours, out)) == {Outcome.COPIED}
    assert contents(out) == FILES


def test_what_a_copy_replaces_can_be_restored_and_what_was_deleted_is_not_copied(
    database: str, other: DatabaseStorage
) -> None:
    ours = DatabaseStorage(using=database, keep_deleted=60)
    ours.save("a.txt", b"ours")
    ours.save("deleted.txt", b"ours")
    ours.delete("deleted.txt")
    other.save("a.txt", b"theirs")
    assert outcomes(copy(other, ours, overwrite=True)) == {Outcome.REPLACED}
    (version,) = ours.versions("a.txt")
    ours.delete("a.txt")
    ours.undelete("a.txt", version=version)
    assert contents(ours) == {"a.txt": b"ours"}
    assert copy(ours, other).keys() == {"a.txt"}


def test_nothing_is_copied_twice(ours: DatabaseStorage, folder: FileSystemStorage) -> None:
    copy(filled(folder), ours)
    rows = list(StoredFile.rows.using(ours.options.using).values_list("id", "content"))
    assert outcomes(copy(folder, ours)) == {Outcome.PRESENT}
    assert rows == list(StoredFile.rows.using(ours.options.using).values_list("id", "content"))
    before = {path: path.stat().st_mtime_ns for path in Path(folder.location).rglob("*")}
    assert outcomes(copy(ours, folder)) == {Outcome.PRESENT}
    assert before == {path: path.stat().st_mtime_ns for path in Path(folder.location).rglob("*")}


def test_copies_between_tables_keep_flags_and_times_but_not_links(
    ours: DatabaseStorage, other: DatabaseStorage
) -> None:
    filled(ours)
    ours.set_public("a.txt", True)
    ours.set_expires("a.txt", datetime(2040, 1, 1, tzinfo=UTC))
    epochs = {name: ours.catalog.get(name).link_epoch for name in FILES}
    copy(ours, other)
    for name in FILES:
        assert other.stat(name) == ours.stat(name)
        assert other.catalog.get(name).link_epoch > epochs[name]


@pytest.mark.parametrize("uses_time_zones", [True, False])
def test_the_time_of_a_folder_is_kept(
    ours: DatabaseStorage,
    folder: FileSystemStorage,
    tmp_path: Path,
    settings: Settings,
    uses_time_zones: bool,  # noqa: FBT001
) -> None:
    settings.USE_TZ = uses_time_zones
    filled(folder, {"a.txt": b""})
    then = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    os.utime(folder.path("a.txt"), (then.timestamp(), then.timestamp()))
    copy(folder, ours)
    assert ours.stat("a.txt").modified == then
    assert ours.stat("a.txt").created == then
    out = FileSystemStorage(location=tmp_path / "out")
    copy(ours, out)
    assert Path(out.path("a.txt")).stat().st_mtime == then.timestamp()


@pytest.mark.parametrize("flag", [True, False, None])
def test_the_flag_is_the_one_asked_for_or_the_default(
    database: str,
    folder: FileSystemStorage,
    flag: bool | None,  # noqa: FBT001
) -> None:
    target = DatabaseStorage(using=database, default_public=True)
    copy(filled(folder, {"a.txt": b""}), target, make_public=flag)
    assert target.is_public("a.txt") is (flag is not False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_different_file_is_kept_unless_overwrite_is_set(
    ours: DatabaseStorage,
    folder: FileSystemStorage,
    overwrite: bool,  # noqa: FBT001
) -> None:
    filled(folder, {"a.txt": b"new and longer", "b.txt": b"same size"})
    filled(ours, {"a.txt": b"new", "b.txt": b"SAME SIZE"})
    before = contents(ours)
    done = copy(folder, ours, overwrite=overwrite)
    assert outcomes(done) == {Outcome.REPLACED if overwrite else Outcome.FAILED}
    assert contents(ours) == (contents(folder) if overwrite else before)
    filled(folder, {"c.txt": b"mine, longer"})
    filled(ours, {"c.txt": b"yours, longest"})
    assert copy(ours, folder, overwrite=overwrite)["c.txt"].outcome == (
        Outcome.REPLACED if overwrite else Outcome.FAILED
    )
    with folder.open("c.txt") as file:
        assert file.read() == (b"yours, longest" if overwrite else b"mine, longer")


def test_an_overwrite_from_a_folder_keeps_the_flag_and_ends_links(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    filled(folder, {"public": b"new", "private": b"new"})
    filled(ours, {"public": b"old", "private": b"old"})
    ours.set_public("public", True)
    epochs = [ours.catalog.get(name).link_epoch for name in ("public", "private")]
    copy(folder, ours, overwrite=True)
    assert (ours.is_public("public"), ours.is_public("private")) == (True, False)
    heads = [ours.catalog.get(name) for name in ("public", "private")]
    assert all(head.link_epoch > epoch for head, epoch in zip(heads, epochs, strict=True))


def test_a_different_public_flag_is_a_conflict(
    ours: DatabaseStorage, other: DatabaseStorage
) -> None:
    filled(ours, {"a.txt": b""})
    copy(ours, other)
    ours.set_public("a.txt", True)
    assert "a different public flag" in copy(ours, other)["a.txt"].problem
    assert not other.is_public("a.txt")
    assert copy(ours, other, overwrite=True)["a.txt"].outcome == Outcome.REPLACED
    assert other.is_public("a.txt")


def test_a_dry_run_reports_and_changes_nothing(
    ours: DatabaseStorage, folder: FileSystemStorage, database: str
) -> None:
    filled(folder, {"a.txt": b"new", "b.txt": b"same", "c.txt": b"1"})
    filled(ours, {"b.txt": b"same", "c.txt": b"2"})
    before = contents(ours)
    done = copy(folder, ours, dry_run=True)
    assert {name: transfer.outcome.value for name, transfer in done.items()} == {
        "a.txt": "copied",
        "b.txt": "present",
        "c.txt": "failed",
    }
    assert contents(ours) == before


def test_a_folders_leftovers_of_a_killed_copy_are_replaced(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    filled(ours, {"a.bin": LARGE, "b.bin": LARGE})
    filled(folder, {"a.bin": LARGE[:5000], "b.bin": LARGE[1:5000]})
    done = copy(ours, folder)
    assert done["a.bin"].outcome == Outcome.REPLACED
    # Not the beginning of the source: somebody's own file.
    assert done["b.bin"].outcome == Outcome.FAILED
    assert contents(folder) == {"a.bin": LARGE, "b.bin": LARGE[1:5000]}


def test_a_shorter_file_in_the_table_is_not_a_leftover(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    filled(folder, {"a.bin": LARGE})
    filled(ours, {"a.bin": LARGE[:5000]})
    assert copy(folder, ours)["a.bin"].outcome == Outcome.FAILED
    assert contents(ours) == {"a.bin": LARGE[:5000]}


def test_a_failure_does_not_stop_the_other_files(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    location = Path(folder.location)
    filled(folder, {"a.txt": b"", "z.txt": b""})
    (location / "broken link").symlink_to(location / "nowhere")
    (location / "line\nbreak").write_bytes(b"")
    (location / "back\\slash").write_bytes(b"")
    os.mkfifo(location / "pipe")
    Path(os.fsdecode(os.fsencode(location) + b"/\xff")).write_bytes(b"")
    filled(folder, {f"{'n' * 200}/{'n' * 200}/{'n' * 200}": b""})
    done = copy(folder, ours)
    failed = {name for name, transfer in done.items() if transfer.outcome == Outcome.FAILED}
    assert failed == done.keys() - {"a.txt", "z.txt"}
    assert len(failed) == 6
    assert all(done[name].problem for name in failed)
    assert contents(ours) == {"a.txt": b"", "z.txt": b""}


def test_too_large_a_file_fails_alone(database: str, folder: FileSystemStorage) -> None:
    target = DatabaseStorage(using=database, max_size=10)
    done = copy(filled(folder, {"a": b"small", "b": b"larger than ten"}), target)
    assert "larger than 10 bytes" in done["b"].problem
    assert contents(target) == {"a": b"small"}


def test_a_file_and_a_directory_never_share_a_name(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    filled(folder, {"a/b": b"", "c": b""})
    filled(ours, {"a": b"", "c/d": b""})
    assert outcomes(copy(folder, ours)) == {Outcome.FAILED}
    assert contents(ours) == {"a": b"", "c/d": b""}
    assert outcomes(copy(ours, folder)) == {Outcome.FAILED}
    assert contents(folder) == {"a/b": b"", "c": b""}


def test_small_files_take_few_statements(
    ours: DatabaseStorage, other: DatabaseStorage, folder: FileSystemStorage, database: str
) -> None:
    files = {f"{number % 7}/{number}": str(number).encode() for number in range(100)}
    for source, target in ((filled(folder, files), ours), (ours, other)):
        with CaptureQueriesContext(connections[database]) as queries:
            assert outcomes(copy(source, target)) == {Outcome.COPIED}
        assert len(queries) <= 15
        assert contents(target) == files
    with CaptureQueriesContext(connections[database]) as queries:
        assert outcomes(copy(ours, other)) == {Outcome.PRESENT}
    assert len(queries) <= 5


class Listed:
    """A source that lists any names, in their order."""

    is_remote = False
    databases = ()

    def __init__(self, **files: bytes) -> None:
        self.files = files

    def records(self) -> list[FileRecord]:
        return [FileRecord(name=name, size=len(content)) for name, content in self.files.items()]

    def complete(self, record: FileRecord) -> FileRecord:
        return record

    def read(self, record: FileRecord) -> Iterator[bytes]:
        yield self.files[record.name]

    def read_together(self, records: Iterable[FileRecord]) -> Iterator[tuple[FileRecord, bytes]]:
        return ((record, self.files[record.name]) for record in records)

    def copy_into(self, target: Storage, *, dry_run: bool = False) -> dict[str, str]:
        copier = Copier(source=self, target=end_of(target), dry_run=dry_run)  # type: ignore[arg-type]
        done = copier.copy_all(self.records())
        return {each.record.name: each.problem or each.outcome.value for each in done}


def test_of_a_file_and_a_directory_of_one_name_the_first_is_copied(
    ours: DatabaseStorage, other: DatabaseStorage
) -> None:
    done = Listed(**{"a": b"1", "a/b": b"2", "c/d/e": b"3", "c/d": b"4", "f": b"5"})
    problems = done.copy_into(ours)
    assert contents(ours) == {"a": b"1", "c/d/e": b"3", "f": b"5"}
    assert problems["a/b"] == "it lies below the file 'a'"
    assert "a directory of this name" in problems["c/d"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_dry_run_promises_no_file_that_has_no_place(
    database: str, folder: FileSystemStorage, *, is_folder: bool
) -> None:
    target: Storage = folder if is_folder else DatabaseStorage(using=database, max_size=10)
    target.save("old/b", ContentFile(b""))
    target.save("dir/old", ContentFile(b""))
    files = {"a": b"1", "a/b": b"2", "c/d/e": b"3", "c/d": b"4", "c/d/f": b"5", "f/g/h/i": b"6"}
    files |= {"f/g": b"7", "old/b/c/d": b"8", "dir": b"9", "c//d": b"0", "large": b"x" * 11}
    listed = Listed(**files)
    dry = listed.copy_into(target, dry_run=True)
    failed = {"a/b", "c/d", "f/g", "old/b/c/d", "dir", "c//d"} | (
        set() if is_folder else {"large"}
    )
    assert {name for name, told in dry.items() if told != "copied"} == failed
    assert dry["old/b/c/d"] == "it lies below the file 'old/b'"
    assert dry["c//d"] == "the target can't store a file under this name, only as 'c/d'"
    done = listed.copy_into(target)
    assert {name for name, told in done.items() if told != "copied"} == failed
    for name in failed - ({"c/d", "f/g"} if is_folder else set()):
        assert done[name] == dry[name]


def test_a_file_copied_alone_is_found_a_place_by_one_statement(ours: DatabaseStorage) -> None:
    listed = Listed(**{"a/b/large": LARGE})
    with CaptureQueriesContext(connections[ours.catalog.writer]) as ran:
        listed.copy_into(ours)
    looked = [query for query in ran if "'a/b'" in query["sql"]]
    assert len(looked) == 1


def test_a_bucket_may_have_a_file_below_another(ours: DatabaseStorage) -> None:
    listed = Listed(**{"a": b"1", "a/b": b"2"})
    assert set(listed.copy_into(Flat(), dry_run=True).values()) == {"copied"}


class Flat(InMemoryStorage):
    """Has no directories, as a bucket."""

    def exists(self, name: str) -> bool:
        return False


def test_a_file_that_another_copy_saves_meanwhile_is_present(ours: DatabaseStorage) -> None:
    class Overtaken(Listed):
        """Its files are copied by somebody else while they are read."""

        def read_together(self, records: Any) -> Iterator[tuple[FileRecord, bytes]]:
            ours.save("b", ContentFile(b"2"))
            ours.save("c", ContentFile(b"another"))
            ours.save("large", ContentFile(LARGE))
            return super().read_together(records)

    source = Overtaken(a=b"1", b=b"2", c=b"3", d=b"4", large=LARGE)
    done = source.copy_into(ours)
    assert done["c"] == "the target has a different file of this name"
    assert (done["a"], done["b"], done["d"]) == ("copied", "present", "copied")
    assert done["large"] == "present"
    assert contents(ours) == {"a": b"1", "b": b"2", "c": b"another", "d": b"4", "large": LARGE}


def test_a_source_that_is_wrong_about_sizes_is_copied_whole(ours: DatabaseStorage) -> None:
    class Wrong(Listed):
        def records(self) -> list[FileRecord]:
            return [replace(record, size=3) for record in super().records()]

    Wrong(a=b"text", b=LARGE, c=b"").copy_into(ours)
    assert contents(ours) == {"a": b"text", "b": LARGE, "c": b""}
    assert not StoredFile.rows.using(ours.options.using).strays().exists()


def test_one_bad_file_among_many_fails_alone(
    ours: DatabaseStorage, other: DatabaseStorage, database: str
) -> None:
    filled(ours, dict.fromkeys("abc", b"content"))
    StoredFile.rows.using(database).filter(name="b").update(data=b"rotten!")
    done = copy(ours, other)
    assert "the content has changed" in done["b"].problem
    assert contents(other) == {"a": b"content", "c": b"content"}
    StoredFile.rows.using(database).filter(name="c", namespace="").update(data=b"")
    third = DatabaseStorage(using=database, namespace="third")
    copy(ours, third)
    assert contents(third) == {"a": b"content"}


def test_encrypted_storages_are_copied_together(database: str) -> None:
    source = DatabaseStorage(using=database, namespace="source", encryption_keys=[OLD_KEY])
    target = DatabaseStorage(using=database, encryption_keys=[KEY])
    files = {str(number): b"secret" for number in range(20)}
    filled(source, files)
    with CaptureQueriesContext(connections[database]) as queries:
        copy(source, target)
    assert len(queries) <= 10
    assert contents(target) == files
    rows = StoredFile.rows.using(database).values_list("data", flat=True)
    assert not [row for row in rows if b"secret" in bytes(row)]


def test_no_transaction_waits_for_a_key_service(
    ours: DatabaseStorage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, depths = Service(), set()
    connection: Any = connections[database]
    note = service._note

    def note_depth(what: str) -> None:
        depths.add(len(connection.savepoint_ids))
        note(what)

    monkeypatch.setattr(service, "_note", note_depth)
    target = DatabaseStorage(using=database, namespace="target", encryption_keys=[service])
    files = {str(number): b"secret" for number in range(5)}
    assert outcomes(copy(filled(ours, files), target)) == {Outcome.COPIED}
    assert depths == {len(connection.savepoint_ids)}
    assert contents(target) == files


class Rotten(InMemoryStorage):
    """Returns different bytes from those it was given."""

    def _open(self, name: str, mode: str = "rb") -> Any:
        return ContentFile(b"rotten", name=name)


def test_a_bad_copy_is_reported_and_deleted(
    ours: DatabaseStorage,
) -> None:
    filled(ours, {"a.txt": b"content"})
    target = Rotten()
    assert "differs from what was written" in copy(ours, target)["a.txt"].problem
    assert not target.exists("a.txt")


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "overwritten"])
def test_content_that_does_not_match_its_digest_is_not_copied(
    ours: DatabaseStorage,
    other: DatabaseStorage,
    folder: FileSystemStorage,
    database: str,
    is_there: bool,  # noqa: FBT001
) -> None:
    filled(ours, {"a.txt": b"content"})
    StoredFile.rows.using(database).update(data=b"rotten!")
    before = {"a.txt": b"other"} if is_there else {}
    for target in (other, folder):
        filled(target, before)
        assert "the content has changed" in copy(ours, target, overwrite=True)["a.txt"].problem
        assert contents(target) == before


class Renaming(InMemoryStorage):
    """Another file has taken each name by the time it saves."""

    def _save(self, name: str, content: Any) -> str:
        super()._save(name, ContentFile(b"theirs"))
        taken: str = super()._save(f"{name}_x", content)
        return taken


def test_a_copy_saved_under_another_name_is_deleted(ours: DatabaseStorage) -> None:
    filled(ours, {"a.txt": b"content"})
    target = Renaming()
    assert "taken this name" in copy(ours, target)["a.txt"].problem
    assert not target.exists("a.txt_x")


class Failing(FileSystemStorage):
    """Its disk is full after some bytes."""

    def _save(self, name: str, content: Any) -> str:
        Path(self.path(name)).write_bytes(content.read(5))
        raise OSError("No space left on device")


def test_the_leftovers_of_a_failed_save_are_deleted(ours: DatabaseStorage, tmp_path: Path) -> None:
    filled(ours, {"a.txt": b"content"})
    target = Failing(location=tmp_path)
    assert copy(ours, target)["a.txt"].problem == "No space left on device"
    assert not target.exists("a.txt")


def test_a_listing_that_fails_is_a_failure(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    filled(folder, {"a.txt": b""})

    def records() -> Iterator[FileRecord]:
        yield FileRecord(name="a.txt")
        raise OSError("gone")

    ends = {"source": end_of(folder), "target": TableEnd(ours)}
    done = list(Copier(**ends).copy_all(records()))  # type: ignore[arg-type]
    assert [transfer.outcome.value for transfer in done] == ["copied", "failed"]
    assert done[1].problem == "the listing failed: gone"


def test_the_signal_is_sent_for_each_new_file(
    ours: DatabaseStorage,
    folder: FileSystemStorage,
    database: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[tuple[Any, ...]] = []

    def receive(**told_: Any) -> None:
        told.append((told_["storage"], told_["name"], told_["created"]))

    file_saved.connect(receive)
    try:
        with django_capture_on_commit_callbacks(using=database, execute=True):
            copy(filled(folder, {"a.txt": b""}), ours)
    finally:
        file_saved.disconnect(receive)
    assert told == [(ours, "a.txt", True)]


@pytest.mark.django_db(transaction=True)
def test_many_threads_copy_all_and_give_back_their_connections(
    ours: DatabaseStorage, folder: FileSystemStorage, database: str
) -> None:
    files = {f"{number % 7}/{number}": str(number).encode() * 500 for number in range(100)}
    copy(filled(folder, files), ours, jobs=4)
    assert contents(ours) == files
    assert outcomes(copy(folder, ours, jobs=4)) == {Outcome.PRESENT}
    if connections[database].vendor == "postgresql":
        # The server ends a session some time after its client has gone.
        deadline = time.monotonic() + 30
        while _sessions(database) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _sessions(database) == 1


def _sessions(database: str) -> int:
    with connections[database].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        (count,) = cursor.fetchone()
    return int(count)


@pytest.mark.django_db(transaction=True)
def test_many_threads_stop_when_nobody_waits_for_them(
    ours: DatabaseStorage, folder: FileSystemStorage
) -> None:
    filled(folder, {f"{number:04}": bytes(1000) for number in range(1000)})
    ends = end_of(folder), TableEnd(ours)
    running = Copier(source=ends[0], target=ends[1]).copy_all(ends[0].records(""), jobs=4)
    next(running)
    running.close()
    found = contents(ours)
    assert 0 < len(found) < 1000
    assert set(found.values()) == {bytes(1000)}
    copy(folder, ours, jobs=4)
    assert contents(ours) == contents(folder)


def test_a_source_is_read_in_pieces(ours: DatabaseStorage) -> None:
    class Long:
        """Never holds more than one piece of its content."""

        is_remote = False
        databases = ()

        def records(self, directory: str) -> Iterable[FileRecord]:
            return [FileRecord(name="long", size=3 * 70_000)]

        def complete(self, record: FileRecord) -> FileRecord:
            return record

        def read(self, record: FileRecord) -> Iterator[bytes]:
            for number in range(3):
                yield bytes([number]) * 70_000

    target = TableEnd(ours)
    (done,) = Copier(source=Long(), target=target).copy_all(Long().records(""))  # type: ignore[arg-type]
    assert done.outcome == Outcome.COPIED
    expected = hashlib.sha256(b"".join(Long().read(done.record))).hexdigest()
    assert ours.stat("long").sha256 == expected
