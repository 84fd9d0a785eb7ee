"""Conditional requests: which bytes a request gets, if any."""

from http import HTTPStatus

import pytest
from django.test import RequestFactory

from secure_dbstorage.serving.conditions import drop_void_dates, has_conditions, select
from secure_dbstorage.serving.refusals import Reason, Refused
from tests.support.answers import CONTENT, STAT, Reader, answer


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


def test_a_body_in_memory_is_not_streamed() -> None:
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
    assert caught.value.reason is Reason.RANGE
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
    assert has_conditions(RequestFactory().get("/", headers={name: ""}))
    assert not has_conditions(RequestFactory().get("/", headers={"X": "1"}))


def test_a_304_has_the_headers_a_cache_updates_and_no_body() -> None:
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


@pytest.mark.parametrize("tags", [STAT.etag, "garbled", "*", ""])
def test_a_decision_leaves_the_request_as_it_is(tags: str) -> None:
    date = "Thu, 29 Feb 2024 12:30:45 GMT"
    request = RequestFactory().get(
        "/", headers={"If-None-Match": tags, "If-Modified-Since": date, "Range": "bytes=0-1"}
    )
    before = dict(request.META)
    select(request, STAT)
    assert before == request.META


def test_dates_beside_entity_tags_are_dropped_and_no_others() -> None:
    dates = {"If-Modified-Since": "x", "If-Unmodified-Since": "y"}
    for tags, left in (
        ({}, ["x", "y"]),
        ({"If-Match": "garbled"}, ["x"]),
        ({"If-None-Match": "garbled"}, ["y"]),
        ({"If-Match": "", "If-None-Match": ""}, []),
    ):
        request = RequestFactory().get("/", headers={**dates, **tags})
        drop_void_dates(request)
        assert [value for name, value in request.META.items() if name.endswith("SINCE")] == left
