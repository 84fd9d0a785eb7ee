"""How each database moves bytes fastest.

The portable dialect works on every database of Django. Where a driver has a shorter way for bytes,
a dialect of its own takes it, on the caller's connection and in the caller's transaction. All of
them go through Django's cursor wrapper: errors are those of ``django.db``, execute wrappers are
called, and ``connection.queries`` shows each statement, with its bytes left out.

A dialect keeps nothing of a connection: connections belong to threads, and end with them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.utils import timezone

from secure_dbstorage.files import Content, FileStat, StoredHead
from secure_dbstorage.models import StoredFile

_TABLE = StoredFile._meta.db_table
_FIELDS: dict[str, Any] = {field.attname: field for field in StoredFile._meta.concrete_fields}

_STAT_COLUMNS = ("name", "size", "sha256", "content_type", "is_public", "created", "modified")
_CONTENT_COLUMNS = ("content", "chunk_size", "links_from")


class PortableDialect:
    """Plain SQL through Django's own cursor, for every database."""

    def insert(self, connection: BaseDatabaseWrapper, row: Mapping[str, object]) -> None:
        """Insert a row, given as values by column.

        :raises django.db.IntegrityError: when the name is taken, or the content key is.
        """
        self._change(connection, self._insert_statement(row), row)

    def update(
        self, connection: BaseDatabaseWrapper, row_id: int, row: Mapping[str, object]
    ) -> None:
        """Give the row with this primary key new values."""
        changes = ", ".join(f"{{{name}}} = %s" for name in row)
        sql = f"UPDATE {{table}} SET {changes} WHERE {{id}} = {row_id:d}"
        self._change(connection, sql, row)

    def delete(self, connection: BaseDatabaseWrapper, key: int) -> None:
        """Delete the rows of a content."""
        self._execute(connection, "DELETE FROM {table} WHERE {content} = %s", [key])

    def fetch_head(
        self,
        connection: BaseDatabaseWrapper,
        namespace: str,
        name: str,
        *,
        public_only: bool = False,
        with_chunk: bool = False,
    ) -> StoredHead | None:
        """Return the head of a file in one statement, or None.

        :param public_only: look for public files alone, so that a private and a missing one take
            the same time.
        :param with_chunk: fetch the first chunk as well.
        """
        columns = _STAT_COLUMNS + _CONTENT_COLUMNS + (("data",) if with_chunk else ())
        condition = "{namespace} = %s AND {name} = %s"
        parameters: list[object] = [namespace, name]
        if public_only:
            condition += " AND {is_public} = %s"
            parameters.append(
                _FIELDS["is_public"].get_db_prep_save(value=True, connection=connection)
            )
        for row in self._select(connection, columns, condition, parameters):
            # Whatever the column's collation says, only the very name is this file.
            if row[0] == name:
                return _head(row, connection.alias)
        return None

    def fetch_links(
        self, connection: BaseDatabaseWrapper, namespace: str, names: Sequence[str]
    ) -> list[tuple[str, bool, int]]:
        """Return the name, the public flag and the link epoch of each of these files."""
        holes = ", ".join(["%s"] * len(names))
        condition = f"{{namespace}} = %s AND {{name}} IN ({holes})"
        columns = ("name", "is_public", "links_from")
        rows = self._select(connection, columns, condition, [namespace, *names])
        return [(name, bool(is_public), epoch) for name, is_public, epoch in rows]

    def fetch_run(
        self, connection: BaseDatabaseWrapper, key: int, first: int, count: int
    ) -> list[bytes]:
        """Return the chunks of a content from position *first* on, those that are there."""
        condition = "{content} = %s AND {position} >= %s AND {position} < %s ORDER BY {position}"
        rows = self._select(connection, ("data",), condition, [key, first, first + count])
        return [row[0] for row in rows]

    def fetch_part(
        self, connection: BaseDatabaseWrapper, key: int, position: int, start: int, stop: int
    ) -> bytes | None:
        """Return the bytes of one chunk from *start* up to *stop*, or None without the chunk."""
        chunks = self.fetch_run(connection, key, position, 1)
        return chunks[0][start:stop] if chunks else None

    def driver_cursor(self, connection: BaseDatabaseWrapper) -> Any:
        """Return a new cursor of the driver."""
        # Not create_cursor(): at cursor() Django's tests guard the databases they may not use.
        return connection.cursor().cursor

    def binary(self, connection: BaseDatabaseWrapper, data: bytes) -> object:
        """Return bytes as the driver takes them for a parameter."""
        return connection.Database.Binary(data)  # type: ignore[attr-defined]

    def _insert_statement(self, row: Mapping[str, object]) -> str:
        columns = ", ".join(f"{{{name}}}" for name in row)
        holes = ", ".join(["%s"] * len(row))
        return f"INSERT INTO {{table}} ({columns}) VALUES ({holes})"

    def _change(
        self, connection: BaseDatabaseWrapper, sql: str, row: Mapping[str, object]
    ) -> None:
        parameters: list[Any] = [
            self.binary(connection, value)
            if isinstance(value, bytes)
            else _FIELDS[name].get_db_prep_save(value, connection)
            for name, value in row.items()
        ]
        self._execute(connection, sql, parameters)

    def _execute(
        self, connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]
    ) -> None:
        with self._cursor(connection) as cursor:
            cursor.execute(sql.format_map(_Quoted(connection)), parameters)

    def _select(
        self,
        connection: BaseDatabaseWrapper,
        columns: Sequence[str],
        condition: str,
        parameters: Sequence[Any],
        expression: str = "",
    ) -> list[tuple[Any, ...]]:
        selected = expression or ", ".join(f"{{{name}}}" for name in columns)
        sql = f"SELECT {selected} FROM {{table}} WHERE {condition}"
        with self._cursor(connection) as cursor:
            cursor.execute(sql.format_map(_Quoted(connection)), parameters)
            rows = cursor.fetchall()
        converters = [_converters(name, connection) for name in columns]
        return [
            tuple(
                _converted(value, steps, connection)
                for value, steps in zip(row, converters, strict=True)
            )
            for row in rows
        ]

    def _cursor(self, connection: BaseDatabaseWrapper) -> CursorWrapper:
        wrapper = _ShortLogCursor if connection.queries_logged else CursorWrapper
        return wrapper(self.driver_cursor(connection), connection)


class SlicingDialect(PortableDialect):
    """For databases whose ``substr`` cuts bytes: a part of a chunk travels alone."""

    def fetch_part(
        self, connection: BaseDatabaseWrapper, key: int, position: int, start: int, stop: int
    ) -> bytes | None:
        rows = self._select(
            connection,
            ("data",),
            "{content} = %s AND {position} = %s",
            [start + 1, stop - start, key, position],
            expression="substr({data}, %s, %s)",
        )
        return rows[0][0] if rows else None


class PsycopgDialect(SlicingDialect):
    """psycopg 3's binary protocol; through Django's cursor bytes travel as hexadecimal text."""

    def driver_cursor(self, connection: BaseDatabaseWrapper) -> Any:
        with connection.cursor():  # It connects, checks and guards; its own cursor speaks text.
            return _binary_cursor_class()(connection.connection)

    def binary(self, connection: BaseDatabaseWrapper, data: bytes) -> object:
        return data


class MySQLDialect(SlicingDialect):
    """A hexadecimal literal in the statement; MySQL's drivers escape bytes one by one."""

    def insert(self, connection: BaseDatabaseWrapper, row: Mapping[str, object]) -> None:
        if "name" not in row:
            super().insert(connection, row)
            return
        # An error for a duplicate key leaves shared locks on the row and on the gap beside it: two
        # savers that both met one name and go on to another then wait for each other, which is a
        # deadlock. Without the error, the second waits until the first has ended.
        statement = self._insert_statement(row)
        self._change(connection, f"{statement} ON DUPLICATE KEY UPDATE {{id}} = {{id}}", row)
        condition = "{namespace} = %s AND {name} = %s AND {content} = %s"
        identity = [row["namespace"], row["name"], row["content"]]
        if not self._select(connection, ("id",), condition, identity):
            raise IntegrityError("The name is taken")

    def delete(self, connection: BaseDatabaseWrapper, key: int) -> None:
        # In a small table the optimizer prefers to scan: then two overwrites, even of different
        # files, wait for each other's rows, which is a deadlock.
        source = "{table} FROM {table} FORCE INDEX (`secure_dbstorage_unique_chunk`)"
        self._execute(connection, f"DELETE {source} WHERE {{content}} = %s", [key])

    def driver_cursor(self, connection: BaseDatabaseWrapper) -> Any:
        return _HexCursor(super().driver_cursor(connection))

    def binary(self, connection: BaseDatabaseWrapper, data: bytes) -> object:
        return data


def dialect_of(connection: BaseDatabaseWrapper) -> PortableDialect:
    """Return the fastest dialect for a connection."""
    return _dialect_class(connection)()


def _dialect_class(connection: Any) -> type[PortableDialect]:
    if connection.vendor == "postgresql":
        # psycopg2 has no binary protocol.
        return PsycopgDialect if connection.Database.__name__ == "psycopg" else PortableDialect
    return {"sqlite": SlicingDialect, "mysql": MySQLDialect}.get(
        connection.vendor, PortableDialect
    )


class _Quoted:
    """The names of the table and of its columns, as a database wants them quoted."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._quote = connection.ops.quote_name

    def __getitem__(self, name: str) -> str:
        return self._quote(_TABLE if name == "table" else _FIELDS[name].column)


class _ShortLogCursor(CursorDebugWrapper):
    """Logs a statement with the number of its bytes in their place.

    Django's own would keep each chunk in ``connection.queries``, twice its size.
    """

    def execute(self, sql: Any, params: Any = None) -> Any:
        shown = tuple(map(_shown, params or ()))
        with self.debug_sql(sql % shown):
            return CursorWrapper.execute(self, sql, params)


class _HexCursor:
    """A driver's cursor that writes bytes into the statement as ``x'...'``."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Sequence[object]) -> Any:
        pieces = sql.split("%s")
        holes = [f"x'{p.hex()}'" if isinstance(p, bytes) else "%s" for p in parameters]
        others = [p for p in parameters if not isinstance(p, bytes)]
        joined = "".join(map("".join, zip(pieces, [*holes, ""], strict=True)))
        return self._cursor.execute(joined, others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@cache
def _binary_cursor_class() -> type[Any]:
    import psycopg  # noqa: PLC0415 -- only where the database is PostgreSQL

    class BinaryCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None) -> Any:  # type: ignore[override]
            return super().execute(query, params, binary=True)

    return BinaryCursor


def _converters(name: str, connection: BaseDatabaseWrapper) -> list[Callable[..., Any]]:
    """Return what makes a column's value from the database's, which for MySQL USE_TZ decides."""
    field = _FIELDS[name]
    return [
        *connection.ops.get_db_converters(field.get_col(_TABLE)),
        *field.get_db_converters(connection),
    ]


def _head(row: tuple[Any, ...], using: str) -> StoredHead:
    name, size, sha256, content_type, is_public, created, modified, *rest = row
    key, chunk_size, links_from, *chunk = rest
    return StoredHead(
        stat=FileStat(
            name=name,
            size=size,
            sha256=sha256,
            content_type=content_type,
            is_public=bool(is_public),
            created=_utc(created),
            modified=_utc(modified),
        ),
        content=Content(using=using, key=key, size=size, chunk_size=chunk_size),
        links_from=links_from,
        first_chunk=chunk[0] if chunk else None,
    )


def _utc(value: datetime) -> datetime:
    if timezone.is_naive(value):  # A project without time zones.
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)


def _converted(
    value: Any, steps: Sequence[Callable[..., Any]], connection: BaseDatabaseWrapper
) -> Any:
    for step in steps:
        value = step(value, None, connection)
    return bytes(value) if isinstance(value, memoryview) else value


def _shown(parameter: object) -> str:
    parameter = getattr(parameter, "obj", parameter)  # What psycopg's Binary wraps.
    if isinstance(parameter, bytes | memoryview):
        return f"<{len(parameter)} bytes>"
    return repr(parameter)
