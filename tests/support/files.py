"""Files in storages: what tests save, and how they read it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from django.core.files.storage import Storage
from django.db import connections, transaction
from django.db.models.fields.files import FieldFile, FileField
from django.test.utils import CaptureQueriesContext

#: Three rows and a piece of one, at the smallest chunk size.
CHUNK_SIZE = 4096
LARGE = bytes(range(256)) * 52


def read(storage: Storage, name: str, mode: str = "rb") -> Any:
    with storage.open(name, mode) as file:
        return file.read()


def field_file(storage: Storage, name: str | None) -> FieldFile:
    """Return what a model instance has in a FileField."""
    field = FileField(storage=storage)
    field.set_attributes_from_name("file")
    return FieldFile(SimpleNamespace(), field, name)


@contextmanager
def undone(using: str) -> Iterator[None]:
    with transaction.atomic(using=using):
        yield
        transaction.set_rollback(True, using=using)


class Captured:
    """The statements that a block sent, but those that begin and end transactions."""

    def __init__(self, queries: CaptureQueriesContext) -> None:
        self._queries = queries

    @property
    def text(self) -> str:
        return "\n".join(query["sql"] for query in self._queries.captured_queries)

    @property
    def verbs(self) -> list[str]:
        words = [sql.split(None, 1)[0] for sql in self.text.splitlines()]
        return [word for word in words if word in ("SELECT", "INSERT", "UPDATE", "DELETE")]


@contextmanager
def captured(using: str) -> Iterator[Captured]:
    with CaptureQueriesContext(connections[using]) as queries:
        yield Captured(queries)
