"""Uploads without a name are deleted whole or become files whole."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.signals import post_delete
from django.utils import timezone

from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import uploads
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
