"""Responses, sent by WSGI and by ASGI, and what middleware must leave alone."""

from collections.abc import AsyncIterator, Iterator
from threading import current_thread
from typing import Any

import pytest
from django.http import BadHeaderError
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.http import ConditionalGetMiddleware
from django.test import RequestFactory

from secure_dbstorage.serving import pacing, responses
from secure_dbstorage.serving.responses import FileResponse, StreamingFileResponse
from tests.support.answers import CONTENT, PRIVATE, SHOWN, Reader, answer, dashed

# --- how it is sent ------------------------------------------------------------------------------


async def test_under_asgi_the_body_is_read_in_another_thread() -> None:
    read = Reader()
    response = answer(read=read)
    pieces = [piece async for piece in response]
    assert b"".join(pieces) == CONTENT
    assert len(pieces) == 16
    assert current_thread().name not in read.threads


async def test_under_asgi_a_client_that_leaves_stops_the_reading() -> None:
    read = Reader()
    body = aiter(answer(read=read))
    assert await anext(body) == CONTENT[:64]
    await body.aclose()
    assert read.given == [0]


async def test_under_asgi_each_hop_takes_twice_as_much_as_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(responses, "HOP_BYTES", 6 * 64)
    monkeypatch.setattr(pacing, "HOP_BYTES", 6 * 64)
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
def test_closing_the_response_closes_the_reader() -> None:
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
    request = RequestFactory().get("/", headers=dashed(headers))
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


# --- its header fields ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ETag", "Cache-Control"])
@pytest.mark.parametrize("value", ["a\nSet-Cookie: x", "a\rb"])
def test_a_field_with_a_line_break_is_refused_each_time(name: str, value: str) -> None:
    for _ in range(2):
        with pytest.raises(BadHeaderError):
            FileResponse(b"", headers={name: value})


def test_a_change_of_one_answer_is_not_in_the_next() -> None:
    first = answer()
    before = dict(first.headers)
    first["Cache-Control"] = "no-store"
    del first["Content-Type"]
    assert dict(answer().headers) == before


def test_fields_are_found_and_listed_as_in_any_response() -> None:
    response = FileResponse(b"", headers={"Cache-Control": "no-store", "X-Other": "é"})
    assert response["cache-control"] == response.headers["CACHE-CONTROL"] == "no-store"
    assert list(response.items()) == [("Cache-Control", "no-store"), ("X-Other", "é")]
    assert response.serialize_headers() == b"Cache-Control: no-store\r\nX-Other: \xe9"
