"""Execution: statements over one connection, and rows with the values that Django makes."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from secure_dbstorage.table import statements
from secure_dbstorage.table.cursors import ShortLogCursor
from secure_dbstorage.table.statements import FIELDS


class Execution:
    """Runs statements over one connection.

    Every statement goes through Django's cursor wrapper: errors are those of ``django.db``,
    execute wrappers are called, and ``connection.queries`` shows the statement without its bytes.

    Make one for each use: the connection belongs to a thread, and must not be kept.
    """

    #: The columns whose values the driver may return in another form than Django does.
    converted_columns: tuple[str, ...] = tuple(FIELDS)

    #: Whether the driver returns the first row of a query before it has all of them.
    gives_rows_as_they_come = False

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def forget(self) -> None:
        """Free the memory in which some connections keep the rows that were read and written."""

    def cursor(self) -> CursorWrapper:
        """Return a new cursor of Django's, around the driver's fastest one for bytes."""
        # Not create_cursor(): Django's tests guard their databases at cursor().
        return self._connection.cursor()

    def binary(self, data: bytes) -> object:
        """Return bytes as the driver takes them for a parameter."""
        return self._connection.Database.Binary(data)  # type: ignore[attr-defined]

    def _statement(self, template: str) -> str:
        return statements.statement(template, self._connection)

    def _change(self, template: str, row: Mapping[str, object], *more: object) -> int:
        """Execute a template with the values of a row, and return how many rows it changed."""
        return self._execute(self._statement(template), [*self._parameters(row), *more])

    def _delete(self, condition: str, parameters: Sequence[object]) -> int:
        """Delete the rows that meet a condition, given as a template, and return their number."""
        statement = self._statement(f"DELETE FROM {{table}} WHERE {condition}")
        return self._execute(statement, parameters)

    def _parameters(self, row: Mapping[str, object]) -> list[Any]:
        return [self._parameter(name, value) for name, value in row.items()]

    def _parameter(self, name: str, value: object) -> object:
        """Return a column's value as the driver takes it."""
        if isinstance(value, bytes):
            return self.binary(value)
        return FIELDS[name].get_db_prep_save(value, self._connection)

    def _execute(self, statement: str, parameters: Sequence[Any]) -> int:
        with self._cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)

    def _fetch(
        self, statement: str, parameters: Sequence[Any], columns: Sequence[str]
    ) -> list[Any]:
        """Return the rows that a statement finds.

        :param columns: what each row consists of.
        """
        with self._cursor() as cursor:
            cursor.execute(statement, parameters)
            rows: list[Any] = cursor.fetchall()
        if not self.converted_columns:
            return rows
        places = _converted_places(tuple(columns), self.converted_columns)
        return self._converted(rows, places) if places else rows

    def _cursor(self) -> CursorWrapper:
        cursor = self.cursor()
        if type(cursor) is CursorWrapper:
            return cursor
        # One that logs statements, or a project's own, would keep the bytes.
        wrapper = ShortLogCursor if self._connection.queries_logged else CursorWrapper
        return wrapper(cursor.cursor, self._connection)

    def _converted(self, rows: list[Any], places: Sequence[tuple[int, str]]) -> list[Any]:
        """Return rows with the values that Django makes of the driver's.

        :param places: index and name of the columns whose values are converted.
        """
        # The converters are not kept: for MySQL they depend on USE_TZ.
        steps = [(index, self._converters(name)) for index, name in places]
        return [self._with_values(row, steps) for row in rows]

    def _converters(self, name: str) -> list[Callable[..., Any]]:
        field = FIELDS[name]
        return [
            *self._connection.ops.get_db_converters(field.cached_col),
            *field.get_db_converters(self._connection),
        ]

    def _with_values(
        self, row: Sequence[Any], steps: Sequence[tuple[int, Sequence[Callable[..., Any]]]]
    ) -> tuple[Any, ...]:
        values = list(row)
        for index, converters in steps:
            for convert in converters:
                values[index] = convert(values[index], None, self._connection)
            if isinstance(values[index], memoryview):
                values[index] = bytes(values[index])
        return tuple(values)


@cache
def _converted_places(
    columns: tuple[str, ...], converted: tuple[str, ...]
) -> tuple[tuple[int, str], ...]:
    """Return index and name of those columns whose values are converted."""
    return tuple((index, name) for index, name in enumerate(columns) if name in converted)
