"""Answers: a whole file, a part of it, "not modified", or a refusal."""

from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template import Engine
from django.template.context import Context
from django.template.exceptions import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags, parse_http_date_safe

from secure_dbstorage.exceptions import Refused
from secure_dbstorage.files import FileStat
from secure_dbstorage.serving.headers import (
    REFUSAL_HEADERS,
    Presentation,
    file_headers,
    validator_headers,
)
from secure_dbstorage.serving.ranges import (
    ByteRange,
    UnsatisfiableRange,
    if_range_holds,
    parse_range,
)

#: A project may put a template of its own under this name.
REFUSED_TEMPLATE = "secure_dbstorage/refused.html"

_PACKAGED = Path(__file__).parents[1] / "templates" / REFUSED_TEMPLATE

#: The methods that a file knows (RFC 9110 section 10.2.1).
ALLOW = "GET, HEAD, OPTIONS"

#: Bytes that are worth a hop to another thread. Seven rows of the usual length are less, so that
#: a hop takes what a query fetched: eight rows.
_HOP_BYTES = 1792 * 1024

#: Gives the bytes from the first number up to the second: at once, or in pieces.
ReadContent = Callable[[int, int], bytes | Iterator[bytes]]

_PRECONDITIONS = (
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
)

#: What each reason for a refusal tells the person: what to do, and nothing of the file.
_TEXTS = {
    "missing": (
        "There is nothing here",
        "Check that the address is complete, or ask whoever gave it to you.",
    ),
    "bad-token": (
        "This link does not work",
        "It may have been cut off when it was copied. Copy all of it, or ask for a new one.",
    ),
    "expired": ("This link has expired", "Ask for a new one."),
    "revoked": ("This link no longer works", "Ask for a new one."),
    "forbidden": (
        "You may not open this file",
        "If you have another account, sign in with it and try again.",
    ),
    "elsewhere": (
        "This link works from another place",
        "It is for one network. Open it from there, or ask for a new one.",
    ),
    "used": ("This link was for one time", "Ask for a new one."),
    "prefetch": ("Not ahead of time", "This link works one time. Open it yourself."),
    "too-many-requests": ("Too many requests", "Wait a moment, then try again."),
    "unavailable": ("Not available right now", "Wait a moment, then try again."),
    "method": ("This address is only for reading", "Open it in a browser, or download it."),
    "precondition": (
        "The file has changed",
        "It is not the version that was asked for. Start again from the beginning.",
    ),
    "range": (
        "The file ends before that",
        "The part that was asked for lies beyond the end. Start again from the beginning.",
    ),
}


class _NoCookies(SimpleCookie):
    """Stays empty: shared caches would hand the cookie of one visitor to the next."""

    def __setitem__(self, key: str, value: object) -> None:
        """Set nothing."""


class _StoredBytes(HttpResponseBase):
    """What middleware must leave alone in an answer of ours.

    GZipMiddleware would compress ranges and change lengths, so it is told that there is a
    Content-Encoding; CommonMiddleware would put a Content-Length on a 304.
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
    """An answer whose body is in memory: a small file, or none."""


class StreamingFileResponse(_StoredBytes, StreamingHttpResponse):
    """An answer whose body is read from the table while it is sent.

    WSGI servers iterate it; under ASGI a few pieces at a time take a hop to the request's thread.
    Django alone would there read a sync iterator to its end first.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self.streaming_content
        if isinstance(content, AsyncIterator):  # A middleware put its own around ours.
            async for part in content:
                yield part
            return
        wanted = 1  # The first byte is not to wait for the second query.
        while pieces := await sync_to_async(_next_pieces)(content, wanted):
            for piece in pieces:
                yield piece
            wanted = min(2 * sum(map(len, pieces)), _HOP_BYTES)


def has_preconditions(request: HttpRequest) -> bool:
    """Tell whether the answer may have no body, or a part of one."""
    return "HTTP_RANGE" in request.META or any(name in request.META for name in _PRECONDITIONS)


def answer_with_file(
    request: HttpRequest, stat: FileStat, shown: Presentation, *, read: ReadContent
) -> HttpResponseBase:
    """Return what a GET or HEAD gets: 200, 206 or 304.

    :param read: is called where bytes are to be sent, and not before; it may refuse by an error.
    :raises Refused: 412 and 416.
    """
    if _is_not_modified(request, stat):
        return _not_modified(stat, shown)
    part = _wanted_range(request, stat)
    headers = file_headers(stat, shown)
    headers["Content-Length"] = str(stat.size if part is None else part.length)
    if request.method == "HEAD":
        # Servers iterate the body of a HEAD all the same, and some send it.
        return _without_cookies(FileResponse(headers=headers), shown)
    status, start, stop = HTTPStatus.OK, 0, stat.size
    if part is not None:
        status, start, stop = HTTPStatus.PARTIAL_CONTENT, part.start, part.stop
        headers["Content-Range"] = part.content_range(stat.size)
    content = read(start, stop)
    kind = FileResponse if isinstance(content, bytes) else StreamingFileResponse
    return _without_cookies(kind(content, status=status, headers=headers), shown)


def answer_with_methods() -> HttpResponse:
    """Return what OPTIONS gets."""
    return HttpResponse(headers={**REFUSAL_HEADERS, "Allow": ALLOW, "Content-Length": "0"})


def refuse(request: HttpRequest, refused: Refused) -> HttpResponse:
    """Return the page for a refusal.

    It is rendered without the request: no context processor runs, so no session is touched.
    """
    title, text = _TEXTS[refused.reason]
    context = {"title": title, "text": text, "status": int(refused.status)}
    try:
        page = render_to_string(REFUSED_TEMPLATE, context)
    except TemplateDoesNotExist:  # The project has no engine that looks into apps.
        page = Engine().from_string(_PACKAGED.read_text("utf-8")).render(Context(context))
    body = page.encode()
    response = FileResponse(
        b"" if request.method == "HEAD" else body,
        status=refused.status,
        content_type="text/html; charset=utf-8",
    )
    if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Django would mail each one to the admins; whoever refused has logged the cause once.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    for name, value in {**REFUSAL_HEADERS, **refused.headers}.items():
        response[name] = value
    response["Content-Length"] = str(len(body))
    return response


def protect(response: HttpResponseBase) -> HttpResponseBase:
    """Keep a hook's own response out of caches, and the signed path out of Referer."""
    # The URL is without its token by now, and a cache of Django 5.2.0 looks for "private" alone.
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _next_pieces(content: Iterator[bytes], wanted: int) -> list[bytes]:
    """Return pieces of at least so many bytes; fewer at the end."""
    pieces: list[bytes] = []
    length = 0
    for piece in content:
        pieces.append(piece)
        length += len(piece)
        if length >= wanted:
            break
    return pieces


def _is_not_modified(request: HttpRequest, stat: FileStat) -> bool:
    """Tell whether the client has the file already.

    :raises Refused: 412.
    """
    if not any(name in request.META for name in _PRECONDITIONS):
        return False
    _keep_to_the_letter(request.META)
    answer = get_conditional_response(request, stat.etag, int(stat.modified.timestamp()))
    if answer is None:
        return False
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise Refused(HTTPStatus.PRECONDITION_FAILED, "precondition")
    return True


def _keep_to_the_letter(meta: dict[str, Any]) -> None:
    """Settle what Django and RFC 9110 section 13 see differently.

    A date beside a list of entity tags is not asked, and Django would ask it where the list is
    garbled. It goes from the request, since ConditionalGetMiddleware asks once more.

    :raises Refused: 412, for If-Match without an entity tag, which nothing matches, and for
        If-Unmodified-Since the very epoch, which Django takes for none.
    """
    failed = False
    if "HTTP_IF_MATCH" in meta:
        meta.pop("HTTP_IF_UNMODIFIED_SINCE", None)
        failed = not parse_etags(meta["HTTP_IF_MATCH"])
    if "HTTP_IF_NONE_MATCH" in meta:
        meta.pop("HTTP_IF_MODIFIED_SINCE", None)
    if failed or parse_http_date_safe(meta.get("HTTP_IF_UNMODIFIED_SINCE", "")) == 0:
        raise Refused(HTTPStatus.PRECONDITION_FAILED, "precondition")


def _wanted_range(request: HttpRequest, stat: FileStat) -> ByteRange | None:
    header = request.META.get("HTTP_RANGE")
    # RFC 9110 section 14.2: ranges are defined for GET alone.
    if header is None or request.method != "GET":
        return None
    condition = request.META.get("HTTP_IF_RANGE")
    if condition is not None and not if_range_holds(
        condition, etag=stat.etag, last_modified=int(stat.modified.timestamp())
    ):
        return None
    try:
        return parse_range(header, stat.size)
    except UnsatisfiableRange:
        raise Refused(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "range",
            headers={"Content-Range": f"bytes */{stat.size}"},
        ) from None


def _not_modified(stat: FileStat, shown: Presentation) -> HttpResponseBase:
    headers = validator_headers(stat, shown)
    response = FileResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    del response["Content-Type"]
    return _without_cookies(response, shown)


def _without_cookies(
    response: FileResponse | StreamingFileResponse, shown: Presentation
) -> HttpResponseBase:
    if not shown.private:
        response.cookies = _NoCookies()
    return response
