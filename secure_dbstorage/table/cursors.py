"""Cursors: how statements with bytes reach a driver."""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from django.db.backends.utils import CursorDebugWrapper, CursorWrapper


class ShortLogCursor(CursorDebugWrapper):
    """Logs the number of bytes instead of the bytes.

    Django's cursor would keep each chunk in ``connection.queries``, at twice its size.
    """

    def execute(self, sql: Any, params: Any = None) -> Any:
        shown = tuple(map(_shown, params or ()))
        with self.debug_sql(sql % shown):
            return CursorWrapper.execute(self, sql, params)

    def executemany(self, sql: Any, param_list: Any) -> Any:
        shown = [tuple(map(_shown, params)) for params in param_list]
        with self.debug_sql("; ".join(sql % values for values in shown)):
            return CursorWrapper.executemany(self, sql, param_list)


class HexCursor:
    """Wraps a driver's cursor, and writes bytes into the statement as ``x'...'``."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Sequence[object]) -> Any:
        others = [p for p in parameters if not isinstance(p, bytes)]
        return self._cursor.execute(_with_literals(sql, parameters), others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@cache
def binary_cursor_class() -> type[Any]:
    """Return a cursor class of psycopg 3 that uses its binary protocol."""
    import psycopg  # noqa: PLC0415 -- only where the database is PostgreSQL

    class BinaryCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None) -> Any:  # type: ignore[override]
            return super().execute(query, params, binary=True)

    return BinaryCursor


@cache
def qmark_cursor_class(cursor_class: Any) -> type[Any]:
    """Return a cursor class of sqlite3 that takes ``%s`` for ``?``.

    Django's own reads each statement with a regular expression, which takes as long as finding a
    small file. Ours have no percent sign but in placeholders.

    :param cursor_class: that of the driver, which may be another than Python's own.
    """

    class QmarkCursor(cursor_class):  # type: ignore[misc]
        def execute(self, sql: str, parameters: Any = ()) -> Any:
            return super().execute(sql.replace("%s", "?"), parameters)

        def executemany(self, sql: str, parameters: Any) -> Any:
            return super().executemany(sql.replace("%s", "?"), parameters)

    return QmarkCursor


def _with_literals(sql: str, parameters: Sequence[object]) -> str:
    """Return a statement with its bytes in place of their placeholders."""
    pieces = sql.split("%s")
    holes = [f"x'{p.hex()}'" if isinstance(p, bytes) else "%s" for p in parameters]
    return "".join(chain.from_iterable(zip(pieces, [*holes, ""], strict=True)))


def _shown(parameter: object) -> str:
    parameter = getattr(parameter, "obj", parameter)  # What psycopg's Binary wraps.
    if isinstance(parameter, bytes | memoryview):
        return f"<{len(parameter)} bytes>"
    return repr(parameter)
