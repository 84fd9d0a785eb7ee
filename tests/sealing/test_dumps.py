"""Nobody who has the whole table has any part of a file."""

import os
import random

import pytest
from django.core.files.base import ContentFile
from django.db import connections

from secure_dbstorage.storage import DatabaseStorage
from tests.support.sealing import Seal
from tests.support.uploads import Uploader

#: As many bytes in a row as no chance brings together.
WINDOW = 16


def everything(using: str) -> bytes:
    """Return every value of every column and row, as bytes."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT * FROM secure_dbstorage_storedfile")
        rows = cursor.fetchall()
    assert rows
    return b"\0".join(_bytes(value) for row in rows for value in row)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return str(value).encode()


def parts_in(dump: bytes, content: bytes) -> int:
    """Return how many parts of a content, in steps of one byte, are in a dump."""
    # Each part that is there begins at some place of the dump.
    places = {dump[start : start + WINDOW] for start in range(len(dump) - WINDOW + 1)}
    return sum(
        content[start : start + WINDOW] in places for start in range(len(content) - WINDOW + 1)
    )


@pytest.mark.parametrize("size", [500, 3 * 4096 + 5])
def test_no_sixteen_bytes_of_a_file_are_in_the_table(seal: Seal, database: str, size: int) -> None:
    storage = seal(keep_deleted=3600, allow_overwrite=True)
    contents = [os.urandom(size) for _ in range(6)]
    storage.save("saved.bin", ContentFile(contents[0]))
    with storage.open("written.bin", "wb") as file:
        file.write(contents[1])
    storage.set_public(storage.save("public.bin", ContentFile(contents[2])), public=True)
    part = Uploader().begun(storage.upload_url("uploaded.bin", max_size=20_000), size + 1)
    for start in range(0, size, 3000):  # It stays unfinished.
        Uploader().patch(part, start, contents[3][start : start + 3000])
    storage.save("deleted.bin", ContentFile(contents[4]))
    storage.save("deleted.bin", ContentFile(contents[5]))
    storage.delete("deleted.bin")
    assert len(storage.versions("deleted.bin")) == 2
    dump = everything(database)
    assert [parts_in(dump, content) for content in contents] == [0] * 6


def test_the_search_would_find_them(storage: DatabaseStorage, database: str) -> None:
    content = random.Random(1).randbytes(500)
    DatabaseStorage(using=database).save("plain.bin", ContentFile(content))
    assert parts_in(everything(database), content) == 500 - WINDOW + 1
