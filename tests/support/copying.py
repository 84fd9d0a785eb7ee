"""Files to copy, and what a storage holds afterwards."""

from typing import Any

from django.core.files.base import ContentFile

from secure_dbstorage.copying import disk
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.storage import DatabaseStorage

CHUNK_SIZE = 4096
LARGE = bytes(range(256)) * 52
FILES = {
    "a.txt": b"content",
    "empty": b"",
    "dir/large.bin": LARGE,
    "dir/ünï cödé.txt": b"umlauts",
    "dir/deeper/.hidden": b"hidden",
    "dir.txt": b"sorts before dir/",
}


def filled(storage: Any, files: dict[str, bytes] = FILES) -> Any:
    for name, content in files.items():
        storage.save(name, ContentFile(content))
    return storage


def end_of(storage: Any) -> Any:
    is_ours = isinstance(storage, DatabaseStorage)
    return TableEnd(storage) if is_ours else disk.end_of(storage)


def contents(storage: Any) -> dict[str, bytes]:
    found = {}
    for record in end_of(storage).records(""):
        with storage.open(record.name) as file:
            found[record.name] = file.read()
    return found
