"""Uploads without a name grow by one writer, are deleted whole, or become files whole."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.db.models.signals import post_delete
from django.utils import timezone

from secure_dbstorage.exceptions import UploadChanged, UploadGone
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import adopting, uploads
from tests.support.uploads import PAST, begin_upload, finish_upload

ROWS = 5
NOW = timezone.now()

#: What a file has beyond an upload.
FILE = {
    "sha256": "0" * 64,
    "content_type": "text/plain",
    "is_public": False,
    "modified": PAST,
    "link_epoch": 1,
}


#: Bytes in a row, and more than three rows.
CHUNK = 4096
CONTENT = b"".join(number.to_bytes(4) for number in range(3500))


def begun(using: str, size: int = len(CONTENT)) -> Upload:
    """Begin an upload."""
    expires = NOW + timedelta(days=1)
    upload = uploads.draft(using=using, namespace="", size=size, chunk_size=CHUNK, expires=expires)
    uploads.begin(upload)
    return replace(upload, is_begun=True)


def found(upload: Upload) -> Upload:
    """Return what the rows say of an upload now."""
    again = uploads.find(upload.content.key, namespace="", using=upload.content.using)
    assert again is not None
    return again


def append(upload: Upload, data: bytes) -> Upload:
    """Write these bytes, in as many rows as they take."""
    pieces = []
    for length in upload.row_lengths(len(data) + 2 * CHUNK):
        if data:
            pieces.append(data[:length])
        data = data[length:]
    if pieces:
        uploads.append(upload.content, upload.offset, pieces)
    return found(upload)


def content_of(upload: Upload) -> bytes:
    chunks = StoredFile.rows.using(upload.content.using).of(upload.content.key)
    return b"".join(bytes(row.data) for row in chunks.order_by("position"))


@pytest.mark.parametrize(
    "lengths",
    [[14000], [1, 1, 13998], [4096, 4096, 5808], [4095, 2, 9903], [8192, 5808], [1, 13999]],
)
def test_an_upload_grows(database: str, lengths: list[int]) -> None:
    upload = begun(database)
    for length in lengths:
        stop = upload.offset + length
        upload = append(upload, CONTENT[upload.offset : stop])
        assert upload.offset == stop
    assert upload.is_complete
    assert content_of(upload) == CONTENT
    assert [position for position, _ in stored(database)] == [0, 1, 2, 3]
    assert adopting.digested(upload).sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("offset", [0, 10, 4095, 4096, 4100, 8192])
def test_who_has_missed_a_piece_writes_nothing(database: str, offset: int) -> None:
    late = append(begun(database), CONTENT[:offset])
    now = append(late, CONTENT[offset : offset + 5000])
    with transaction.atomic(using=database), pytest.raises(UploadChanged):
        append(late, b"x" * 6000)
    assert content_of(now) == CONTENT[: offset + 5000]


@pytest.mark.parametrize("length", [1, 20, 4000])
def test_who_has_missed_a_piece_of_a_row_writes_nothing(database: str, length: int) -> None:
    late = append(begun(database), CONTENT[:10])
    now = append(late, CONTENT[10:30])
    with pytest.raises(UploadChanged):
        append(late, b"x" * length)
    assert content_of(now) == CONTENT[:30]


@pytest.mark.parametrize("offset", [0, 10, 4096, 4100, 8192])
def test_an_upload_that_was_deleted_gets_no_more_rows(database: str, offset: int) -> None:
    late = append(begun(database), CONTENT[:offset])
    assert uploads.delete(late.content.key, using=database)
    with pytest.raises(UploadChanged):
        uploads.append(late.content, offset, [b"x" * (CHUNK - offset % CHUNK), b"x"])
    assert stored(database) == []


def test_a_file_is_neither_deleted_nor_changed_as_an_upload(database: str) -> None:
    begin_upload(database, key=1, rows=ROWS, name="a.txt", **FILE)
    file = uploads.find(1, namespace="", using=database)
    assert file is not None
    assert file.name == "a.txt"
    assert not uploads.delete(1, using=database)
    with pytest.raises(UploadGone):
        adopting.note_digest(replace(file, tag="1" * 64))
    assert stored(database) == whole("a.txt")
    assert uploads.find(1, namespace="", using=database) == file


def test_an_upload_is_of_one_namespace(database: str) -> None:
    key = begun(database).content.key
    assert uploads.find(key, namespace="other", using=database) is None
    assert uploads.find(key + 1, namespace="", using=database) is None


def test_a_digest_is_kept_until_the_upload_is_gone(database: str) -> None:
    upload = append(begun(database, 5), b"12345")
    adopting.note_digest(adopting.digested(upload))
    assert found(upload).sha256 == hashlib.sha256(b"12345").hexdigest()
    uploads.delete(upload.content.key, using=database)
    with pytest.raises(UploadGone):
        adopting.note_digest(adopting.digested(found_again(upload)))


def found_again(upload: Upload) -> Upload:
    """Return what a slower request still knows."""
    return replace(upload, tag="0" * 64)


def stored(using: str) -> list[tuple[int, str | None]]:
    """Return the position and the name of each row."""
    rows = StoredFile.rows.using(using).order_by("position").values_list("position", "name")
    return list(rows)


def whole(name: str | None) -> list[tuple[int, str | None]]:
    return [(0, name), *((position, None) for position in range(1, ROWS))]


def test_an_upload_is_deleted_with_all_its_rows(database: str) -> None:
    begin_upload(database, key=1, rows=ROWS)
    begin_upload(database, key=2, name="a.txt", **FILE)
    assert uploads.delete_expired(1, now=NOW, using=database)
    assert stored(database) == [(0, "a.txt")]
    assert not uploads.delete_expired(1, now=NOW, using=database)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": NOW + timedelta(microseconds=1)},
        {"name": "a.txt", **FILE},
        {"name": "a.txt", **FILE, "expires": None},
    ],
    ids=["it has time", "it has a name and expires", "it has a name"],
)
def test_an_upload_stays_if(database: str, changes: dict[str, Any]) -> None:
    begin_upload(database, key=1, rows=ROWS, **changes)
    assert not uploads.delete_expired(1, now=NOW, using=database)
    assert stored(database) == whole(changes.get("name"))


def test_nothing_but_an_upload_is_deleted(database: str) -> None:
    StoredFile.rows.using(database).create(content=1, position=1, data=b"x", expires=PAST)
    assert not uploads.delete_expired(1, now=NOW, using=database)
    assert stored(database) == [(1, None)]


def test_a_deleted_upload_comes_back_with_the_callers_transaction(database: str) -> None:
    begin_upload(database, key=1, rows=ROWS)
    with transaction.atomic(using=database):
        assert uploads.delete_expired(1, now=NOW, using=database)
        transaction.set_rollback(True, using=database)
    assert stored(database) == whole(None)


def test_deleting_an_upload_loads_nothing(database: str) -> None:
    begin_upload(database, key=1, rows=ROWS)

    def receiver(**_: object) -> None:
        raise AssertionError("The rows were loaded")

    post_delete.connect(receiver)
    try:
        assert uploads.delete_expired(1, now=NOW, using=database)
    finally:
        post_delete.disconnect(receiver)


def in_thread(task: Callable[[], object]) -> threading.Thread:
    """Start a task in a thread with a connection for itself."""

    def run() -> None:
        try:
            task()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("offset", [10, 4096])
def test_of_eight_writers_at_one_offset_one_wins(database: str, offset: int) -> None:
    upload = append(begun(database), CONTENT[:offset])
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def write(number: int) -> None:
        start.wait(60)
        try:
            append(upload, bytes([number]) * 9000)
        except UploadChanged:
            outcomes.append("changed")
        except OperationalError:  # MySQL may find a deadlock instead.
            outcomes.append("deadlock")
        else:
            outcomes.append("written")

    for thread in [in_thread(partial(write, number)) for number in range(8)]:
        thread.join(60)
    assert len(outcomes) == 8
    assert outcomes.count("written") == 1
    written = content_of(upload)
    assert written[:offset] == CONTENT[:offset]
    assert len(written) == offset + 9000
    assert len(set(written[offset:])) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("offset", [10, 4096])
def test_who_deletes_waits_for_the_piece_and_takes_it_along(database: str, offset: int) -> None:
    upload = append(begun(database), CONTENT[:offset])
    with transaction.atomic(using=database):
        uploads.append(upload.content, offset, [b"x" * (CHUNK - offset % CHUNK), b"x"])
        thread = in_thread(partial(uploads.delete, upload.content.key, using=database))
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(30)
    assert stored(database) == []


@pytest.mark.django_db(transaction=True)
class TestAdoption:
    """An upload gets its name at the moment when it is deleted."""

    @pytest.mark.parametrize("is_undone", [False, True])
    def test_who_deletes_waits_for_the_name(
        self,
        database: str,
        is_undone: bool,  # noqa: FBT001
    ) -> None:
        begin_upload(database, key=1, rows=ROWS)
        deleted: list[bool] = []

        def delete() -> None:
            deleted.append(uploads.delete_expired(1, now=timezone.now(), using=database))

        with transaction.atomic(using=database):
            assert finish_upload(database, key=1, name="a.txt") == 1
            thread = in_thread(delete)
            thread.join(0.3)
            assert thread.is_alive()
            transaction.set_rollback(is_undone, using=database)
        thread.join(30)
        assert deleted == [is_undone]
        assert stored(database) == ([] if is_undone else whole("a.txt"))

    @pytest.mark.parametrize("is_undone", [False, True])
    def test_who_gives_the_name_waits_for_the_deletion(
        self,
        database: str,
        is_undone: bool,  # noqa: FBT001
    ) -> None:
        begin_upload(database, key=1, rows=ROWS)
        changed: list[int] = []
        with transaction.atomic(using=database):
            assert uploads.delete_expired(1, now=timezone.now(), using=database)
            thread = in_thread(
                lambda: changed.append(finish_upload(database, key=1, name="a.txt"))
            )
            thread.join(0.3)
            assert thread.is_alive()
            transaction.set_rollback(is_undone, using=database)
        thread.join(30)
        assert changed == [int(is_undone)]
        assert stored(database) == (whole("a.txt") if is_undone else [])

    @pytest.mark.parametrize("key", range(10))
    def test_at_any_moment_the_file_is_whole_or_the_upload_is_gone(
        self, database: str, key: int
    ) -> None:
        begin_upload(database, key=key, rows=ROWS)
        start = threading.Barrier(2)
        won: list[str] = []

        def delete() -> None:
            start.wait(30)
            if uploads.delete_expired(key, now=timezone.now(), using=database):
                won.append("deleted")

        def give_name() -> None:
            start.wait(30)
            if finish_upload(database, key=key, name="a.txt"):
                won.append("named")

        for thread in (in_thread(delete), in_thread(give_name)):
            thread.join(30)
        (outcome,) = won
        assert stored(database) == (whole("a.txt") if outcome == "named" else [])
