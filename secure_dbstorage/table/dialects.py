"""How each database moves bytes fastest.

The portable dialect works on every database of Django. Where a driver has a shorter way for bytes,
a dialect of its own takes it, on the caller's connection and in the caller's transaction. All of
them go through Django's cursor wrapper: errors are those of ``django.db``, execute wrappers are
called, and ``connection.queries`` shows each statement, with its bytes left out.

A dialect keeps nothing of a connection: connections belong to threads, and end with them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from secure_dbstorage.files import Content, FileStat, LinkState, StoredHead, utc
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import directory_range
from secure_dbstorage.table import statements
from secure_dbstorage.table.cursors import HexCursor, ShortLogCursor, binary_cursor_class
from secure_dbstorage.table.statements import FIELDS

_STAT_COLUMNS = (
    *("name", "size", "sha256", "content_type", "is_public", "created", "modified", "expires"),
)
_CONTENT_COLUMNS = ("content", "chunk_size", "link_epoch")
_LINK_COLUMNS = ("name", "is_public", "link_epoch")


class PortableDialect:
    """Plain SQL through Django's own cursor, for every database."""

    #: The columns whose values the driver may give in another form than Django does.
    foreign_columns: Collection[str] = FIELDS.keys()

    def insert_head(self, connection: BaseDatabaseWrapper, row: Mapping[str, object]) -> bool:
        """Insert a head row, given as values by column, in the caller's transaction.

        :returns: False when the name is taken.
        :raises django.db.IntegrityError: when the content key is.
        """
        try:
            with transaction.atomic(using=connection.alias):
                self._change(connection, statements.insertion(*row), row)
        except IntegrityError:
            # A taken name may be one that this transaction does not see.
            if self.fetch_run(connection, cast("int", row["content"]), 0, 1):
                raise
            return False
        return True

    def insert_chunk(
        self, connection: BaseDatabaseWrapper, key: int, position: int, data: bytes
    ) -> None:
        """Insert a continuation row.

        :raises django.db.IntegrityError: when the content key is taken.
        """
        row = {"content": key, "position": position, "data": data}
        self._change(connection, statements.insertion(*row), row)

    def update(
        self, connection: BaseDatabaseWrapper, row_id: int, row: Mapping[str, object]
    ) -> None:
        """Give the row with this primary key new values."""
        self._change(connection, statements.update(*row), row, row_id)

    def delete(self, connection: BaseDatabaseWrapper, key: int) -> None:
        """Delete the rows of a content."""
        self._execute(connection, statements.DELETE, [key])

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
        parameters: list[object] = [namespace, name]
        if public_only:
            parameters.append(
                FIELDS["is_public"].get_db_prep_save(value=True, connection=connection)
            )
        for row in self._select(
            connection, columns, statements.selection(columns, public_only=public_only), parameters
        ):
            # Whatever the column's collation says, only the very name is this file.
            if row[0] == name:
                return _head(row, connection.alias)
        return None

    def fetch_link_states(
        self, connection: BaseDatabaseWrapper, namespace: str, names: Sequence[str]
    ) -> dict[str, LinkState]:
        """Return the link states of those files that are there, by name."""
        rows = self._select(
            connection,
            _LINK_COLUMNS,
            "SELECT {name}, {is_public}, {link_epoch} FROM {table} "
            "WHERE {namespace} = %s AND {name} IN ",
            [namespace, *names],
            # Not a part of what is kept: there is one for each number of names.
            suffix=f"({', '.join(['%s'] * len(names))})",
        )
        return {name: LinkState(bool(is_public), epoch) for name, is_public, epoch in rows}

    def holds(self, connection: BaseDatabaseWrapper, namespace: str, path: str) -> bool:
        """Tell whether there is a file of this name, or one below the directory of this name."""
        files = StoredFile.objects.using(connection.alias).in_namespace(namespace)
        return bool(files.at_or_below(path).exists())

    def fetch_names(
        self,
        connection: BaseDatabaseWrapper,
        namespace: str,
        bounds: tuple[str, str | None],
        limit: int,
    ) -> list[str]:
        """Return the first names in order, from the lower bound up to, not including, the upper.

        :param bounds: None for no upper one.
        """
        low, high = bounds
        files = StoredFile.objects.using(connection.alias).in_namespace(namespace)
        files = files.filter(name__gte=low, **({} if high is None else {"name__lt": high}))
        return list(files.order_by("name").values_list("name", flat=True)[:limit])

    def fetch_run(
        self, connection: BaseDatabaseWrapper, key: int, first: int, count: int
    ) -> list[bytes]:
        """Return the chunks of a content from position *first* on, those that are there."""
        rows = self._select(connection, ("data",), statements.RUN, [key, first, first + count])
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

    def _change(
        self,
        connection: BaseDatabaseWrapper,
        template: str,
        row: Mapping[str, object],
        *more: object,
    ) -> int:
        parameters = self._parameters(connection, row)
        return self._execute(connection, template, [*parameters, *more])

    def _parameters(self, connection: BaseDatabaseWrapper, row: Mapping[str, object]) -> list[Any]:
        return [
            self.binary(connection, value)
            if isinstance(value, bytes)
            else FIELDS[name].get_db_prep_save(value, connection)
            for name, value in row.items()
        ]

    def _execute(
        self, connection: BaseDatabaseWrapper, template: str, parameters: Sequence[Any]
    ) -> int:
        """Return the number of rows that were changed."""
        with _wrapped(self.driver_cursor(connection), connection) as cursor:
            cursor.execute(statements.statement(template, connection), parameters)
            return int(cursor.rowcount)

    def _select(
        self,
        connection: BaseDatabaseWrapper,
        columns: Sequence[str],
        template: str,
        parameters: Sequence[Any],
        suffix: str = "",
    ) -> list[Any]:
        """Return the rows that a template's statement finds, each with these columns."""
        with _wrapped(self.driver_cursor(connection), connection) as cursor:
            cursor.execute(statements.statement(template, connection) + suffix, parameters)
            rows = cursor.fetchall()
        converters = [
            (place, _converters(name, connection))
            for place, name in enumerate(columns)
            if name in self.foreign_columns
        ]
        return [_converted(row, converters, connection) for row in rows] if converters else rows


class FastDialect(PortableDialect):
    """What SQLite, PostgreSQL and MySQL have in common."""

    foreign_columns: Collection[str] = ("created", "modified", "expires")

    def holds(self, connection: BaseDatabaseWrapper, namespace: str, path: str) -> bool:
        low, high = directory_range(path)
        parameters = [namespace, path, namespace, low, high]
        return bool(self._select(connection, (), statements.HOLDS, parameters)[0][0])

    def fetch_names(
        self,
        connection: BaseDatabaseWrapper,
        namespace: str,
        bounds: tuple[str, str | None],
        limit: int,
    ) -> list[str]:
        low, high = bounds
        upper = () if high is None else (high,)
        template = statements.NAMES + " AND {name} < %s" * len(upper) + " ORDER BY {name} LIMIT %s"
        rows = self._select(connection, ("name",), template, [namespace, low, *upper, limit])
        return [name for (name,) in rows]

    def fetch_part(
        self, connection: BaseDatabaseWrapper, key: int, position: int, start: int, stop: int
    ) -> bytes | None:
        # A part of a chunk travels alone.
        rows = self._select(
            connection, ("data",), statements.PART, [start + 1, stop - start, key, position]
        )
        return rows[0][0] if rows else None


class ConflictDialect(FastDialect):
    """For databases that tell of a taken name without an error: a save needs no savepoint."""

    def insert_head(self, connection: BaseDatabaseWrapper, row: Mapping[str, object]) -> bool:
        conflict = " ON CONFLICT ({namespace}, {name}) DO NOTHING"
        return self._change(connection, statements.insertion(*row) + conflict, row) == 1


class PsycopgDialect(ConflictDialect):
    """psycopg 3's binary protocol; through Django's cursor bytes travel as hexadecimal text."""

    foreign_columns = ()

    def insert_head(self, connection: Any, row: Mapping[str, object]) -> bool:
        if connection.isolation_level.name == "READ_COMMITTED":
            return super().insert_head(connection, row)
        # A transaction that sees the table as it was can't pass over a name that it doesn't see.
        return PortableDialect.insert_head(self, connection, row)

    def driver_cursor(self, connection: BaseDatabaseWrapper) -> Any:
        connection.cursor()  # It connects, checks and guards; its own cursor speaks text.
        return binary_cursor_class()(connection.connection)

    def binary(self, connection: BaseDatabaseWrapper, data: bytes) -> object:
        return data


class MySQLDialect(FastDialect):
    """A hexadecimal literal in the statement; MySQL's drivers escape bytes one by one."""

    def insert_head(self, connection: BaseDatabaseWrapper, row: Mapping[str, object]) -> bool:
        # An error for a duplicate key leaves shared locks on the row and on the gap beside it: two
        # savers that both met one name and go on to another then wait for each other, which is a
        # deadlock. Without the error, the second waits until the first has ended.
        insertion = f"{statements.insertion(*row)} ON DUPLICATE KEY UPDATE {{id}} = {{id}}"
        # Whose row it is now, the row tells. The number of rows does not: Django has MySQL count
        # those found, not those changed.
        columns = ("content", "namespace", "name")
        if connection.features.can_return_columns_from_insert:
            parameters = self._parameters(connection, row)
            sql = f"{insertion} RETURNING {{content}}, {{namespace}}, {{name}}"
            found = self._select(connection, columns, sql, parameters)
        else:
            self._change(connection, insertion, row)
            names = [row["namespace"], row["name"]]
            found = self._select(connection, columns, statements.selection(columns), names)
        for key, *names in found:
            if names == [row["namespace"], row["name"]]:
                return bool(key == row["content"])
        raise IntegrityError("The content key is taken")

    def delete(self, connection: BaseDatabaseWrapper, key: int) -> None:
        # In a small table the optimizer prefers to scan: then two overwrites, even of different
        # files, wait for each other's rows, which is a deadlock.
        source = "{table} FROM {table} FORCE INDEX (`secure_dbstorage_unique_chunk`)"
        self._execute(connection, f"DELETE {source} WHERE {{content}} = %s", [key])

    def driver_cursor(self, connection: BaseDatabaseWrapper) -> Any:
        return HexCursor(super().driver_cursor(connection))

    def binary(self, connection: BaseDatabaseWrapper, data: bytes) -> object:
        return data


def dialect_of(connection: BaseDatabaseWrapper) -> PortableDialect:
    """Return the fastest dialect for a connection."""
    return _dialect_class(connection)()


def _dialect_class(connection: Any) -> type[PortableDialect]:
    if connection.vendor == "postgresql":
        # psycopg2 has no binary protocol.
        return PsycopgDialect if connection.Database.__name__ == "psycopg" else PortableDialect
    return {"sqlite": ConflictDialect, "mysql": MySQLDialect}.get(
        connection.vendor, PortableDialect
    )


def _wrapped(cursor: Any, connection: BaseDatabaseWrapper) -> CursorWrapper:
    wrapper = ShortLogCursor if connection.queries_logged else CursorWrapper
    return wrapper(cursor, connection)


def _converters(name: str, connection: BaseDatabaseWrapper) -> list[Callable[..., Any]]:
    """Return what makes a column's value from the database's, which for MySQL USE_TZ decides."""
    field = FIELDS[name]
    return [
        *connection.ops.get_db_converters(field.cached_col),
        *field.get_db_converters(connection),
    ]


def _head(row: tuple[Any, ...], using: str) -> StoredHead:
    name, size, sha256, content_type, is_public, created, modified, expires, *rest = row
    key, chunk_size, link_epoch, *chunk = rest
    return StoredHead(
        stat=FileStat(
            name=name,
            size=size,
            sha256=sha256,
            content_type=content_type,
            is_public=bool(is_public),
            created=utc(created),
            modified=utc(modified),
            expires=None if expires is None else utc(expires),
        ),
        content=Content(using=using, key=key, size=size, chunk_size=chunk_size),
        link_epoch=link_epoch,
        first_chunk=chunk[0] if chunk else None,
    )


def _converted(
    row: Sequence[Any],
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]]]],
    connection: BaseDatabaseWrapper,
) -> tuple[Any, ...]:
    values = list(row)
    for place, steps in converters:
        for step in steps:
            values[place] = step(values[place], None, connection)
        if isinstance(values[place], memoryview):
            values[place] = bytes(values[place])
    return tuple(values)
