"""Headers: what browsers and caches are told about a file or a refusal."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils.http import http_date
from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.conf import read_options
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.serving.headers import (
    REFUSAL_HEADERS,
    Presentation,
    answer_headers,
    cache_control,
    file_headers,
    present,
    protect,
    validator_headers,
)
from secure_dbstorage.serving.ranges import ByteRange
from secure_dbstorage.serving.responses import FileResponse

STAT = FileStat(
    name="dir/a.png",
    size=3,
    sha256="ab" * 32,
    content_type="image/png",
    is_public=False,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    modified=datetime(2026, 7, 28, 12, 0, 0, 999_999, tzinfo=UTC),
)
PRIVATE = Presentation(
    inline=True, filename=None, private=True, cache_control="private, max-age=60"
)
PUBLIC = Presentation(
    inline=True, filename=None, private=False, cache_control="public, max-age=300"
)
DOWNLOAD = PRIVATE._replace(inline=False)

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), min_size=1, max_size=40
)


def headers_of(shown: Presentation, **changes: Any) -> dict[str, str]:
    return file_headers(replace(STAT, **changes), shown)


def test_a_private_file_has_exactly_these_headers() -> None:
    assert file_headers(STAT, PRIVATE) == {
        "Content-Type": "image/png",
        "Content-Disposition": 'inline; filename="a.png"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Accept-Ranges": "bytes",
        "X-Frame-Options": "SAMEORIGIN",
        "ETag": f'"{"ab" * 32}"',
        "Last-Modified": "Tue, 28 Jul 2026 12:00:00 GMT",
        "Cache-Control": "private, max-age=60",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-site",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }


def test_a_public_file_may_be_found_and_embedded_by_others() -> None:
    private, public = file_headers(STAT, PRIVATE), file_headers(STAT, PUBLIC)
    assert private.keys() - public.keys() == {"Referrer-Policy", "X-Robots-Tag"}
    assert {name: value for name, value in public.items() if value != private[name]} == {
        "Cache-Control": "public, max-age=300",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def test_a_304_has_the_validators_and_the_protective_headers() -> None:
    assert validator_headers(STAT, PRIVATE).items() <= file_headers(STAT, PRIVATE).items()
    assert file_headers(STAT, PRIVATE).keys() - validator_headers(STAT, PRIVATE).keys() == {
        "Content-Type",
        "Content-Disposition",
        "Content-Security-Policy",
        "Accept-Ranges",
    }


def test_a_download_is_not_for_frames() -> None:
    assert "X-Frame-Options" not in file_headers(STAT, DOWNLOAD)
    assert file_headers(STAT, DOWNLOAD)["Content-Disposition"] == 'attachment; filename="a.png"'


def test_a_pdf_that_is_shown_leaves_the_sandbox_and_nothing_else_does() -> None:
    pdf = {"content_type": "application/pdf"}
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert headers_of(PRIVATE, **pdf)["Content-Security-Policy"] == policy
    for shown, changes in (DOWNLOAD, pdf), (PRIVATE, {"content_type": "application/pdfx"}):
        assert headers_of(shown, **changes)["Content-Security-Policy"] == f"{policy}; sandbox"


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/text/plain", "application/text/plain"),
        ("application/json", "application/json"),
        ("texture/x", "texture/x"),
    ],
)
def test_text_is_utf8(content_type: str, sent: str) -> None:
    assert headers_of(PRIVATE, content_type=content_type)["Content-Type"] == sent


@pytest.mark.parametrize("content_type", ["video/mp4", "audio/mpeg", "video/webm"])
def test_a_film_that_is_shown_may_load_itself_and_nothing_else(content_type: str) -> None:
    film = {"content_type": content_type}
    assert headers_of(PRIVATE, **film)["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; "
        "sandbox allow-same-origin"
    )
    assert headers_of(DOWNLOAD, **film)["Content-Security-Policy"].endswith("; sandbox")


@pytest.mark.parametrize("policy", ["same-origin", "same-site", "cross-origin"])
def test_an_option_says_whose_pages_may_show_private_files(policy: str) -> None:
    options = read_options({"cross_origin": policy})
    shown = present(STAT, options, grant_of(), NOW)
    for headers in (file_headers(STAT, shown), validator_headers(STAT, shown)):
        assert headers["Cross-Origin-Resource-Policy"] == policy
        assert ("X-Frame-Options" in headers) is (policy != "cross-origin")
    sent = file_headers(STAT, shown)["Content-Security-Policy"]
    assert sent.endswith("; frame-ancestors *") is (policy == "cross-origin")
    public = present(STAT, options, None, NOW)
    assert file_headers(STAT, public)["Cross-Origin-Resource-Policy"] == "cross-origin"
    download = present(STAT, options, grant_of(attachment=True), NOW)
    assert "frame-ancestors" not in file_headers(STAT, download)["Content-Security-Policy"]


def test_a_time_in_another_zone_is_the_same_instant() -> None:
    eastern = timezone(timedelta(hours=-5))
    modified = datetime(2026, 7, 28, 7, tzinfo=eastern)
    sent = headers_of(PRIVATE, modified=modified)
    assert sent["Last-Modified"] == "Tue, 28 Jul 2026 12:00:00 GMT"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_spelled_as_django_spells_it(modified: datetime) -> None:
    spelled = http_date(modified.replace(microsecond=0).timestamp())
    assert headers_of(PRIVATE, modified=modified)["Last-Modified"] == spelled


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("a.txt", 'inline; filename="a.txt"'),
        ("dir/sub/a.txt", 'inline; filename="a.txt"'),
        (
            'a"; filename=evil.bat',
            (
                """inline; filename="a_; filename=evil.bat"; filename*=UTF-8''"""
                "a%22%3B%20filename%3Devil.bat"
            ),
        ),
        ("a\\b", """inline; filename="a_b"; filename*=UTF-8''a%5Cb"""),
        ("a;b=c", 'inline; filename="a;b=c"'),
        ("é.txt", """inline; filename="e.txt"; filename*=UTF-8''%C3%A9.txt"""),
        ("é" * 300, f"""inline; filename="{"e" * 300}"; filename*=UTF-8''""" + "%C3%A9" * 300),
        ("é'%.txt", """inline; filename="e'_.txt"; filename*=UTF-8''%C3%A9%27%25.txt"""),
        ("a%20b.txt", """inline; filename="a_20b.txt"; filename*=UTF-8''a%2520b.txt"""),
        ("夏", """inline; filename="file"; filename*=UTF-8''%E5%A4%8F"""),
        ("夏.png", """inline; filename="_.png"; filename*=UTF-8''%E5%A4%8F.png"""),
        ("\uff0f", """inline; filename="file"; filename*=UTF-8''%EF%BC%8F"""),
        ("\u2024\u2024", """inline; filename="file"; filename*=UTF-8''%E2%80%A4%E2%80%A4"""),
        (
            "=?utf-8?q?a?=",
            (
                """inline; filename="=_utf-8_q_a_="; filename*=UTF-8''"""
                "%3D%3Futf-8%3Fq%3Fa%3F%3D"
            ),
        ),
        ("...", """inline; filename="file"; filename*=UTF-8''..."""),
    ],
    ids=lambda text: text[:24],
)
def test_any_name_makes_one_well_formed_disposition(name: str, disposition: str) -> None:
    assert headers_of(PRIVATE, name=name)["Content-Disposition"] == disposition


def test_a_signed_file_name_replaces_the_files_own() -> None:
    shown = DOWNLOAD._replace(filename="Invoice 7.png")
    sent = file_headers(STAT, shown)["Content-Disposition"]
    assert sent == 'attachment; filename="Invoice 7.png"'


@given(NAMES, st.sampled_from(["inline", "attachment"]))
def test_a_browser_reads_back_the_name_that_was_written(name: str, shown: str) -> None:
    presentation = PRIVATE._replace(inline=shown == "inline")
    sent = headers_of(presentation, name=f"dir/{name}")["Content-Disposition"]
    response = HttpResponse(headers={"Content-Disposition": sent})
    message = Message()
    message["Content-Disposition"] = response["Content-Disposition"]
    assert message.get_content_disposition() == shown
    match = re.fullmatch(
        rf"""{shown}; filename="([^"\\\\%/]+)"(?:; filename\*=UTF-8''([^"'; ]+))?""", sent
    )
    assert match is not None
    assert (match[1] if match[2] is None else unquote(match[2])) == name
    assert match[1].strip(" ._")
    assert sent.isascii()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"private": True}, "private, max-age=60"),
        ({"private": False}, "public, max-age=60"),
        ({"private": True, "revalidate": True}, "private, no-cache"),
        ({"private": True, "store": False}, "private, no-store"),
        ({"private": True, "revalidate": True, "store": False}, "private, no-store"),
        ({"private": False, "store": False}, "private, no-store"),
        ({"private": False, "revalidate": True}, "private, no-cache"),
    ],
)
def test_cache_control_says_how_long_and_for_whom(arguments: dict[str, bool], field: str) -> None:
    assert cache_control(max_age_seconds=60, **arguments) == field


def test_a_refusal_is_stored_framed_and_found_by_nobody() -> None:
    assert REFUSAL_HEADERS == {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Cross-Origin-Resource-Policy": "same-site",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex",
    }


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


NOW = 1_785_240_000.5


def grant_of(**changes: Any) -> Grant:
    return Grant(**{"link_epoch": 1, "issued": int(NOW), "lifetime": 3600, **changes})


@pytest.mark.parametrize(
    ("grant", "options", "changes", "expected"),
    [
        (None, {}, {}, "public, max-age=300"),
        (None, {"public_max_age": 60}, {}, "public, max-age=60"),
        (None, {}, {"expires": NOW + 10}, "public, max-age=10"),
        (None, {"public_max_age": (60, 900)}, {}, "public, max-age=60, s-maxage=900"),
        (
            None,
            {"public_max_age": (60, 900)},
            {"expires": NOW + 99},
            "public, max-age=60, s-maxage=99",
        ),
        (grant_of(), {"public_max_age": (60, 900)}, {"is_public": True}, "private, max-age=300"),
        (None, {}, {"expires": NOW - 10}, "public, max-age=0"),
        (grant_of(), {}, {}, "private, max-age=300"),
        (grant_of(lifetime=100), {}, {}, "private, max-age=100"),
        (grant_of(), {}, {"expires": NOW + 10}, "private, max-age=10"),
        (grant_of(), {"auth_hooks": [len]}, {}, "private, no-cache"),
        (grant_of(), {"auth_hooks": [len]}, {"is_public": True}, "private, max-age=300"),
        (grant_of(user="x"), {}, {}, "private, no-store"),
        (grant_of(network=(24, "x")), {}, {}, "private, no-store"),
        (grant_of(nonce="x"), {"auth_hooks": [len]}, {}, "private, no-store"),
    ],
)
def test_how_long_a_file_is_kept_is_decided_by_link_file_and_options(
    grant: Grant | None, options: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    if "expires" in changes:
        changes = {"expires": datetime.fromtimestamp(changes["expires"], tz=UTC)}
    shown = present(replace(STAT, **changes), read_options(options), grant, NOW)
    assert shown.cache_control == expected
    assert shown.private == (grant is not None)


@pytest.mark.parametrize(
    ("content_type", "attachment", "inline"),
    [
        ("image/png", False, True),
        ("image/png", True, False),
        ("text/html", False, False),
        ("text/html", True, False),
    ],
)
def test_type_and_link_decide_whether_a_browser_shows_a_file(
    content_type: str, *, attachment: bool, inline: bool
) -> None:
    file, grant = replace(STAT, content_type=content_type), grant_of(attachment=attachment)
    assert present(file, read_options({}), grant, NOW).inline is inline
    named = present(file, read_options({}), grant_of(filename="b.png"), NOW)
    assert named.filename == "b.png"


def test_each_status_has_the_lengths_that_it_should() -> None:
    span = ByteRange(1, 2)
    whole = answer_headers(STAT, PRIVATE, HTTPStatus.OK, ByteRange(0, 3))
    part = answer_headers(STAT, PRIVATE, HTTPStatus.PARTIAL_CONTENT, span)
    same = answer_headers(STAT, PRIVATE, HTTPStatus.NOT_MODIFIED, span)
    assert whole == {**file_headers(STAT, PRIVATE), "Content-Length": "3"}
    assert part == {**whole, "Content-Length": "1", "Content-Range": "bytes 1-1/3"}
    assert same == validator_headers(STAT, PRIVATE)
