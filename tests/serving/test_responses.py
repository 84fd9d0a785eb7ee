"""Answers: a whole file, a part of it, "not modified" or a refusal, sent by WSGI and by ASGI."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from threading import current_thread
from typing import Any

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.http import ConditionalGetMiddleware
from django.template.response import SimpleTemplateResponse
from django.test import RequestFactory

from secure_dbstorage.exceptions import Refused
from secure_dbstorage.files import FileStat
from secure_dbstorage.serving import responses
from secure_dbstorage.serving.headers import REFUSAL_HEADERS, Presentation
from secure_dbstorage.serving.responses import (
    ALLOW,
    FileResponse,
    StreamingFileResponse,
    answer_with_file,
    answer_with_methods,
    has_preconditions,
    protect,
    refuse,
)

CONTENT = b"0123456789" * 100
STAT = FileStat(
    name="dir/file.txt",
    size=len(CONTENT),
    sha256="ab" * 32,
    content_type="text/plain",
    is_public=True,
    created=datetime(2024, 1, 1, tzinfo=UTC),
    modified=datetime(2024, 2, 29, 12, 30, 45, 999999, tzinfo=UTC),
)
SHOWN = Presentation(
    inline=True, filename=None, private=False, cache_control="public, max-age=300"
)
PRIVATE = Presentation(
    inline=True, filename=None, private=True, cache_control="private, max-age=300"
)


class Reader:
    """Gives the bytes of the file in small pieces, and remembers what was asked for."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.asked: list[tuple[int, int]] = []
        self.given: list[int] = []
        self.threads: set[str] = set()

    def __call__(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from *start* up to *stop*."""
        self.asked.append((start, stop))
        return self._pieces(start, stop)

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        for first in range(start, stop, 64):
            self.given.append(first)
            self.threads.add(current_thread().name)
            yield CONTENT[first : min(first + 64, stop)]


def answer(
    method: str = "GET",
    *,
    shown: Presentation = SHOWN,
    whole: bytes | None = None,
    read: Reader | None = None,
    **headers: str,
) -> Any:
    request = RequestFactory().generic(method, "/", headers=_dashed(headers))
    if whole is not None:
        return answer_with_file(request, STAT, shown, read=lambda start, stop: whole[start:stop])
    return answer_with_file(request, STAT, shown, read=read or Reader())


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


# --- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("HEAD", {"Range": "bytes=0-0"}),
        ("HEAD", {"If_None_Match": "*"}),
        ("GET", {"If_None_Match": STAT.etag}),
        ("GET", {"If_Modified_Since": "Thu, 29 Feb 2024 12:30:45 GMT"}),
    ],
)
def test_an_answer_without_a_body_asks_for_no_bytes(method: str, headers: dict[str, str]) -> None:
    read = Reader()
    response = answer(method, read=read, **headers)
    assert not response.streaming
    assert response.content == b""
    assert read.asked == []


@pytest.mark.parametrize("headers", [{"If_Match": '"x"'}, {"Range": "bytes=1000-"}])
def test_a_refused_condition_asks_for_no_bytes(headers: dict[str, str]) -> None:
    read = Reader()
    with pytest.raises(Refused):
        answer(read=read, **headers)
    assert read.asked == []


def test_nothing_is_read_before_the_body_is_sent() -> None:
    read = Reader()
    response = answer(read=read)
    assert response.streaming
    assert read.given == []
    assert b"".join(response) == CONTENT


def test_what_is_in_memory_is_not_streamed() -> None:
    response = answer(whole=CONTENT)
    assert not response.streaming
    assert response.content == CONTENT


def test_a_part_asks_for_its_bytes_alone() -> None:
    read = Reader()
    response = answer(read=read, Range="bytes=100-299")
    assert b"".join(response) == CONTENT[100:300]
    assert read.asked == [(100, 300)]
    assert response.status_code == HTTPStatus.PARTIAL_CONTENT
    assert response["Content-Range"] == "bytes 100-299/1000"
    assert response["Content-Length"] == "200"


def test_a_range_beyond_the_end_says_how_long_the_file_is() -> None:
    with pytest.raises(Refused) as caught:
        answer(Range="bytes=1000-")
    assert caught.value.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    assert caught.value.headers == {"Content-Range": "bytes */1000"}


def test_a_fraction_of_a_second_makes_no_file_newer() -> None:
    assert answer(If_Modified_Since="Thu, 29 Feb 2024 12:30:45 GMT").status_code == 304
    assert answer(If_Unmodified_Since="Thu, 29 Feb 2024 12:30:45 GMT").status_code == 200
    condition = "Thu, 29 Feb 2024 12:30:45 GMT"
    assert answer(Range="bytes=0-0", If_Range=condition).status_code == 206
    assert answer()["Last-Modified"] == condition


@pytest.mark.parametrize(
    "name", ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range"]
)
def test_a_request_with_a_condition_is_told_from_one_without(name: str) -> None:
    assert has_preconditions(RequestFactory().get("/", headers={name: ""}))
    assert not has_preconditions(RequestFactory().get("/", headers={"X": "1"}))


# --- how it is sent ------------------------------------------------------------------------------


async def test_under_asgi_the_body_is_read_in_another_thread() -> None:
    read = Reader()
    response = answer(read=read)
    pieces = [piece async for piece in response]
    assert b"".join(pieces) == CONTENT
    assert len(pieces) == 16
    assert current_thread().name not in read.threads


async def test_under_asgi_a_reader_who_leaves_stops_the_reading() -> None:
    read = Reader()
    body = aiter(answer(read=read))
    assert await anext(body) == CONTENT[:64]
    await body.aclose()
    assert read.given == [0]


async def test_under_asgi_a_hop_takes_twice_what_the_one_before_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(responses, "_HOP_BYTES", 6 * 64)
    read = Reader()
    given = [len(read.given) async for _ in answer(read=read)]
    assert given == [1, 3, 3, *[7] * 4, *[13] * 6, *[16] * 3]


async def test_under_asgi_an_error_reaches_the_server() -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        assert [piece async for piece in StreamingFileResponse(broken())] in ([], [b"first"])


def test_under_wsgi_an_error_reaches_the_server() -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise OSError("gone")

    body = iter(StreamingFileResponse(broken()))
    assert next(body) == b"first"
    with pytest.raises(OSError, match="gone"):
        next(body)


async def test_a_middleware_may_put_a_sync_iterator_around_the_body() -> None:
    response = answer()
    response.streaming_content = (piece.upper() for piece in response.streaming_content)
    assert b"".join([piece async for piece in response]) == CONTENT


async def test_a_middleware_may_put_an_async_iterator_around_the_body() -> None:
    response = answer()
    inner = response.streaming_content

    async def wrapped() -> AsyncIterator[bytes]:
        for piece in inner:
            yield piece

    response.streaming_content = wrapped()
    assert b"".join([piece async for piece in response]) == CONTENT


@pytest.mark.django_db  # Django ends the request then, which looks at connections.
def test_closing_the_answer_closes_what_reads() -> None:
    closed = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"first"
            yield b"second"
        finally:
            closed.append(True)

    response = StreamingFileResponse(pieces())
    assert next(iter(response)) == b"first"
    response.close()
    assert closed == [True]


# --- what middleware must not do -----------------------------------------------------------------


def _through(middleware: Any, response: HttpResponseBase, **headers: str) -> Any:
    request = RequestFactory().get("/", headers=_dashed(headers))
    return middleware(lambda _: response)(request)


@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=0-499"}, {"If_None_Match": "*"}], ids=["200", "206", "304"]
)
@pytest.mark.parametrize("whole", [None, CONTENT])
@pytest.mark.parametrize(
    "middleware", [GZipMiddleware, ConditionalGetMiddleware, CommonMiddleware]
)
def test_middleware_changes_nothing(
    middleware: Any, whole: bytes | None, headers: dict[str, str]
) -> None:
    before = answer(whole=whole, **headers).headers
    after = _through(
        middleware, answer(whole=whole, **headers), Accept_Encoding="gzip", Host="testserver"
    )
    assert dict(after.headers) == dict(before)


def test_the_content_encoding_that_keeps_gzip_away_is_not_sent() -> None:
    response = answer()
    assert response.has_header("Content-Encoding")
    assert "content-encoding" in response
    assert "content-encoding" not in {name.lower() for name in response.headers}
    assert not response.has_header("X-Other")


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-0"}, {"If_None_Match": "*"}])
def test_only_a_private_answer_takes_a_cookie(headers: dict[str, str]) -> None:
    for shown, expected in ((SHOWN, []), (PRIVATE, ["sessionid"])):
        response = answer(shown=shown, **headers)
        response.set_cookie("sessionid", "x")
        assert list(response.cookies) == expected


# --- headers -------------------------------------------------------------------------------------


def test_304_has_what_a_cache_updates_and_nothing_of_a_body() -> None:
    response = answer(If_None_Match="*")
    assert response.status_code == 304
    assert dict(response.headers) == {
        "ETag": STAT.etag,
        "Last-Modified": "Thu, 29 Feb 2024 12:30:45 GMT",
        "Cache-Control": "public, max-age=300",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Frame-Options": "SAMEORIGIN",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_has_the_headers_of_get(method: str) -> None:
    response = answer(method)
    assert dict(response.headers) == dict(answer().headers)
    assert response["Content-Length"] == "1000"


def test_options_says_which_methods_there_are() -> None:
    response = answer_with_methods()
    assert (response.status_code, response.content) == (200, b"")
    assert (response["Allow"], response["Content-Length"]) == (ALLOW, "0")


@pytest.mark.parametrize(
    "reason",
    [
        "missing",
        "bad-token",
        "expired",
        "revoked",
        "forbidden",
        "too-many-requests",
        "unavailable",
        "method",
        "precondition",
        "range",
    ],
)
def test_a_refusal_is_a_page_with_all_the_protective_headers(reason: str) -> None:
    request = RequestFactory().get("/files/secret.txt")
    refused = Refused(HTTPStatus.FORBIDDEN, reason, headers={"X-More": "1"})
    response = refuse(request, refused)
    assert response.status_code == 403
    assert dict(response.headers) == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(response.content)),
        **REFUSAL_HEADERS,
        "X-More": "1",
    }
    assert b"<h1>" in response.content
    assert b"secret" not in response.content


def test_a_refused_head_has_no_body() -> None:
    refused = Refused(HTTPStatus.NOT_FOUND, "missing")
    page = refuse(RequestFactory().get("/"), refused)
    head = refuse(RequestFactory().head("/"), refused)
    assert head.content == b""
    assert head["Content-Length"] == page["Content-Length"] == str(len(page.content))


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(headers={"Cache-Control": "public", "Referrer-Policy": "unsafe-url"}),
        SimpleTemplateResponse("admin/404.html"),
        FileResponse(),
    ],
)
def test_a_response_of_a_hook_is_kept_out_of_caches(response: HttpResponseBase) -> None:
    protected = protect(response)
    assert protected is response
    assert protected["Cache-Control"] == "private, no-store"
    assert protected["Referrer-Policy"] == "no-referrer"
