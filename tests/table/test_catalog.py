"""The files of a storage are looked up."""

from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.files.heads import LinkState
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.uploads import begin_upload


def storage_of(using: str | None, **options: Any) -> DatabaseStorage:
    return DatabaseStorage(using=using, **options)


@pytest.fixture
def storage(database: str) -> DatabaseStorage:
    return storage_of(database)


def epoch(storage: DatabaseStorage, name: str) -> int:
    return storage.catalog.get(name).link_epoch


def test_a_file_is_found_with_its_first_chunk_on_demand(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b"content"])
    assert storage.catalog.get("a.txt").first_chunk is None
    head = storage.catalog.find("a.txt", with_chunk=True)
    assert head is not None
    assert head.first_chunk == b"content"


def test_a_first_chunk_that_is_not_the_whole_file_is_left_out(
    storage: DatabaseStorage, database: str
) -> None:
    storage = storage_of(database, chunk_size=4096)
    for size, chunk in ((0, b""), (1, b"x"), (4096, b"x" * 4096), (4097, None)):
        storage.saves.add(f"{size}.txt", [b"x" * size])
        head = storage.catalog.find(f"{size}.txt", with_chunk=True, whole_only=True)
        assert head is not None
        assert (head.first_chunk, head.content.size) == (chunk, size)


def test_a_file_is_found_by_its_content(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b"content"])
    head = storage.catalog.get("a.txt")
    assert storage.catalog.find_content(head.content.key) == head
    storage.saves.replace("a.txt", [b"another"])
    assert storage.catalog.find_content(head.content.key) is None


def test_private_files_are_not_found_among_the_public(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b""])
    assert storage.catalog.find("a.txt", public_only=True) is None
    storage.changes.set_public("a.txt", public=True)
    assert storage.catalog.find("a.txt", public_only=True) is not None


def test_the_links_of_existing_files_are_found_in_one_query(
    storage: DatabaseStorage, database: str
) -> None:
    storage.saves.add("a.txt", [b""])
    storage.saves.add("b.txt", [b""])
    storage.changes.set_public("b.txt", public=True)
    with CaptureQueriesContext(connections[database]) as queries:
        found = storage.catalog.link_states(["a.txt", "b.txt", "a.txt", "missing"])
    assert found == {
        "a.txt": LinkState(False, epoch(storage, "a.txt")),
        "b.txt": LinkState(True, epoch(storage, "b.txt")),
    }
    assert len(queries) == 1


def test_no_links_are_found_without_a_query(storage: DatabaseStorage, database: str) -> None:
    with CaptureQueriesContext(connections[database]) as queries:
        assert storage.catalog.link_states([]) == {}
    assert len(queries) == 0


def test_links_of_more_files_than_a_query_can_name_are_found(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b""])
    names = [f"missing/{number}" for number in range(70_000)]
    assert list(storage.catalog.link_states([*names, "a.txt"])) == ["a.txt"]


def test_an_unfinished_upload_is_no_file(storage: DatabaseStorage) -> None:
    upload = begin_upload(storage.catalog.writer, key=1, rows=3)
    assert not storage.catalog.files().exists()
    assert storage.catalog.children("") == ([], [])
    assert storage.catalog.link_states([""]) == {}
    assert storage.catalog.find("") is None
    assert storage.changes.revoke_below("") == 0
    assert [row.pk for row in storage.inbox.unfinished()] == [upload.pk]
    assert StoredFile.rows.using(storage.catalog.writer).count() == 3


def test_unfinished_uploads_are_those_of_the_namespace(storage: DatabaseStorage) -> None:
    storage.saves.add("a.txt", [b"one"])
    begin_upload(storage.catalog.writer, key=1, namespace="another")
    assert not storage.inbox.unfinished().exists()
