"""A database that commits what gives an upload its name, and whose answer is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from django.utils.http import http_date

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.receiving.conftest import Receiver
from tests.support.uploads import Uploader, announced

#: One row, and several that come with the name.
SIZES = (100, 10_000)


@contextmanager
def lost_answer(alias: str) -> Iterator[None]:
    """Let the first commit meanwhile succeed, and look like a failure."""
    connection, left = connections[alias], [True]
    commit = connection._commit

    def lose() -> None:
        if left.pop():
            left.append(False)
            raise OperationalError("The server has closed the connection unexpectedly")

    def committed() -> None:
        commit()
        if left[0]:
            lose()

    def inserted(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        # Outside a transaction, a statement that names a file is one.
        if left[0] and sql.startswith("INSERT") and not connection.in_atomic_block:
            lose()
        return result

    connection._commit = committed
    try:
        with connection.execute_wrapper(inserted):
            yield
        assert not left[0], "Nothing was committed"
    finally:
        del connection._commit


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "over"])
def test_a_file_that_was_put_is_there_once(
    database: str, receiver: Receiver, uploader: Uploader, old: bytes | None, size: int
) -> None:
    storage, data = receiver(), bytes(range(250)) * (size // 250 + 1)
    if old is not None:
        storage.save("a.bin", old)
    url = storage.upload_url("a.bin", max_size=size, overwrite=True)
    with lost_answer(database), announced() as saved:
        answer = uploader.put(url, data[:size])
    assert answer.status_code == (201 if old is None else 200)
    assert saved == [("a.bin", old is None)]
    assert_only(storage, database, "a.bin", data[:size])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fields", [{}, {"If-None-Match": "*"}, {"If-None-Match": '"other"'}])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_was_put_where_none_was_is_there_once(
    database: str,
    receiver: Receiver,
    uploader: Uploader,
    size: int,
    fields: dict[str, str],
    *,
    overwrite: bool,
) -> None:
    storage, data = receiver(), bytes(range(250)) * (size // 250 + 1)
    url = storage.upload_url("a.bin", max_size=size, overwrite=overwrite)
    with lost_answer(database), announced() as saved:
        answer = uploader.put(url, data[:size], fields)
    assert answer.status_code == 201
    assert saved == [("a.bin", True)]
    assert_only(storage, database, "a.bin", data[:size])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "date"])
def test_a_file_that_was_put_over_a_certain_one_is_there_once(
    database: str, receiver: Receiver, uploader: Uploader, size: int, *, by_tag: bool
) -> None:
    """The condition held when it was committed. That it doesn't hold now is our own doing."""
    storage, data = receiver(), bytes(range(250)) * (size // 250 + 1)
    storage.save("a.bin", b"old")
    url = storage.upload_url("a.bin", max_size=size, overwrite=True)
    now = http_date(timezone.now().timestamp())
    fields = {"If-Match": etag_of(storage)} if by_tag else {"If-Unmodified-Since": now}
    with lost_answer(database), announced() as saved:
        answer = uploader.put(url, data[:size], fields)
    assert (answer.status_code, answer["ETag"]) == (200, etag_of(storage))
    assert saved == [("a.bin", False)]
    assert_only(storage, database, "a.bin", data[:size])


@pytest.mark.django_db(transaction=True)
def test_a_large_file_may_be_put_again(
    database: str, receiver: Receiver, uploader: Uploader
) -> None:
    storage, data = receiver(), bytes(5_000_000)  # More than one transaction takes.
    url = storage.upload_url("a.bin", max_size=len(data))
    with lost_answer(database):
        answer = uploader.put(url, data)
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert not StoredFile.rows.using(database).exists()
    assert uploader.put(url, data).status_code == 201
    assert_only(storage, database, "a.bin", data)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", SIZES)
def test_a_file_below_a_directory_is_there_once(
    database: str, receiver: Receiver, uploader: Uploader, size: int
) -> None:
    storage, data = receiver(), bytes(range(250)) * (size // 250 + 1)
    with lost_answer(database), announced() as saved:
        uploader.sent(storage.upload_url(prefix="in", max_size=size), data[:size], "a.bin")
    assert saved == [("in/a.bin", True)]
    assert_only(storage, database, "in/a.bin", data[:size])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_connection_that_was_closed_is_opened_again(
    database: str, receiver: Receiver, uploader: Uploader
) -> None:
    connection, closed = connections[database], list[bool]()

    def closing(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT") and not closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            other = connection.copy()
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            other.close()
            closed.append(True)
        return execute(sql, *rest)

    url = receiver().upload_url("a.bin", max_size=9)
    with connection.execute_wrapper(closing):
        assert uploader.put(url, b"123456789").status_code == 201
    assert closed


def etag_of(storage: DatabaseStorage) -> str:
    return storage.stat("a.bin").etag


def assert_only(storage: Any, database: str, name: str, data: bytes) -> None:
    with storage.open(name) as file:
        assert file.read() == data
    heads = StoredFile.objects.using(database)
    assert [head.name for head in heads.all()] == [name]
    rows = StoredFile.rows.using(database).count()
    assert rows == -(-len(data) // storage.options.chunk_size)
