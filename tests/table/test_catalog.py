"""Names become head rows: looked up, listed, saved, renamed; on one database or with a replica."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.exceptions import FileChanged
from secure_dbstorage.files import LinkState
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.saving import Naming
from secure_dbstorage.table.catalog import Catalog
from tests.support.uploads import begin_upload


def catalog_of(using: str | None, **options: Any) -> Catalog:
    return Catalog(StorageOptions(using=using, **options))


@pytest.fixture
def catalog(database: str) -> Catalog:
    return catalog_of(database)


def epoch(catalog: Catalog, name: str) -> int:
    return catalog.get(name).link_epoch


# Looking up


def test_a_file_is_found_with_its_first_chunk_on_demand(catalog: Catalog) -> None:
    catalog.add("a.txt", [b"content"])
    assert catalog.get("a.txt").first_chunk is None
    head = catalog.find("a.txt", with_chunk=True)
    assert head is not None
    assert head.first_chunk == b"content"


def test_a_first_chunk_that_is_not_the_whole_file_is_left_out(
    catalog: Catalog, database: str
) -> None:
    catalog = catalog_of(database, chunk_size=4096)
    for size, chunk in ((0, b""), (1, b"x"), (4096, b"x" * 4096), (4097, None)):
        catalog.add(f"{size}.txt", [b"x" * size])
        head = catalog.find(f"{size}.txt", with_chunk=True, whole_only=True)
        assert head is not None
        assert (head.first_chunk, head.content.size) == (chunk, size)


def test_a_file_is_found_by_its_content(catalog: Catalog) -> None:
    catalog.add("a.txt", [b"content"])
    head = catalog.get("a.txt")
    assert catalog.find_content(head.content.key) == head
    catalog.replace("a.txt", [b"another"])
    assert catalog.find_content(head.content.key) is None


def test_private_files_are_not_found_among_the_public(catalog: Catalog) -> None:
    catalog.add("a.txt", [b""])
    assert catalog.find("a.txt", public_only=True) is None
    catalog.set_public("a.txt", public=True)
    assert catalog.find("a.txt", public_only=True) is not None


def test_the_links_of_existing_files_are_found_in_one_query(
    catalog: Catalog, database: str
) -> None:
    catalog.add("a.txt", [b""])
    catalog.add("b.txt", [b""])
    catalog.set_public("b.txt", public=True)
    with CaptureQueriesContext(connections[database]) as queries:
        found = catalog.link_states(["a.txt", "b.txt", "a.txt", "missing"])
    assert found == {
        "a.txt": LinkState(False, epoch(catalog, "a.txt")),
        "b.txt": LinkState(True, epoch(catalog, "b.txt")),
    }
    assert len(queries) == 1


def test_no_links_are_found_without_a_query(catalog: Catalog, database: str) -> None:
    with CaptureQueriesContext(connections[database]) as queries:
        assert catalog.link_states([]) == {}
    assert len(queries) == 0


def test_links_of_more_files_than_a_query_can_name_are_found(catalog: Catalog) -> None:
    catalog.add("a.txt", [b""])
    names = [f"missing/{number}" for number in range(70_000)]
    assert list(catalog.link_states([*names, "a.txt"])) == ["a.txt"]


# Listing


def test_children_come_in_order(catalog: Catalog) -> None:
    for name in ("b/1", "a/1", "a-b/1", "a/2", "a b/1", "a0/1", "z", "A", "a.txt", "\u00e9"):
        catalog.add(name, [b""])
    assert catalog.children("") == (
        ["a", "a b", "a-b", "a0", "b"],
        ["A", "a.txt", "z", "\u00e9"],
    )


def test_children_of_any_number_are_listed(catalog: Catalog) -> None:
    names = [f"{number:04}" for number in range(300)]
    with transaction.atomic(using=catalog.writer):
        for name in names:
            catalog.add(f"dir/{name}", [b""])
            if name.endswith("7"):
                catalog.add(f"dir/{name}-sub/file", [b""])
    directories, files = catalog.children("dir")
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
        catalog_of("default").add(name, [b""])


def rows_asked_for(queries: CaptureQueriesContext) -> int:
    return sum(int(re.findall(r"LIMIT (\d+)", query["sql"])[-1]) for query in queries)


@pytest.mark.django_db
@pytest.mark.usefixtures("crowded")
def test_the_cost_of_listing_depends_on_the_result() -> None:
    catalog = catalog_of("default")
    with CaptureQueriesContext(connections["default"]) as queries:
        children = catalog.children("")
    assert children == (["before", "crowded", "later"], ["a.txt", "z.txt"])
    assert len(queries) <= 5
    assert rows_asked_for(queries) <= 100
    with CaptureQueriesContext(connections["default"]) as queries:
        assert catalog.children("crowded") == (list("0123456"), [])
    assert len(queries) <= 9
    assert rows_asked_for(queries) <= 100


@pytest.mark.django_db
@pytest.mark.usefixtures("crowded")
def test_listing_many_files_takes_few_queries() -> None:
    with CaptureQueriesContext(connections["default"]) as queries:
        _, files = catalog_of("default").children("crowded/3")
    assert len(files) == 14_286
    assert len(queries) <= 21


def test_an_unfinished_upload_is_no_file(catalog: Catalog) -> None:
    upload = begin_upload(catalog.writer, key=1, rows=3)
    assert not catalog.files().exists()
    assert catalog.children("") == ([], [])
    assert catalog.link_states([""]) == {}
    assert catalog.find("") is None
    assert catalog.revoke_below("") == 0
    assert [row.pk for row in catalog.unfinished_uploads()] == [upload.pk]
    assert StoredFile.rows.using(catalog.writer).count() == 3


def test_unfinished_uploads_are_those_of_the_namespace(catalog: Catalog) -> None:
    catalog.add("a.txt", [b"one"])
    begin_upload(catalog.writer, key=1, namespace="another")
    assert not catalog.unfinished_uploads().exists()


# Saving


def test_a_taken_name_is_an_error(catalog: Catalog) -> None:
    catalog.add("a.txt", [b"one"])
    with pytest.raises(FileExistsError) as caught:
        catalog.add("a.txt", [b"two"])
    assert caught.value.filename == "a.txt"
    assert StoredFile.rows.using(catalog.writer).count() == 1


def test_the_first_name_that_is_not_taken_is_used(catalog: Catalog) -> None:
    catalog.add("a.txt", [b"one"])
    catalog.add("b.txt", [b"two"])
    assert (
        catalog.add("a.txt", [b"three"], naming=Naming(others=["b.txt", "c.txt", "d.txt"]))
        == "c.txt"
    )
    assert StoredFile.rows.using(catalog.writer).count() == 3


def test_a_transaction_is_usable_after_all_names_were_taken(catalog: Catalog) -> None:
    with transaction.atomic(using=catalog.writer):
        catalog.add("a.txt", [b"one"])
        with pytest.raises(FileExistsError):
            catalog.add("a.txt", [b"two"], naming=Naming(others=["a.txt"]))
        assert catalog.add("b.txt", [b"three"]) == "b.txt"


@pytest.mark.parametrize("save", ["add", "replace"])
@pytest.mark.parametrize("name", ["a.txt/b", "a.txt/b/c/d"])
def test_nothing_is_saved_or_read_below_a_file(catalog: Catalog, save: str, name: str) -> None:
    catalog.add("a.txt", [b"one"])
    with pytest.raises(FileExistsError) as caught:
        getattr(catalog, save)(name, self_destructing())
    assert caught.value.filename == "a.txt"


def self_destructing() -> Iterator[bytes]:
    raise AssertionError("Content was read for nothing")
    yield b""  # type: ignore[unreachable]


def test_a_directory_is_not_replaced(catalog: Catalog) -> None:
    catalog.add("dir/a.txt", [b"one"])
    with pytest.raises(IsADirectoryError):
        catalog.replace("dir", self_destructing())


@pytest.mark.parametrize("name", ["", "n" * 513])
@pytest.mark.parametrize("save", ["add", "replace"])
def test_nothing_is_saved_under_an_invalid_name(catalog: Catalog, save: str, name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        getattr(catalog, save)(name, self_destructing())


def test_only_the_expected_content_is_replaced(catalog: Catalog) -> None:
    catalog.add("a.txt", [b"one"])
    key = catalog.get("a.txt").content.key
    catalog.replace("a.txt", [b"two"], replaced_key=key)
    with pytest.raises(FileChanged):
        catalog.replace("a.txt", [b"three"], replaced_key=key)
    assert b"".join(catalog.stream(catalog.get("a.txt"), 0, 3)) == b"two"


def test_a_later_link_epoch_is_given_when_the_clock_is_set_back(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.add("a.txt", [b""])
    before = epoch(catalog, "a.txt")
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    catalog.rename("a.txt", "b.txt")
    assert epoch(catalog, "b.txt") == before + 1


def test_a_link_epoch_is_the_time_in_microseconds(catalog: Catalog) -> None:
    catalog.add("a.txt", [b""])
    assert 0 <= time.time() - epoch(catalog, "a.txt") / 1_000_000 < 5


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_entries_come_page_by_page(catalog: Catalog, limit: int) -> None:
    names = ["x/a", "x/a b", "x/b/1", "x/b/2", "x/b.txt", "x/c", "x/c0/1/2", "x/d", "y"]
    for name in names:
        catalog.add(name, [b""])
    seen: list[str] = []
    while entries := catalog.entries("x", after=seen[-1] if seen else "", limit=limit):
        assert len(entries) <= limit
        seen += entries
    assert seen == ["a", "a b", "b.txt", "b/", "c", "c0/", "d"]
