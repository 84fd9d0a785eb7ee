"""Many threads, each with its own connection: nothing is lost and nothing is mixed."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from django.db import connections, transaction
from psycopg import IsolationLevel
from pytest_django import Settings

from secure_dbstorage.exceptions import ContentVanished, FileChanged
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.aliases import added_alias
from tests.support.files import CHUNK_SIZE, read
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


#: Five rows: readers that ask for one, two and then the rest are overtaken in the midst.
SIZE = 4 * CHUNK_SIZE + 100


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)


@pytest.fixture
def overwriting(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE, allow_overwrite=True)


def content_of(number: int) -> bytes:
    return bytes([number]) * (SIZE + number)


def rows(using: str) -> int:
    count: int = StoredFile.rows.using(using).count()
    return count


@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "inside atomic()"])
def test_one_new_name_saved_by_many_becomes_many_files(
    storage: DatabaseStorage,
    database: str,
    in_transaction: bool,  # noqa: FBT001
) -> None:
    def save(number: int) -> str:
        with transaction.atomic(using=database) if in_transaction else nullcontext():
            name = storage.save("dir/a.txt", content_of(number))
            # The transaction is usable whether or not the name was taken.
            storage.save(f"later/{number}.txt", b"")
        return name

    tasks = [lambda number=number: save(number) for number in range(8)]
    names = at_once(tasks)
    assert len(set(names)) == THREADS
    assert "dir/a.txt" in names
    for number, name in enumerate(names):
        assert read(storage, name) == content_of(number)
    assert len(storage.listdir("later")[1]) == THREADS


def test_a_name_is_free_again_when_the_save_that_took_it_is_rolled_back(
    storage: DatabaseStorage, database: str
) -> None:
    def save() -> str:
        try:
            return storage.save("a.txt", b"second")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(using=database):
            storage.save("a.txt", b"first")
            second: Future[str] = pool.submit(save)
            transaction.set_rollback(True, using=database)
        assert second.result(30) == "a.txt"
    assert read(storage, "a.txt") == b"second"


@pytest.mark.parametrize(
    ("database", "options"),
    [
        ("postgres", {"isolation_level": IsolationLevel.REPEATABLE_READ}),
        ("mariadb", {"isolation_level": "repeatable read", "charset": "utf8mb4"}),
    ],
    indirect=["database"],
)
def test_a_name_that_the_transaction_does_not_see_is_taken(
    storage: DatabaseStorage, database: str, options: dict[str, Any], settings: Settings
) -> None:
    class Router:
        def db_for_read(self, model: type, **hints: object) -> str:
            return "repeatable"

        db_for_write = db_for_read

    settings.DATABASE_ROUTERS = [Router()]
    isolated = DatabaseStorage()
    with (
        added_alias("repeatable", like=database, OPTIONS=options),
        transaction.atomic(using="repeatable"),
    ):
        assert not isolated.exists("a.txt")
        storage.save("a.txt", b"first")
        assert not isolated.exists("a.txt")
        name = isolated.save("a.txt", b"second")
    assert read(storage, "a.txt") == b"first"
    assert read(storage, name) == b"second"


def test_of_many_overwriters_one_is_the_last(overwriting: DatabaseStorage, database: str) -> None:
    overwriting.save("a.bin", content_of(100))

    def save(number: int) -> None:
        for _ in range(5):
            assert overwriting.save("a.bin", content_of(number)) == "a.bin"

    results = at_once([lambda number=number: save(number) for number in range(THREADS)])
    assert results == [None] * THREADS
    assert read(overwriting, "a.bin") in map(content_of, range(THREADS))
    assert rows(database) == 5


def test_of_many_overwriters_of_a_new_name_one_is_the_last(
    overwriting: DatabaseStorage, database: str
) -> None:
    def save(number: int) -> str:
        return overwriting.save("a.bin", content_of(number))

    results = at_once([lambda number=number: save(number) for number in range(THREADS)])
    assert results == ["a.bin"] * THREADS
    assert read(overwriting, "a.bin") in map(content_of, range(THREADS))
    assert rows(database) == 5


def test_overwriters_of_different_files_do_not_meet(
    overwriting: DatabaseStorage, database: str
) -> None:
    def save(number: int) -> None:
        for _ in range(5):
            overwriting.save(f"{number}.bin", content_of(number))

    results = at_once([lambda number=number: save(number) for number in range(THREADS)])
    assert results == [None] * THREADS
    for number in range(THREADS):
        assert read(overwriting, f"{number}.bin") == content_of(number)
    assert rows(database) == 5 * THREADS


def test_of_many_exclusive_writers_one_wins(storage: DatabaseStorage, database: str) -> None:
    def write(number: int) -> int:
        with storage.open("a.bin", "xb") as file:
            file.write(content_of(number))
        return number

    results = at_once([lambda number=number: write(number) for number in range(THREADS)])
    (winner,) = [result for result in results if isinstance(result, int)]
    assert all(isinstance(result, FileExistsError | int) for result in results)
    assert read(storage, "a.bin") == content_of(winner)
    assert rows(database) == 5


def test_of_many_renames_to_one_name_one_wins(storage: DatabaseStorage) -> None:
    for number in range(THREADS):
        storage.save(f"{number}.txt", content_of(number))

    def rename(number: int) -> int:
        storage.rename(f"{number}.txt", "new.txt")
        return number

    results = at_once([lambda number=number: rename(number) for number in range(THREADS)])
    (winner,) = [result for result in results if isinstance(result, int)]
    assert all(isinstance(result, FileExistsError | int) for result in results)
    assert read(storage, "new.txt") == content_of(winner)
    assert len(storage.listdir("")[1]) == THREADS


def test_no_update_is_lost_in_silence(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"")

    def append(number: int) -> int:
        added = 0
        for _ in range(5):
            with suppress(FileChanged, ContentVanished):
                with storage.open("a.txt", "ab") as file:
                    file.write(b"x")
                added += 1
        return added

    added = at_once([lambda number=number: append(number) for number in range(4)])
    assert storage.size("a.txt") == sum(added) >= 5


@pytest.mark.parametrize("way", ["open", "stream"])
def test_a_reader_gets_one_content_whole_or_an_error(
    overwriting: DatabaseStorage, way: str
) -> None:
    overwriting.save("a.bin", content_of(0))
    written = threading.Event()

    def write() -> None:
        try:
            for number in range(1, 40):
                overwriting.save("a.bin", content_of(number))
        finally:
            written.set()

    def read_on() -> list[bytes]:
        whole: list[bytes] = []
        while not (written.is_set() and whole):
            with suppress(ContentVanished):
                whole.append(read_whole(overwriting, way))
        return whole

    _, *readers = at_once([write, read_on, read_on, read_on])
    contents = set(map(content_of, range(40)))
    assert all(readers)
    assert all(content in contents for reader in readers for content in reader)


def read_whole(storage: DatabaseStorage, way: str) -> bytes:
    if way == "open":
        content: bytes = read(storage, "a.bin")
        return content
    head = storage.catalog.find("a.bin", with_chunk=True)
    assert head is not None
    return b"".join(storage.catalog.stream(head, 0, head.stat.size))


def test_a_reader_of_a_deleted_file_got_all_or_an_error(storage: DatabaseStorage) -> None:
    names = [f"{number}.bin" for number in range(10)]
    for number, name in enumerate(names):
        storage.save(name, content_of(number))
    results = at_once(
        [
            *(lambda name=name: read(storage, name) for name in names[:5]),
            lambda: [storage.delete(name) for name in names],
        ]
    )
    for number, result in enumerate(results[:5]):
        assert isinstance(result, OSError) or result == content_of(number)
    assert storage.listdir("") == ([], [])


def test_a_file_deleted_by_many_is_gone_without_an_error(
    storage: DatabaseStorage, database: str
) -> None:
    storage.save("a.bin", content_of(1))
    assert at_once([lambda: storage.delete("a.bin")] * THREADS) == [None] * THREADS
    assert rows(database) == 0
