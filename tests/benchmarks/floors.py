"""The floor of each database: the bare driver's best loop over the rows that we write and read.

On Django's own connection, but without Django: no cursor wrapper, no field, no check.
"""

import secrets
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from typing import IO, Any

from django.db import connection

NAME = "the floor"
#: The same, but it reads a file with one query that stays open until the last row is taken.
OPEN_QUERY = "one open query"

#: Bytes in each row but the last, as ours.
CHUNK_SIZE = 255 * 1024

_TABLE = "secure_dbstorage_storedfile"
_STAT = "name, size, sha256, content_type, is_public, created, modified"
_HEAD = (
    f"SELECT {_STAT}, link_epoch, content, chunk_size, data FROM {_TABLE}"
    " WHERE namespace = %s AND name = %s"
)
_CONTENT = f"SELECT content FROM {_TABLE} WHERE namespace = %s AND name = %s"
_CHUNKS = (
    f"SELECT data FROM {_TABLE} WHERE content = %s AND position >= %s AND position < %s"
    " ORDER BY position"
)
_INSERT_HEAD = (
    f"INSERT INTO {_TABLE} ({_STAT}, link_epoch, content, chunk_size, data, namespace, position)"
    f" VALUES ({', '.join(['%s'] * 11)}, '', 0)"
)
_INSERT_CHUNK = f"INSERT INTO {_TABLE} (content, position, data) VALUES (%s, %s, %s)"


class Floor(ABC):
    """Saves and reads as little as possible in between allows."""

    #: Starts a transaction that writes.
    begin = "BEGIN"
    #: The most rows that one query fetches: 8 take 0.5 to 0.9 of the time of one by one.
    run_length = 8

    @property
    def driver(self) -> Any:
        """The driver's connection; a new one after an error closed it."""
        connection.ensure_connection()
        return connection.connection

    @abstractmethod
    def fetch(self, sql: str, parameters: Sequence[object]) -> Sequence[Any]:
        """Return all rows of a query."""

    @abstractmethod
    def iterate(self, sql: str, parameters: Sequence[object]) -> Iterator[Any]:
        """Yield the rows of a query as they come; the connection is not free before the last."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[object] = ()) -> object:
        """Execute a statement that returns no rows."""

    @abstractmethod
    def execute_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> object:
        """Insert these rows, as the driver does it fastest.

        :param sql: the insertion of one row, whose last value is bytes.
        """

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a file's chunks by short queries of 1, 2, 4, 8 rows.

        A storage can do no other: between two pieces its caller may use the connection.
        """
        content, count, first = self._head(name)
        yield first
        position = length = 1
        while position < count:
            # A list: all rows are there, and the connection is free.
            for (chunk,) in list(self.iterate(_CHUNKS, (content, position, position + length))):
                yield chunk
            position += length
            length = min(length * 2, self.run_length)

    def read_at_once(self, name: str) -> Iterator[bytes]:
        """Yield a file's chunks by one query, in as little memory."""
        content, count, first = self._head(name)
        yield first
        if count > 1:
            for (chunk,) in self.iterate(_CHUNKS, (content, 1, count)):
                yield chunk

    def save(self, name: str, source: IO[bytes]) -> None:
        """Insert the rows of a file in one transaction, with the digest of its bytes."""
        key, digest, size = secrets.randbits(62), sha256(), 0
        first = b""
        self.execute(self.begin)
        for position, chunk in enumerate(_chunks(source)):
            digest.update(chunk)
            size += len(chunk)
            if position:
                self.execute(_INSERT_CHUNK, (key, position, chunk))
            else:
                first = chunk
        now = self.moment()
        stat = (name, size, digest.hexdigest(), "application/octet-stream", False, now, now)
        self.execute(_INSERT_HEAD, (*stat, 0, key, CHUNK_SIZE, first))
        self.execute("COMMIT")

    def save_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Insert files of one row each, in one transaction."""
        now = self.moment()
        rows = [
            (
                *(name, len(content), sha256(content).hexdigest(), "application/octet-stream"),
                *(False, now, now, 0, secrets.randbits(62), CHUNK_SIZE, content),
            )
            for name, content in files
        ]
        self.execute(self.begin)
        self.execute_all(_INSERT_HEAD, rows)
        self.execute("COMMIT")

    def delete(self, name: str) -> None:
        """Delete the rows of a file."""
        (row,) = self.fetch(_CONTENT, ("", name))
        self.execute(f"DELETE FROM {_TABLE} WHERE content = %s", (row[0],))

    def moment(self) -> object:
        """Return the time as the driver takes it."""
        return datetime.now(UTC)

    def _head(self, name: str) -> tuple[int, int, bytes]:
        row = self.fetch(_HEAD, ("", name))[0]
        size, (content, chunk_size, first) = row[1], row[-3:]
        return content, -(-size // chunk_size), first


class SQLiteFloor(Floor):
    """The driver's own cursor: Django's class rewrites each statement."""

    begin = "BEGIN IMMEDIATE"

    def fetch(self, sql: str, parameters: Sequence[object]) -> Sequence[Any]:
        rows: Sequence[Any] = self.execute(sql, parameters).fetchall()
        return rows

    def iterate(self, sql: str, parameters: Sequence[object]) -> Iterator[Any]:
        yield from self.execute(sql, parameters)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        return self.driver.cursor(sqlite3.Cursor).execute(sql.replace("%s", "?"), parameters)

    def execute_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> object:
        return self.driver.cursor(sqlite3.Cursor).executemany(sql.replace("%s", "?"), rows)

    def moment(self) -> object:
        return str(datetime.now(UTC).replace(tzinfo=None))


class PostgresFloor(Floor):
    """psycopg 3's binary protocol, both ways; prepared statements gain nothing here."""

    def fetch(self, sql: str, parameters: Sequence[object]) -> Sequence[Any]:
        with self._cursor() as cursor:
            rows: Sequence[Any] = cursor.execute(sql, parameters, binary=True).fetchall()
            return rows

    def iterate(self, sql: str, parameters: Sequence[object]) -> Iterator[Any]:
        with self._cursor() as cursor:
            yield from cursor.stream(sql, parameters, binary=True)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> object:
        with self._cursor() as cursor:
            return cursor.execute(sql, parameters, binary=True)

    def execute_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> object:
        head, values = sql.split(" VALUES ")
        sql = f"{head} VALUES {', '.join([values] * len(rows))}"
        return self.execute(sql, list(chain.from_iterable(rows)))

    def _cursor(self) -> Any:
        import psycopg

        return psycopg.Cursor(self.driver)


class MariaDBFloor(Floor):
    """mysqlclient; bytes go as ``x'...'``, which takes 0.4 of the time of its escaped ones.

    A result that the driver does not buffer first comes in 0.86 of the time.
    """

    def fetch(self, sql: str, parameters: Sequence[object]) -> Sequence[Any]:
        with self.driver.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows: Sequence[Any] = cursor.fetchall()
            return rows

    def iterate(self, sql: str, parameters: Sequence[object]) -> Iterator[Any]:
        from MySQLdb.cursors import SSCursor  # type: ignore[import-untyped]

        with self.driver.cursor(SSCursor) as cursor:
            cursor.execute(sql, parameters)
            yield from cursor

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> object:
        *others, last = parameters or ("",)
        with self.driver.cursor() as cursor:
            if isinstance(last, bytes):
                # All before the hole of the bytes, the hole, and all behind it.
                before, _, behind = sql.rpartition("%s")
                sql, parameters = f"{before}x'{last.hex()}'{behind}", others
            return cursor.execute(sql, parameters)

    def execute_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> object:
        head, values = sql.split(" VALUES ")
        before, _, behind = values.rpartition("%s")
        written = [f"{before}x'{data.hex()}'{behind}" for *_, data in rows]
        others = list(chain.from_iterable(row[:-1] for row in rows))
        with self.driver.cursor() as cursor:
            return cursor.execute(f"{head} VALUES {', '.join(written)}", others)

    def moment(self) -> object:
        return datetime.now(UTC).replace(tzinfo=None)


def floor() -> Floor:
    """Return the floor of Django's default database."""
    floors: dict[str, type[Floor]] = {
        "sqlite": SQLiteFloor,
        "postgresql": PostgresFloor,
        "mysql": MariaDBFloor,
    }
    return floors[connection.vendor]()


def _chunks(source: IO[bytes]) -> Iterable[bytes]:
    while chunk := source.read(CHUNK_SIZE):
        yield chunk
