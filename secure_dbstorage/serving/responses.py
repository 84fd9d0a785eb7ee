"""Response classes for stored bytes, sent by WSGI and by ASGI."""

from collections import deque
from collections.abc import AsyncIterator, ItemsView, Iterator, Mapping
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders

from secure_dbstorage.content_types import UNKNOWN
from secure_dbstorage.serving.pacing import HOP_BYTES, Pace, hop


class _Headers(ResponseHeaders):
    """Header fields as Django keeps them, made in a third of the time.

    Django encodes each name and each value to check it, and reads each field by its name when it
    sends them. With a dozen fields, that took a tenth of a request.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        text = "".join((*fields, *fields.values()))
        if text.isascii() and not ("\n" in text or "\r" in text):  # Django changes nothing.
            self._store = {name.lower(): (name, value) for name, value in fields.items()}
        else:
            super().__init__(fields)

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a field, without Django's exception where there is none."""
        return isinstance(key, str) and key.lower() in self._store

    def items(self) -> ItemsView[str, str]:
        """Return the fields, their names spelled as they were given."""
        return dict(self._store.values()).items()


class _NoCookies(SimpleCookie):
    """Stays empty: shared caches would hand the cookie of one visitor to the next."""

    def __setitem__(self, key: str, value: object) -> None:
        """Set nothing."""


class _StoredBytes(HttpResponseBase):
    """Keeps middleware from changing our bytes.

    GZipMiddleware would compress ranges and change lengths, so it is told that there is a
    Content-Encoding. CommonMiddleware would put a Content-Length on a 304, and
    ConditionalGetMiddleware an ETag on a refusal that caches may keep.
    """

    def __init__(
        self, *args: Any, headers: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        """Take the header fields; these are all, without Django's Content-Type."""
        kwargs["content_type"] = UNKNOWN  # Or Django would look for the best one.
        super().__init__(*args, **kwargs)
        self.headers = _Headers(headers or {})

    def has_header(self, header: str) -> bool:
        named = header.lower()
        return named in ("content-encoding", "content-length", "etag") or super().has_header(named)

    __contains__ = has_header

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set a cookie, except on what shared caches keep."""
        if not isinstance(self.cookies, _NoCookies):
            super().set_cookie(*args, **kwargs)

    def allow_frames(self) -> None:
        """Keep XFrameOptionsMiddleware from forbidding frames."""
        self.xframe_options_exempt = True

    def drop_cookies(self) -> None:
        """Set no cookie from now on: shared caches keep this response."""
        self.cookies = _NoCookies()


class FileResponse(_StoredBytes, HttpResponse):
    """A response whose body is in memory: a small file, or nothing."""


class StreamingFileResponse(_StoredBytes, StreamingHttpResponse):
    """A response whose body is read from the table while it is sent.

    WSGI servers iterate it. Under ASGI a few pieces at a time take a hop to the request's thread;
    Django alone would read a sync iterator to its end first.
    """

    def __init__(self, *args: Any, pace: Pace | None = None, **kwargs: Any) -> None:
        """Take the pace that the reader of the table keeps too."""
        super().__init__(*args, **kwargs)
        self.pace = pace or Pace()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self.streaming_content
        if isinstance(content, AsyncIterator):  # A middleware has wrapped ours.
            async for part in content:
                yield part
            return
        pace = self.pace
        try:
            while pieces := await _hop(content, pace.rows):
                row_bytes = len(pieces[0])
                pace.take()
                while pieces:
                    yield pieces.popleft()  # What was sent is let go.
                pace.ask(row_bytes)
        finally:
            pace.end()


def respond(
    status: HTTPStatus,
    headers: Mapping[str, str],
    body: bytes | Iterator[bytes],
    *,
    is_private: bool,
    pace: Pace | None = None,
) -> FileResponse | StreamingFileResponse:
    """Return a response with these headers alone, and a body in memory or in pieces.

    :param is_private: False drops the cookies that middleware sets, since shared caches keep it.
    :param pace: of a body in pieces, under ASGI; what reads it from the table goes by it, too.
    """
    response: FileResponse | StreamingFileResponse
    if isinstance(body, bytes):
        response = FileResponse(body, status=status, headers=headers)
    else:
        response = StreamingFileResponse(body, pace=pace, status=status, headers=headers)
    if not is_private:
        response.drop_cookies()
    return response


async def _hop(content: Iterator[bytes], rows: int) -> deque[bytes]:
    async with hop():
        return await sync_to_async(_next_pieces)(content, rows)


def _next_pieces(content: Iterator[bytes], rows: int) -> deque[bytes]:
    """Return so many pieces, or those of one hop; fewer at the end."""
    pieces: deque[bytes] = deque()
    length = 0
    for piece in content:
        pieces.append(piece)
        length += len(piece)
        if len(pieces) >= rows or length >= HOP_BYTES:
            break
    return pieces
