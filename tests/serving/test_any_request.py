"""Any request gets one of our answers, and nothing that it may not have."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.db import transaction
from django.test import AsyncRequestFactory, Client, RequestFactory
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from secure_dbstorage.serving.credentials import Credentials
from secure_dbstorage.serving.headers import NOTHING_THERE, REFUSAL_HEADERS
from secure_dbstorage.storage import DatabaseStorage
from tests.support.tokens import token_of

pytestmark = pytest.mark.django_db

CONTENT = bytes(range(200))

#: Each example has a separate transaction.
several = hypothesis_settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

#: What a server makes of the bytes of a header field or of a query.
raw_text = st.binary(max_size=60).map(lambda data: data.decode("latin-1"))

#: What stands in tokens, and what could end, divide or quote them.
token_like = st.text("1aZ.-_%&=;+?#/[] \t\n\0\xff", max_size=40)


@pytest.fixture
def client() -> Client:
    """Return a client to whom an error of ours is a 500, as it is to everybody."""
    return Client(raise_request_exception=False)


@pytest.fixture
def storage(settings: Settings) -> DatabaseStorage:
    """Return the default storage, without limits, with a private file and a public one."""
    settings.SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(("signed", "plain", "refused"))}
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    for name in ("private.bin", "public.bin"):
        storage.save(name, CONTENT)
    storage.set_public("public.bin", public=True)
    return storage


@given(st.text(max_size=30) | st.text("ab./\\%?#;&=+\"' é\u202e\n\0", max_size=12))
@example("a%00b")
@example("a%2e%2e%2fb")
@example('a"; filename=evil.bat')
@several
def test_any_name_is_served_as_it_was_saved_or_is_none(
    client: Client, storage: DatabaseStorage, name: str
) -> None:
    with transaction.atomic():
        try:
            saved = storage.save(name, CONTENT)
        except (SuspiciousFileOperation, FileExistsError):
            path = quote(name.encode("utf-8", "surrogatepass"), safe="/")
            answer = client.get(f"/files/{path}")
            assert answer.status_code == 404
            nothing = REFUSAL_HEADERS | {"Cache-Control": NOTHING_THERE}
            assert not path or nothing.items() <= answer.headers.items()
        else:
            answer = client.get(storage.url(saved))
            assert answer.content == CONTENT
            plain = r'filename="[^"\\%/?:*<>|\x00-\x1f\x7f-\xff]+"'
            extended = r"filename\*=UTF-8''(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+"
            disposition = rf"(attachment|inline); {plain}(; {extended})?"
            assert re.fullmatch(disposition, answer["Content-Disposition"])
        transaction.set_rollback(True)


@given(
    st.one_of(
        raw_text,
        st.lists(st.tuples(raw_text, raw_text).map("=".join)).map("&".join),
        token_like.map("token={}".format),
        st.lists(token_like.map("token={}".format), min_size=2).map("&".join),
        st.tuples(token_like, token_like).map("token{0[0]}={0[1]}".format),
    ),
    st.sampled_from(["GET", "HEAD"]),
)
@example("token", "GET")
@example("token[]=x", "GET")
@example("&" * 5000, "GET")
@example("token=" + "A" * 1_000_000, "GET")
@example("token&" * 100_000, "GET")
@several
def test_no_query_that_we_did_not_sign_opens_a_private_file(
    client: Client, storage: DatabaseStorage, query: str, method: str
) -> None:
    for name in ("private.bin", "missing.bin"):
        answer = client.generic(method, f"/files/{name}", QUERY_STRING=query)
        has_token = any(
            unquote_plus(part.partition("=")[0]) == "token" for part in query.split("&")
        )
        assert answer.status_code == (403 if has_token else 404)
        kept = {} if has_token else {"Cache-Control": NOTHING_THERE}
        assert (REFUSAL_HEADERS | kept).items() <= answer.headers.items()
        assert not Credentials.take(answer.wsgi_request, name)[0].query_tokens


@given(
    st.data(),
    st.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_", max_size=3),
)
@several
def test_a_token_that_was_changed_anywhere_opens_nothing(
    client: Client, storage: DatabaseStorage, data: st.DataObject, new: str
) -> None:
    url = storage.url("private.bin", attachment=True, filename="a.bin")
    token = token_of(url)
    start = data.draw(st.integers(0, len(token)))
    stop = data.draw(st.integers(start, min(start + 3, len(token))))
    changed = token[:start] + new + token[stop:]
    answer = client.get(url.replace(token, changed))
    assert answer.status_code == (200 if changed == token else 403)


fields = st.dictionaries(
    st.sampled_from(
        [
            *("HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"),
            *("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_X_FORWARDED_FOR"),
            *("HTTP_REFERER", "HTTP_COOKIE", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING"),
            *("HTTP_USER_AGENT", "HTTP_SEC_PURPOSE", "HTTP_X_HTTP_METHOD_OVERRIDE"),
            *("HTTP_ACCEPT_LANGUAGE", "HTTP_ORIGIN", "HTTP_X_ORIGINAL_URL"),
        ]
    ),
    st.one_of(
        raw_text,
        st.text("bytes=0123456789-, \t", max_size=30),
        st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}(,[0-9]{0,3}-)?", fullmatch=True),
        st.from_regex(r'(W/)?"[^"]{0,9}"(, ?"x")?', fullmatch=True).map(
            lambda text: text.encode().decode("latin-1")
        ),
        st.datetimes().map(lambda time: time.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        st.sampled_from(["*", "bytes=" + "9" * 9999 + "-", "gzip", "prefetch", "9" * 9999]),
    ),
    max_size=4,
)


@given(fields, st.sampled_from(["private.bin", "public.bin"]))
@example({"HTTP_IF_MODIFIED_SINCE": "Fri, 31 Dec 9999 23:59:59 GMT"}, "private.bin")
@example({"HTTP_IF_UNMODIFIED_SINCE": "Mon, 01 Jan 0000 00:00:00 GMT"}, "private.bin")
@example({"CONTENT_TYPE": "text/plain; charset=utf-16"}, "private.bin")
@example({"HTTP_RANGE": "bytes=0-0", "HTTP_IF_RANGE": "Fri, 31 Dec 99999 23:59:59 GMT"}, "a")
@several
def test_any_header_fields_get_the_file_or_a_true_part_of_it(
    client: Client,
    storage: DatabaseStorage,
    given_fields: Mapping[str, str],
    name: str,
) -> None:
    answer = client.get(storage.url(name), **given_fields)
    body = b"".join(answer)
    allowed = {200, 206, 304, 412, 416} if name != "a" else {404}
    assert answer.status_code in allowed
    assert answer["X-Content-Type-Options"] == "nosniff"
    if answer.status_code == 200:
        assert body == CONTENT
    if answer.status_code == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/200", answer["Content-Range"])
        assert found is not None
        assert body == CONTENT[int(found[1]) : int(found[2]) + 1]
        assert body
    if answer.status_code != 304:
        assert int(answer["Content-Length"]) == len(body)


# --- redaction -----------------------------------------------------------------------------------

TOKEN = "1no.tivw00.2s0.hkt5bh5k5c.XZmujxuFqGfrpOHGW8aqd_5nly42YKbHSMAzRPOnNCc"
OTHER_TOKEN = TOKEN[::-1]


def spellings(text: str) -> st.SearchStrategy[str]:
    """Return what a client may write for a text in a query."""
    letters = [st.sampled_from([char, f"%{ord(char):02x}", f"%{ord(char):02X}"]) for char in text]
    return st.just(text) | st.tuples(*letters).map("".join)


def parameter(token: str) -> st.SearchStrategy[str]:
    return st.tuples(spellings("token"), spellings(token)).map("=".join)


#: Parameters of others; a token of ours stands in none.
others = st.text("ab%3&=;+?/[]é\u65e5~", max_size=12)


def queries(token: str) -> st.SearchStrategy[str]:
    """Return queries that hold a token, once or more."""
    return st.tuples(
        others, st.lists(parameter(token), min_size=1, max_size=3).map("&".join), others
    ).map("&".join)


def unquoted(text: str) -> str:
    """Return a text as whoever unquotes it again and again reads it."""
    while text != (text := unquote(text)):
        continue
    return text


copies = st.sampled_from(
    ["/files/a?{}", "https://testserver/files/a?{}#top", '"GET /a?{} HTTP/1.1"']
)


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
@given(query=queries(TOKEN), copy=copies, referer=queries(OTHER_TOKEN), is_nested=st.booleans())
@several
def test_no_token_is_left_anywhere_however_it_was_spelled(
    server: str, query: str, copy: str, referer: str, *, is_nested: bool
) -> None:
    if is_nested:
        referer = f"next={quote('/files/a?' + referer, safe='/')}"
    request = _REQUESTS[server](
        query,
        {"X-Original-URI": copy.format(query), "Referer": f"http://testserver/x?{referer}"},
    )
    assert TOKEN in Credentials.take(request, "a.txt")[0].query_tokens
    everywhere = [
        *request.META.items(),
        *request.headers.items(),
        *request.GET.lists(),
        request.get_full_path(),
        request.build_absolute_uri(),
        repr(request),
        getattr(request, "scope", None),
    ]
    shown = unquoted(repr(everywhere))
    assert TOKEN not in shown
    assert OTHER_TOKEN not in shown


def _wsgi(query: str, headers: dict[str, str]) -> Any:
    raw = query.encode().decode("latin-1")
    uri = {"RAW_URI": f"/files/a.txt?{raw}", "REQUEST_URI": f"/files/a.txt?{raw}"}
    fields = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    return RequestFactory().get("/files/a.txt", headers=fields, QUERY_STRING=raw, **uri)


def _asgi(query: str, headers: dict[str, str]) -> Any:
    fields = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    return AsyncRequestFactory().get("/files/a.txt", headers=fields, QUERY_STRING=query)


_REQUESTS: dict[str, Callable[[str, dict[str, str]], Any]] = {"wsgi": _wsgi, "asgi": _asgi}
