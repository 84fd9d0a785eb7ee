"""Accept headers that prefer HTML, and those that prefer JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.serving.negotiation import MAX_HEADER_LENGTH, prefers_json

HTML = [
    "",
    "*/*",
    "text/html",
    "text/*",
    "TEXT/HTML",
    "image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "text/html, application/json",
    "application/json, text/html",
    "text/html;q=0.5, application/json;q=0.4",
    "text/html;q=0.5, application/*;q=0.5",
    "text/html;level=1, application/json;q=0.9",
    "application/json;q=0",
    "application/json;q=0.000",
    "application/json;q=0, */*",
    "application/json;q=0, application/problem+json;q=0, */*;q=0.1",
    "application/*;q=0, */*",
    "application/xml",
    "application/json; q=0.5, text/html; Q=0.8",
    "json",
    "application/",
    "/json",
    "application json",
    ",,;,",
    "text/html;q=nan, application/json;q=0.1",
]

JSON = [
    "application/json",
    "application/problem+json",
    "application/problem+json, application/json;q=0.9",
    "APPLICATION/JSON",
    "application/*",
    "application/json, */*",
    "application/json, text/plain, */*",
    "application/json, text/*",
    "application/json;q=0.5, text/html;q=0.4",
    "application/json;q=0.001",
    "application/json ; charset=utf-8 ; q=0.5",
    "text/html;q=0, */*",
    "text/html;q=0, application/json;q=0.1",
    "text/*;q=0, */*;q=0.1",
    "text/html;q=0.9, application/json",
    " \tapplication/json\t ",
    "application/json;q=7",
    "application/json, garbage, ;;",
]


@pytest.mark.parametrize("accept", HTML)
def test_html_is_preferred(accept: str) -> None:
    assert not prefers_json(accept)


@pytest.mark.parametrize("accept", JSON)
def test_json_is_preferred(accept: str) -> None:
    assert prefers_json(accept)


@given(st.text(), st.sampled_from(["{}", "application/json;{}", "text/html;q={}, */*"]))
def test_nothing_that_a_client_sends_raises(text: str, spelled: str) -> None:
    prefers_json(spelled.format(text))


def test_a_long_header_is_not_read() -> None:
    short = "application/json".ljust(MAX_HEADER_LENGTH)
    assert prefers_json(short)
    assert not prefers_json(f"{short} ")
