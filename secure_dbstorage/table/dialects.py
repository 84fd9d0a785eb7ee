"""How each database moves bytes fastest.

A class here uses the driver's fastest way for bytes, on the caller's connection and in the
caller's transaction. The column types that differ by vendor are in ``fields``.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, cast

from django.db import IntegrityError, connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.transaction import TransactionManagementError

from secure_dbstorage.files import utc
from secure_dbstorage.files.heads import HEAD_COLUMNS, Room, StoredHead
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import directory_range
from secure_dbstorage.sealing.keyrings import Keyring
from secure_dbstorage.table import statements
from secure_dbstorage.table.chunk_rows import CHUNK_COLUMNS
from secure_dbstorage.table.cursors import HexCursor, binary_cursor_class, qmark_cursor_class
from secure_dbstorage.table.rows import Rows
from secure_dbstorage.table.statements import FIELDS, placeholders

_IDENTITY_COLUMNS = ("content", "namespace", "name")
_PLAIN_TYPES = (str, bool, type(None))
_TIME_COLUMNS = ("created", "modified", "expires")
_ALL_BUT_DATA = tuple(name for name in FIELDS if name != "data")


def rows(using: str) -> Rows:
    """Return the rows of a database over this thread's connection, in its fastest form."""
    connection = connections[using]
    return _class_for(connection)(connection)


def _class_for(connection: Any) -> type[Rows]:
    if connection.vendor == "postgresql":
        # psycopg2 has no binary protocol.
        return PsycopgRows if connection.Database.__name__ == "psycopg" else Rows
    return {"sqlite": SQLiteRows, "mysql": MySQLRows}.get(connection.vendor, Rows)


class FastRows(Rows):
    """What SQLite, PostgreSQL and MySQL have in common."""

    converted_columns: tuple[str, ...] = _TIME_COLUMNS

    def _converted(self, rows: list[Any], places: Sequence[tuple[int, str]]) -> list[Any]:
        # As Django does it, in a quarter of the time. See Note [Instants without time zones].
        zone = self._connection.timezone or UTC
        converted = [list(row) for row in rows]
        for values in converted:
            for index, _ in places:
                value = values[index]
                if isinstance(value, datetime):
                    values[index] = value if value.tzinfo else value.replace(tzinfo=zone)
                elif value is not None:  # SQLite's, by a connection that doesn't detect types.
                    return super()._converted(rows, places)
        return converted

    def locked(self, namespace: str, name: str, *, waits: bool) -> StoredFile | None:
        # Django's queryset takes eight times as long, and each deletion and overwrite begins here.
        statement = self._statement(statements.selection(_ALL_BUT_DATA))
        if self._connection.features.has_select_for_update:
            if self._connection.get_autocommit():
                raise TransactionManagementError("A row is locked until its transaction ends")
            skip_locked = self._can_skip_locked and not waits
            lock = self._connection.ops.for_update_sql(skip_locked=skip_locked)
            statement = f"{statement} {lock}"
        found = self._fetch(statement, [namespace, name], _ALL_BUT_DATA)
        files = (self._row_of(values) for values in found)
        return next((row for row in files if row.name == name), None)

    def room(self, namespace: str, name: str, above: Sequence[str] = ()) -> Room:
        parameters = [namespace, name, namespace, *directory_range(name)]
        statement = self._statement(statements.ROOM_BELOW if above else statements.ROOM)
        if above:
            # Appended to the statement that is kept: the list is as long as there are names.
            statement += f"{placeholders(len(above))})"
            parameters += namespace, *above
        (found,) = self._fetch(statement, parameters, ())
        return Room(*map(bool, found))

    def directories(self, namespace: str, names: Sequence[str]) -> set[str]:
        statement = self._statement(statements.HOLDS_BELOW)
        parameters = chain.from_iterable((namespace, *directory_range(name)) for name in names)
        columns = ", ".join([statement] * len(names))
        (found,) = self._fetch(f"SELECT {columns}", list(parameters), ())
        return {name for name, is_directory in zip(names, found, strict=True) if is_directory}

    def names(self, namespace: str, bounds: tuple[str, str | None], limit: int) -> list[str]:
        low, high = bounds
        if high is None:
            template, parameters = statements.NAMES, [namespace, low, limit]
        else:
            template, parameters = statements.NAMES_BELOW, [namespace, low, high, limit]
        return [name for (name,) in self._fetch(self._statement(template), parameters, ("name",))]

    def heads_below(
        self,
        namespace: str,
        bounds: tuple[str, str],
        *,
        latest_epoch: int,
        limit: int,
        keyring: Keyring,
    ) -> list[StoredHead]:
        # Django's queryset takes twice as long, and an archive has thousands of files.
        statement = self._statement(statements.selection_below(HEAD_COLUMNS))
        parameters = [namespace, *bounds, latest_epoch, limit]
        found = self._fetch(statement, parameters, HEAD_COLUMNS)
        return [self._head_of(row, namespace, keyring) for row in found]

    def part(self, key: int, position: int, start: int, stop: int, *, length: int) -> bytes | None:
        # Only this part of the chunk travels.
        parameters = [start + 1, stop - start, key, position, length]
        found = self._fetch(self._statement(statements.PART), parameters, ("data",))
        return found[0][0] if found else None

    def _parameter(self, name: str, value: object) -> object:
        # What these drivers take as it is: most columns of a new file.
        return value if type(value) in _PLAIN_TYPES else super()._parameter(name, value)

    def _row_of(self, values: Sequence[Any]) -> StoredFile:
        """Return a head row as Django's queryset would."""
        columns = dict(zip(_ALL_BUT_DATA, values, strict=True))
        columns["is_public"] = bool(columns["is_public"])
        for name in _TIME_COLUMNS:
            columns[name] = None if columns[name] is None else utc(columns[name])
        return StoredFile.from_db(self._connection.alias, columns.keys(), columns.values())


class ConflictRows(FastRows):
    """For databases that report a taken name without an error: a save needs no savepoint."""

    def insert_head(self, row: Mapping[str, object]) -> bool:
        # Not ON CONFLICT (namespace, name): a partitioned table has no such constraint, only the
        # partition of the heads.
        if self._change(statements.insertion(*row) + " ON CONFLICT DO NOTHING", row) == 1:
            return True
        statement = self._statement(statements.HAS_FIRST_ROW)
        if self._fetch(statement, [row["content"]], ("position",)):
            raise IntegrityError("The content key is taken")
        return False


class SQLiteRows(ConflictRows):
    """SQLite keeps up to 2 MB of pages that it used in the cache of each connection."""

    gives_rows_as_they_come = True

    def insert_chunks(self, key: int, position: int, chunks: Sequence[bytes]) -> None:
        # It is in this process: there is no round trip to save, and a statement of several rows
        # takes 1.5 times as long, because SQLite copies each row once more.
        template = statements.insertion(*CHUNK_COLUMNS)
        parameters = [(key, number, chunk) for number, chunk in enumerate(chunks, position)]
        with self._cursor() as cursor:
            cursor.executemany(self._statement(template), parameters)

    def cursor(self) -> CursorWrapper:
        cursor = super().cursor()  # It connects and checks.
        cursor_class = qmark_cursor_class(cast(Any, self._connection).Database.Cursor)
        cursor.cursor = self._connection.connection.cursor(cursor_class)
        return cursor

    def forget(self) -> None:
        self._connection.connection.execute("PRAGMA shrink_memory").close()


class PsycopgRows(ConflictRows):
    """Uses psycopg 3's binary protocol. Django's cursor sends bytes as hexadecimal text."""

    # Rows aren't taken as they come, by `stream()`, though 64 MiB would take 0.65 of the time.
    # After that, libpq leaves the connection in single-row mode, and what the project does next in
    # a pipeline fails, such as psycopg's `executemany(..., returning=True)`.
    converted_columns = ()

    def insert_head(self, row: Mapping[str, object]) -> bool:
        connection: Any = self._connection
        if connection.isolation_level.name == "READ_COMMITTED":
            return super().insert_head(row)
        # At other isolation levels, ON CONFLICT fails for a row that the transaction doesn't see.
        return Rows.insert_head(self, row)

    def cursor(self) -> CursorWrapper:
        connection: Any = self._connection
        if connection.health_check_enabled:
            connection.close_if_health_check_failed()
        if connection.connection is None:
            connection.ensure_connection()
        # Django's own cursor uses text. It is Django that makes ours, though: then it checks what
        # it always checks, and backends for tenants choose the schema.
        driver = connection.connection
        usual, driver.cursor_factory = driver.cursor_factory, binary_cursor_class()
        try:
            return super().cursor()
        finally:
            driver.cursor_factory = usual

    def binary(self, data: bytes) -> object:
        return data


# Note [Taken names on MySQL]
# An error for a duplicate key leaves shared locks on the row and on the gap beside it. Two saves
# that get this error for one name, and then try other names, would wait for each other: a
# deadlock. Without the error, the second one waits until the first has ended.
# Whether the name was taken is read from the row that has it now. The row count does not tell:
# Django makes MySQL count the rows found, not the rows changed.
class MySQLRows(FastRows):
    """Writes bytes as a hexadecimal literal. MySQL's drivers escape them one by one."""

    gives_rows_as_they_come = True

    def insert_head(self, row: Mapping[str, object]) -> bool:
        for key, *identity in self._inserted_or_found(row):
            if identity == [row["namespace"], row["name"]]:
                return bool(key == row["content"])
        raise IntegrityError("The content key is taken")

    def locked_chunk(self, key: int) -> bytes:
        # At REPEATABLE READ, a query without a lock finds what there was at the transaction's
        # first one. The row that is locked may have come later.
        found = self._fetch(self._statement(statements.LOCKED_CHUNK), [key], ("data",))
        return b"".join(data for (data,) in found)

    def cursor(self) -> CursorWrapper:
        cursor, connection = super().cursor(), cast("Any", self._connection)
        # Unbuffered: the driver's usual cursor copies a result before it makes rows of it. All
        # are fetched at once, so none is left on the connection.
        cursor.cursor.cursor = connection.connection.cursor(connection.Database.cursors.SSCursor)
        cursor.cursor = HexCursor(cursor.cursor)
        return cursor

    def binary(self, data: bytes) -> object:
        return data

    def _delete(self, condition: str, parameters: Sequence[object]) -> int:
        # In a small table the optimizer prefers a scan. Then two overwrites, even of different
        # files, wait for each other's rows: a deadlock.
        source = "{table} FROM {table} FORCE INDEX (`secure_dbstorage_unique_chunk`)"
        return self._execute(self._statement(f"DELETE {source} WHERE {condition}"), parameters)

    def _inserted_or_found(self, row: Mapping[str, object]) -> list[Any]:
        """Insert a row unless its name is taken, and return the identity of the row that has it.

        See Note [Taken names on MySQL].
        """
        insertion = f"{statements.insertion(*row)} ON DUPLICATE KEY UPDATE {{id}} = {{id}}"
        if self._connection.features.can_return_columns_from_insert:
            statement = f"{insertion} RETURNING {{content}}, {{namespace}}, {{name}}"
            return self._fetch(
                self._statement(statement), self._parameters(row), _IDENTITY_COLUMNS
            )
        statement = statements.selection(_IDENTITY_COLUMNS)
        parameters = [row["namespace"], row["name"]]
        # Between two transactions, another could delete the row.
        with transaction.atomic(using=self._connection.alias, savepoint=False):
            self._change(insertion, row)
            return self._fetch(self._statement(statement), parameters, _IDENTITY_COLUMNS)
