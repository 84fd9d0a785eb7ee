"""Response classes for stored bytes, sent by WSGI and by ASGI."""

from collections.abc import AsyncIterator, Iterator, Mapping
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

#: Bytes worth a hop to another thread. Seven rows of the default length are less, so a hop takes
#: what one query fetched: eight rows.
_HOP_BYTES = 1792 * 1024


class _NoCookies(SimpleCookie):
    """Stays empty: shared caches would hand the cookie of one visitor to the next."""

    def __setitem__(self, key: str, value: object) -> None:
        """Set nothing."""


class _StoredBytes(HttpResponseBase):
    """Keeps middleware from changing our bytes.

    GZipMiddleware would compress ranges and change lengths, so it is told that there is a
    Content-Encoding. CommonMiddleware would put a Content-Length on a 304.
    """

    def has_header(self, header: str) -> bool:
        return header.lower() in ("content-encoding", "content-length") or super().has_header(
            header
        )

    __contains__ = has_header

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set a cookie, except on what shared caches keep."""
        if not isinstance(self.cookies, _NoCookies):
            super().set_cookie(*args, **kwargs)


class FileResponse(_StoredBytes, HttpResponse):
    """A response whose body is in memory: a small file, or nothing."""


class StreamingFileResponse(_StoredBytes, StreamingHttpResponse):
    """A response whose body is read from the table while it is sent.

    WSGI servers iterate it. Under ASGI a few pieces at a time take a hop to the request's thread;
    Django alone would read a sync iterator to its end first.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self.streaming_content
        if isinstance(content, AsyncIterator):  # A middleware has wrapped ours.
            async for part in content:
                yield part
            return
        wanted = 1  # The first byte should not wait for the second query.
        while pieces := await sync_to_async(_next_pieces)(content, wanted):
            for piece in pieces:
                yield piece
            wanted = min(2 * sum(map(len, pieces)), _HOP_BYTES)


def respond(
    status: HTTPStatus,
    headers: Mapping[str, str],
    body: bytes | Iterator[bytes],
    *,
    is_private: bool,
) -> FileResponse | StreamingFileResponse:
    """Return a response with these headers alone, and a body in memory or in pieces.

    :param is_private: False drops the cookies that middleware sets, since shared caches keep it.
    """
    kind = FileResponse if isinstance(body, bytes) else StreamingFileResponse
    response = kind(body, status=status, headers=headers)
    if "Content-Type" not in headers:
        del response["Content-Type"]
    if not is_private:
        response.cookies = _NoCookies()
    return response


def _next_pieces(content: Iterator[bytes], wanted: int) -> list[bytes]:
    """Return pieces of at least *wanted* bytes; fewer at the end."""
    pieces: list[bytes] = []
    length = 0
    for piece in content:
        pieces.append(piece)
        length += len(piece)
        if length >= wanted:
            break
    return pieces
