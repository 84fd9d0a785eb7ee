"""A second database that stands for a replica: it gets what the test gives it, and can break."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from django.db import connections
from django.db.models import F, Func
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from tests.support.aliases import added_alias

_numbers = count(1)


class ReplicaRouter:
    """Writes to ``default`` and reads from a replica."""

    def __init__(self, replica: str = "replica") -> None:
        """Read from this alias."""
        self._replica = replica

    def db_for_read(self, model: type, **hints: object) -> str | None:
        """Name the replica for our table alone."""
        return self._replica if model is StoredFile else None

    def db_for_write(self, model: type, **hints: object) -> str:
        """Name the primary."""
        return "default"


class StandIn:
    """A database that stands for a replica of ``default``. ``alias`` is no other test's."""

    def __init__(self, alias: str, file: Path) -> None:
        """Take a database of this thread."""
        self.alias = alias
        self._file = file

    def mirror(self) -> None:
        """Bring it up to date."""
        StoredFile.rows.using(self.alias).all().delete()
        for row in StoredFile.rows.using("default"):
            row.save(using=self.alias, force_insert=True)

    def lose(self, *, from_position: int = 0) -> None:
        """Lose the rows from a position on."""
        StoredFile.rows.using(self.alias).filter(position__gte=from_position).delete()

    def shorten(self) -> None:
        """Have rows as an upload had them a moment ago, before they grew."""
        begun = Func(F("data"), 1, 100, function="substr")
        StoredFile.rows.using(self.alias).filter(position__gte=1).update(data=begun)

    def drop_table(self) -> None:
        """Be a database that was not migrated."""
        with connections[self.alias].schema_editor() as editor:
            editor.delete_model(StoredFile)

    def die(self) -> None:
        """Answer nobody from now on."""
        self._connect(self._file.parent / "none" / self._file.name)

    def revive(self) -> None:
        """Answer again."""
        self._connect(self._file)

    def queries(self) -> CaptureQueriesContext:
        """Return a context that counts the queries that it gets."""
        return CaptureQueriesContext(connections[self.alias])

    def _connect(self, file: Path) -> None:
        connections[self.alias].close()
        connections[self.alias].settings_dict["NAME"] = str(file)


@contextmanager
def standing_in(settings: Settings, directory: Path) -> Iterator[StandIn]:
    """Let a database in this directory stand for a replica, with the table and without rows."""
    alias, file = f"replica-{next(_numbers)}", directory / "replica.sqlite3"
    with added_alias(alias, like="default", NAME=str(file)) as replica:
        with replica.schema_editor() as editor:
            editor.create_model(StoredFile)
        settings.DATABASE_ROUTERS = [ReplicaRouter(alias)]
        yield StandIn(alias, file)


def hollow_primary() -> None:
    """Take all bytes but those of small files out of the primary: only the replica has them."""
    rows = StoredFile.rows.using("default")
    rows.filter(position__gte=1).delete()
    rows.filter(size__gt=F("chunk_size")).update(data=b"")


def let_pass(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a time pass for whoever measures durations."""
    monotonic = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: monotonic() + seconds)
