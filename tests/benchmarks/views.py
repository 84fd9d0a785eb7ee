"""The floor of serving: the smallest honest view of the same rows, which checks nothing."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date

#: As many chunks as make 2 MiB, which is what gives the floor its best time.
_RUN = 8

_HEAD = (
    "SELECT size, sha256, content_type, modified, content, chunk_size, data"
    " FROM secure_dbstorage_storedfile WHERE namespace = %s AND name = %s"
)
_CHUNKS = (
    "SELECT data FROM secure_dbstorage_storedfile"
    " WHERE content = %s AND position >= %s AND position < %s ORDER BY position"
)

#: What is the same for every private file that is not shown.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=300",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def serve(request: HttpRequest, name: str) -> HttpResponseBase:
    """Serve a file of our table with the header fields that our own view gives it."""
    size, sha256, content_type, modified, content, chunk_size, first = _fetch(_HEAD, ("", name))[0]
    headers = {
        **_HEADERS,
        "Content-Type": content_type,
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{name.rpartition("/")[2]}"',
        "ETag": f'"{sha256}"',
        "Last-Modified": http_date(_timestamp(modified)),
    }
    if size <= len(first):
        return HttpResponse(first, headers=headers)
    runs = _runs(content, -(-size // chunk_size))
    if isinstance(request, ASGIRequest):
        return StreamingHttpResponse(_hopping(runs), headers=headers)
    return StreamingHttpResponse(chain.from_iterable(runs), headers=headers)


def allow(private_file: object) -> bool:
    """Let everybody have every file of django-private-storage."""
    return True


def _runs(content: int, count: int) -> Iterator[list[bytes]]:
    for position in range(0, count, _RUN):
        yield [row[0] for row in _fetch(_CHUNKS, (content, position, position + _RUN))]


async def _hopping(runs: Iterator[list[bytes]]) -> AsyncIterator[bytes]:
    while run := await sync_to_async(_next_run)(runs):
        for piece in run:
            yield piece


def _next_run(runs: Iterator[list[bytes]]) -> list[bytes]:
    return next(runs, [])


def _fetch(sql: str, parameters: tuple[object, ...]) -> list[Any]:
    connection.ensure_connection()
    return _fetcher(connection.vendor)(connection.connection, sql, parameters)


def _timestamp(modified: datetime | str) -> float:
    moment = datetime.fromisoformat(modified) if isinstance(modified, str) else modified
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@cache
def _fetcher(vendor: str) -> Callable[[Any, str, tuple[object, ...]], list[Any]]:
    return {"sqlite": _fetch_sqlite, "postgresql": _psycopg_fetcher(), "mysql": _fetch_mysql}[
        vendor
    ]


def _fetch_sqlite(driver: Any, sql: str, parameters: tuple[object, ...]) -> list[Any]:
    # Not Django's cursor class, which rewrites each statement.
    import sqlite3

    cursor = driver.cursor(sqlite3.Cursor)
    rows: list[Any] = cursor.execute(sql.replace("%s", "?"), parameters).fetchall()
    cursor.close()
    return rows


def _fetch_mysql(driver: Any, sql: str, parameters: tuple[object, ...]) -> list[Any]:
    with driver.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def _psycopg_fetcher() -> Callable[[Any, str, tuple[object, ...]], list[Any]]:
    import psycopg

    def fetch(driver: Any, sql: str, parameters: tuple[object, ...]) -> list[Any]:
        with psycopg.Cursor(driver) as cursor:
            return cursor.execute(sql, parameters, binary=True).fetchall()

    return fetch


async def nothing(request: HttpRequest) -> HttpResponse:
    """Do nothing."""
    return HttpResponse()
