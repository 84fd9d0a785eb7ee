"""Whoever can write the table gets an error out of it, and never bytes."""

import logging
import random
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from secure_dbstorage.exceptions import ContentVanished, KeyLost, SealBroken
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.files import read
from tests.support.sealing import OLD_KEY, Seal
from tests.support.serving import body_of

LARGE, SMALL = (random.Random(number).randbytes(number) for number in (3 * 4096 + 5, 500))


class Table:
    """The rows, as somebody with SQL sees them."""

    def __init__(self, storage: DatabaseStorage) -> None:
        self._storage = storage
        self._rows = StoredFile.rows.using(storage.catalog.writer)

    def row(self, name: str, position: int = 0) -> StoredFile:
        """Return a row of a file."""
        key = self._storage.catalog.get(name).content.key
        found: StoredFile = self._rows.get(content=key, position=position)
        return found

    def change(self, name: str, position: int = 0, **columns: Any) -> None:
        """Change a row of a file."""
        self._rows.filter(pk=self.row(name, position).pk).update(**columns)

    def move(self, name: str, position: int, there: int) -> None:
        """Give a row another position."""
        self._rows.filter(pk=self.row(name, position).pk).update(position=there)

    def swap(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        """Swap the bytes of two rows."""
        first, second = bytes(self.row(*one).data), bytes(self.row(*other).data)
        self.change(*one, data=second)
        self.change(*other, data=first)


def flipped(data: Any) -> bytes:
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


#: What is done to ``large.bin``; the other file has as many rows.
DEEDS: dict[str, Callable[[Table], object]] = {
    "two rows swapped": lambda t: t.swap(("large.bin", 1), ("large.bin", 2)),
    "its first row swapped": lambda t: t.swap(("large.bin", 0), ("large.bin", 1)),
    "a row moved": lambda t: t.move("large.bin", 3, 7),
    "a row cut": lambda t: t.change("large.bin", 1, data=bytes(t.row("large.bin", 1).data)[:-1]),
    "a row emptied": lambda t: t.change("large.bin", 1, data=b""),
    "a bit flipped": lambda t: t.change("large.bin", 2, data=flipped(t.row("large.bin", 2).data)),
    "a bit of its first row": lambda t: t.change(
        "large.bin", 0, data=flipped(t.row("large.bin").data)
    ),
    "a row of another file": lambda t: t.swap(("large.bin", 1), ("other.bin", 1)),
    "its last row gone": lambda t: t.row("large.bin", 3).delete(),
    "a smaller size": lambda t: t.change("large.bin", size=3 * 4096),
    "a size of one row": lambda t: t.change("large.bin", size=4096),
    "a larger size": lambda t: t.change("large.bin", size=3 * 4096 + 6),
    "another length of rows": lambda t: t.change("large.bin", chunk_size=4095),
    "longer rows": lambda t: t.change("large.bin", chunk_size=8192),
    "rows as long as the file": lambda t: t.change("large.bin", chunk_size=2**20),
    "the key of another file": lambda t: t.change(
        "large.bin", sealed_key=bytes(t.row("other.bin").sealed_key or b"")
    ),
    "a damaged key": lambda t: t.change("large.bin", sealed_key=b"\1\2x"),
    "a bit of its key": lambda t: t.change(
        "large.bin", sealed_key=flipped(t.row("large.bin").sealed_key)
    ),
    "no key": lambda t: t.change("large.bin", sealed_key=None),
    "an empty key": lambda t: t.change("large.bin", sealed_key=b""),
}
#: Those after which no part of the file may be had.
OF_THE_KEY = ["no key", "an empty key", "the key of another file", "a bit of its key"]


@pytest.fixture
def table(storage: DatabaseStorage) -> Table:
    """Return the table, with two large files and a small one."""
    storage.save("large.bin", ContentFile(LARGE))
    storage.save("other.bin", ContentFile(LARGE[::-1]))
    storage.save("small.bin", ContentFile(SMALL))
    return Table(storage)


@pytest.mark.parametrize("deed", DEEDS)
def test_what_was_changed_is_neither_read_nor_served(
    table: Table, storage: DatabaseStorage, deed: str
) -> None:
    url = storage.url("large.bin")
    DEEDS[deed](table)
    with pytest.raises((SealBroken, ContentVanished)):
        read(storage, "large.bin")
    status, sent = served(url)
    assert (status, sent) == (500, b"") or (status == "broken off" and LARGE.startswith(sent))
    assert sent != LARGE


@pytest.mark.parametrize("deed", ["a bit flipped", "two rows swapped", "a row of another file"])
def test_no_part_of_a_changed_row_is_served(
    table: Table, storage: DatabaseStorage, deed: str
) -> None:
    url = storage.url("large.bin")
    DEEDS[deed](table)
    position = 2 if deed == "a bit flipped" else 1
    # One whose own bytes nobody has touched: the row is authentic as a whole.
    assert served(url, f"{position * 4096 + 5}-{position * 4096 + 9}") == ("broken off", b"")
    assert served(url, "0-9") == (206, LARGE[:10])


@pytest.mark.parametrize("deed", OF_THE_KEY)
@pytest.mark.parametrize("byte_range", ["5-9", "4096-4099", "12288-", "-2", "4000-9000"])
def test_no_range_is_served_without_the_key_of_the_file(
    table: Table, storage: DatabaseStorage, deed: str, byte_range: str
) -> None:
    url = storage.url("large.bin")
    DEEDS[deed](table)
    status, sent = served(url, byte_range)
    assert status in {"broken off", 500}
    assert sent == b""


@pytest.mark.parametrize("sealed_key", [None, b""])
def test_no_range_of_a_small_file_is_served_without_its_key(
    table: Table, storage: DatabaseStorage, sealed_key: bytes | None
) -> None:
    url = storage.url("small.bin")
    table.change("small.bin", sealed_key=sealed_key)
    assert [served(url, asked)[1] for asked in ("", "0-9", "100-499", "-5")] == [b""] * 4
    with pytest.raises((SealBroken, ContentVanished)):
        read_middle(storage, "small.bin")


def test_a_plain_file_with_a_key_is_not_served(table: Table, storage: DatabaseStorage) -> None:
    DatabaseStorage(using=storage.catalog.writer).save("plain.bin", ContentFile(LARGE))
    url = storage.url("plain.bin")
    table.change("plain.bin", sealed_key=bytes(table.row("other.bin").sealed_key or b""))
    assert [served(url, asked) for asked in ("", "5-9")] == [(500, b"")] * 2


@pytest.mark.parametrize("length", [-1, 10])
def test_a_file_without_bytes_is_no_empty_file(
    table: Table, storage: DatabaseStorage, length: int
) -> None:
    table.change("large.bin", size=0, data=b"")
    with storage.open("large.bin") as file, pytest.raises(SealBroken):
        file.read(length)
    assert served(storage.url("large.bin")) == (500, b"")


def test_what_is_made_public_in_the_table_is_served(
    table: Table, storage: DatabaseStorage
) -> None:
    table.change("small.bin", is_public=True)
    assert served(storage.url("small.bin")) == (200, SMALL)


def test_a_small_file_that_was_changed_is_a_logged_500(
    table: Table, storage: DatabaseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    url = storage.url("small.bin")
    table.change("small.bin", data=flipped(table.row("small.bin").data))
    with caplog.at_level(logging.ERROR):
        assert served(url) == (500, b"")
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info is not None
    assert record.exc_info[0] is SealBroken


def test_a_file_in_the_place_of_another_of_the_same_storage_is_seen_by_nobody(
    table: Table, storage: DatabaseStorage
) -> None:
    # SECURITY.md says so: the name is not bound, so that a rename needs no key.
    small, large = table.row("small.bin"), table.row("large.bin")
    for row, name in ((small, "between"), (large, "small.bin"), (small, "large.bin")):
        StoredFile.rows.using(storage.catalog.writer).filter(pk=row.pk).update(name=name)
    assert read(storage, "small.bin") == LARGE


def test_a_file_of_another_storage_is_refused(table: Table, storage: DatabaseStorage) -> None:
    table.change("large.bin", namespace="invoices")
    invoices = DatabaseStorage(
        namespace="invoices",
        using=storage.catalog.writer,
        encryption_keys=storage._given["encryption_keys"],
    )
    assert invoices.exists("large.bin")
    with pytest.raises(SealBroken):
        read(invoices, "large.bin")


def test_an_older_state_of_a_growing_row_is_a_row_that_is_too_short(
    storage: DatabaseStorage, database: str
) -> None:
    begun = storage.inbox.append(storage.inbox.new(10, storage_end()), [b"01234"])
    (old,) = StoredFile.rows.using(database).values_list("data", flat=True)
    upload = storage.inbox.find(begun.content.key)
    assert upload is not None
    storage.inbox.adopt("a.bin", storage.inbox.append(upload, [b"56789"]))
    assert read(storage, "a.bin") == b"0123456789"
    StoredFile.rows.using(database).update(data=bytes(old))
    with pytest.raises(ContentVanished):
        read(storage, "a.bin")
    assert served(storage.url("a.bin")) == ("broken off", b"")


def test_a_lost_key_is_an_error_that_names_it(
    table: Table, storage: DatabaseStorage, seal: Seal
) -> None:
    url = storage.url("small.bin")
    (key_id,) = storage.options.encryption_keys.ids
    with pytest.raises(KeyLost, match=key_id):
        read(seal(encryption_keys=[OLD_KEY]), "small.bin")
    assert served(url) == (500, b"")


def storage_end() -> Any:
    """Return when an upload may be deleted."""
    from datetime import timedelta

    from django.utils import timezone

    return timezone.now() + timedelta(days=1)


def read_middle(storage: DatabaseStorage, name: str) -> bytes:
    """Read ten bytes from the middle of a file."""
    with storage.open(name) as file:
        file.seek(100)
        return bytes(file.read(10))


def served(url: str, byte_range: str = "") -> tuple[int | str, bytes]:
    """Return the status of an answer and its body, or what came of it until it broke off."""
    headers = {"Range": f"bytes={byte_range}"} if byte_range else {}
    answer: Any = Client(raise_request_exception=False).get(url, headers=headers)
    if answer.status_code >= 500:
        return answer.status_code, b""
    if not answer.streaming:
        return answer.status_code, body_of(answer)
    sent = b""
    try:
        for piece in answer.streaming_content:
            sent += piece
    except (SealBroken, ContentVanished):
        return "broken off", sent
    return answer.status_code, sent
