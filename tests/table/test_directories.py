"""Directories are listed, at a cost that depends on what is in them."""

import re

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.storage import DatabaseStorage


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return DatabaseStorage(using=database)


def test_children_come_in_order(storage: DatabaseStorage) -> None:
    for name in ("b/1", "a/1", "a-b/1", "a/2", "a b/1", "a0/1", "z", "A", "a.txt", "\u00e9"):
        storage.saves.add(name, [b""])
    assert storage.catalog.children("") == (
        ["a", "a b", "a-b", "a0", "b"],
        ["A", "a.txt", "z", "\u00e9"],
    )


def test_children_of_any_number_are_listed(storage: DatabaseStorage) -> None:
    names = [f"{number:04}" for number in range(300)]
    with transaction.atomic(using=storage.catalog.writer):
        for name in names:
            storage.saves.add(f"dir/{name}", [b""])
            if name.endswith("7"):
                storage.saves.add(f"dir/{name}-sub/file", [b""])
    directories, files = storage.catalog.children("dir")
    assert files == names
    assert directories == [f"{name}-sub" for name in names if name.endswith("7")]


@pytest.fixture
def crowded() -> None:
    """Put 100,000 files below one of three directories."""
    columns = "content, position, namespace, name, size, chunk_size, sha256, content_type, "
    columns += "is_public, created, modified, link_epoch, data"
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE numbers(n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) "
            f"INSERT INTO secure_dbstorage_storedfile ({columns}) "
            "SELECT n, 0, '', 'crowded/' || (n %% 7) || '/' || n, 0, 4096, '', '', 0, "
            "'2026-01-01', '2026-01-01', 0, x'' FROM numbers",
            [],
        )
    for name in ("a.txt", "before/1", "z.txt", "later/1"):
        DatabaseStorage(using="default").saves.add(name, [b""])


def rows_asked_for(queries: CaptureQueriesContext) -> int:
    return sum(int(re.findall(r"LIMIT (\d+)", query["sql"])[-1]) for query in queries)


@pytest.mark.django_db
@pytest.mark.usefixtures("crowded")
def test_the_cost_of_listing_depends_on_the_result() -> None:
    storage = DatabaseStorage(using="default")
    with CaptureQueriesContext(connections["default"]) as queries:
        children = storage.catalog.children("")
    assert children == (["before", "crowded", "later"], ["a.txt", "z.txt"])
    assert len(queries) <= 5
    assert rows_asked_for(queries) <= 100
    with CaptureQueriesContext(connections["default"]) as queries:
        assert storage.catalog.children("crowded") == (list("0123456"), [])
    assert len(queries) <= 9
    assert rows_asked_for(queries) <= 100


@pytest.mark.django_db
@pytest.mark.usefixtures("crowded")
def test_listing_many_files_takes_few_queries() -> None:
    with CaptureQueriesContext(connections["default"]) as queries:
        _, files = DatabaseStorage(using="default").catalog.children("crowded/3")
    assert len(files) == 14_286
    assert len(queries) <= 21


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_entries_come_page_by_page(storage: DatabaseStorage, limit: int) -> None:
    names = ["x/a", "x/a b", "x/b/1", "x/b/2", "x/b.txt", "x/c", "x/c0/1/2", "x/d", "y"]
    for name in names:
        storage.saves.add(name, [b""])
    seen: list[str] = []
    while entries := storage.catalog.entries("x", after=seen[-1] if seen else "", limit=limit):
        assert len(entries) <= limit
        seen += entries
    assert seen == ["a", "a b", "b.txt", "b/", "c", "c0/", "d"]
