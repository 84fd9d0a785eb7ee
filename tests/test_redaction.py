"""After a look at its tokens, a request has none."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import AsyncRequestFactory, RequestFactory
from pytest_django import Settings

from secure_dbstorage.redaction import TokenFilter, take_folder_token, take_tokens
from tests.servers.nginx import NginxServer
from tests.support.http_client import fetch

ROOT = Path(__file__).parent.parent

LONG = "1k7." + "x" * 60


def request_of(query: str, **meta: str) -> Any:
    """Return a WSGI request with this query string."""
    return RequestFactory().get("/files/a.txt", QUERY_STRING=query, **meta)


@pytest.mark.parametrize(
    ("query", "tokens", "left"),
    [
        ("", [], ""),
        ("token=T", ["T"], ""),
        ("token=", [""], ""),
        ("token", [""], ""),
        ("token=T&token=U", ["T", "U"], ""),
        ("token=T&token=T", ["T", "T"], ""),
        ("utm_source=mail&token=T&x=1", ["T"], "utm_source=mail&x=1"),
        ("%74oken=T", ["T"], ""),
        ("t%6Fken=T&a", ["T"], "a"),
        ("token=%54", ["T"], ""),
        ("token=a+b", ["a b"], ""),
        ("token=%ff", ["\ufffd"], ""),
        ("a=%41+&b;c&&token=T&d=é", ["T"], "a=%41+&b;c&&d=é"),
        ("token[]=T", [], "token[]=T"),
        ("Token=T", [], "Token=T"),
        ("xtoken=T&tokens=T", [], "xtoken=T&tokens=T"),
        ("a=token=T", [], "a=token=T"),
        ("a=1;token=T", [], "a=1;token=T"),
        ("&&", [], "&&"),
        ("token=T&&", ["T"], "&"),
        ("=token", [], "=token"),
    ],
)
def test_tokens_are_taken_and_the_rest_is_left_as_it_was(
    query: str, tokens: list[str], left: str
) -> None:
    request = request_of(query)
    assert take_tokens(request) == tokens
    assert request.META["QUERY_STRING"] == left


def test_a_token_is_gone_from_what_django_shows_of_a_request() -> None:
    request = request_of("a=1&token=SECRET&b=2")
    assert request.GET["token"] == "SECRET"
    assert take_tokens(request) == ["SECRET"]
    assert request.GET.dict() == {"a": "1", "b": "2"}
    assert request.get_full_path() == "/files/a.txt?a=1&b=2"
    assert request.build_absolute_uri() == "http://testserver/files/a.txt?a=1&b=2"
    assert "SECRET" not in repr(request)
    assert "SECRET" not in repr(request.META)


def test_without_a_token_nothing_is_touched() -> None:
    target = "/files/a.txt?a=token"
    request = request_of("a=token", RAW_URI=target)
    query_data = request.GET
    before = dict(request.META)
    assert take_tokens(request) == []
    assert before == request.META
    assert request.GET is query_data


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI", "UNENCODED_URL"])
@pytest.mark.parametrize(
    ("query", "left"), [("token=SECRET", "/files/a.txt"), ("a=1&token=SECRET", "/files/a.txt?a=1")]
)
def test_a_token_is_gone_from_the_servers_copy(name: str, query: str, left: str) -> None:
    request = request_of(query, **{name: f"/files/a.txt?{query}"})
    take_tokens(request)
    assert request.META[name] == left


@pytest.mark.parametrize("target", ["/files/a.txt?{}", "/files/a.txt?{}#x", "x {} y"])
def test_a_copy_is_found_however_the_parameter_is_spelled(target: str) -> None:
    query = f"%74o%6Ben={LONG}"
    request = request_of(query, RAW_URI=target.format(query))
    assert take_tokens(request) == [LONG]
    assert LONG not in repr(request.META)


def test_a_copy_that_the_server_does_not_make_is_not_made_here() -> None:
    request = request_of("token=SECRET")
    take_tokens(request)
    assert not {"RAW_URI", "REQUEST_URI", "UNENCODED_URL"} & request.META.keys()


@pytest.mark.parametrize(
    ("referer", "left"),
    [
        ("http://testserver/files/a.pdf?token=SECRET", "http://testserver/files/a.pdf"),
        ("http://testserver/a?b=1&token=SECRET&c", "http://testserver/a?b=1&c"),
        ("https://testserver/a?token=SECRET#page=2", "https://testserver/a"),
        (
            "https://testserver/in/?next=/a%3Ftoken%3DSECRET&x=1",
            "https://testserver/in/?next=/a%3Ftoken%3Dremoved&x=1",
        ),
        ("http://testserver/token", "http://testserver/token"),
        ("http://testserver/a?b=1", "http://testserver/a?b=1"),
        ("http://other/a?token=THEIRS", "http://other/a?token=THEIRS"),
        ("http://[broken/?token=x", "http://[broken/?token=x"),
        ("", ""),
    ],
)
def test_a_token_is_gone_from_a_referer_of_our_own_host(referer: str, left: str) -> None:
    request = request_of("", HTTP_REFERER=referer, HTTP_HOST="testserver")
    assert take_tokens(request) == []
    assert request.META["HTTP_REFERER"] == left


def test_the_host_that_a_trusted_proxy_forwards_is_our_own(settings: Settings) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLOWED_HOSTS = ["files.example.com"]
    referer = "https://files.example.com/a?token=SECRET"
    request = request_of("", HTTP_REFERER=referer, HTTP_X_FORWARDED_HOST="files.example.com")
    take_tokens(request)
    assert request.META["HTTP_REFERER"] == "https://files.example.com/a"


def test_a_host_that_is_not_allowed_is_not_our_own(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["files.example.com"]
    referer = "http://testserver/a?token=THEIRS"
    request = request_of("token=T", HTTP_REFERER=referer, HTTP_HOST="testserver")
    assert take_tokens(request) == ["T"]
    assert request.META["HTTP_REFERER"] == referer


@pytest.mark.parametrize(
    "header", ["HTTP_X_ORIGINAL_URI", "HTTP_X_FORWARDED_URI", "HTTP_X_REWRITE_URL", "REQUEST_URI"]
)
@pytest.mark.parametrize("target", ["/files/a.txt?{}", "https://host/a?x=1&{}&y=2", "{}"])
def test_a_token_is_gone_from_the_copies_of_a_proxy(header: str, target: str) -> None:
    request = request_of(f"token={LONG}", **{header: target.format(f"token={LONG}")})
    assert take_tokens(request) == [LONG]
    assert LONG not in repr(request.META)


def test_headers_that_were_looked_at_before_are_clean_too() -> None:
    referer = f"http://testserver/a?token={LONG}"
    request = request_of(
        f"token={LONG}", HTTP_REFERER=referer, HTTP_X_ORIGINAL_URI=f"?token={LONG}"
    )
    assert LONG in repr(request.headers)
    take_tokens(request)
    assert LONG not in repr(request.headers)


def test_a_word_that_is_no_token_stays_where_it_is() -> None:
    request = request_of("token", HTTP_USER_AGENT="my token reader", HTTP_X_ORIGINAL_URI="/token")
    take_tokens(request)
    assert request.META["HTTP_USER_AGENT"] == "my token reader"
    assert request.META["HTTP_X_ORIGINAL_URI"] == "/token"


@pytest.mark.parametrize("host", ["TESTSERVER", "testserver:80", "ada@testserver"])
def test_our_own_host_is_known_in_each_spelling(host: str) -> None:
    request = request_of(
        "", HTTP_REFERER=f"http://{host}/a?t%6fken=SECRET", HTTP_HOST="testserver"
    )
    take_tokens(request)
    assert request.META["HTTP_REFERER"] == f"http://{host}/a"


def test_the_token_of_a_referer_is_none_of_the_request() -> None:
    referer = "http://testserver/b?token=OTHER"
    request = request_of("token=T", HTTP_REFERER=referer, HTTP_HOST="testserver")
    assert take_tokens(request) == ["T"]


FOLDER_TOKEN = "1no-1.tivw00.2s0.hkt5bh5k5c.XZmujxuFqGfrpOHGW8aqd_5nly42YKbHSMAzRPOnNCc"


def folder_request(path: str, **meta: str) -> Any:
    """Return a WSGI request for this path."""
    return RequestFactory().get(path, **meta)


@pytest.mark.parametrize(
    ("name", "token", "rest"),
    [
        (f"~{FOLDER_TOKEN}/a/b.txt", FOLDER_TOKEN, "a/b.txt"),
        (f"~{FOLDER_TOKEN}/a\nb", FOLDER_TOKEN, "a\nb"),
        (f"~{FOLDER_TOKEN}/", FOLDER_TOKEN, ""),
        (f"~{FOLDER_TOKEN}", FOLDER_TOKEN, ""),
        (f"{FOLDER_TOKEN}/a", "", f"{FOLDER_TOKEN}/a"),
        (f"a/~{FOLDER_TOKEN}/b", "", "a/~removed/b"),
        (f"/~{FOLDER_TOKEN}/a", "", "/~removed/a"),
        (f"%7E{FOLDER_TOKEN}/a", "", "%7Eremoved/a"),
        (f"~{FOLDER_TOKEN})/a", "", "~removed)/a"),
        ("~/a", "", "~/a"),
        ("~ada/a.txt", "", "~ada/a.txt"),
        (f"~{'x' * 80}/a.txt", "", f"~{'x' * 80}/a.txt"),
    ],
)
def test_the_token_of_a_folder_is_told_from_a_name(name: str, token: str, rest: str) -> None:
    assert take_folder_token(folder_request("/files/a"), name) == (token, rest)


@pytest.mark.parametrize("mark", ["~", "%7E", "%7e"])
def test_the_token_of_a_folder_is_gone_from_the_path_and_its_copies(mark: str) -> None:
    path = f"/files/{mark}{FOLDER_TOKEN}/a/b.txt"
    target = f"{path}?x=1"
    request = folder_request(
        path, RAW_URI=target, HTTP_X_ORIGINAL_URI=target, HTTP_X_SIGNED=FOLDER_TOKEN
    )
    assert FOLDER_TOKEN in repr(request.headers)
    assert take_folder_token(request, f"~{FOLDER_TOKEN}/a/b.txt") == (FOLDER_TOKEN, "a/b.txt")
    assert request.path == request.path_info == "/files/~removed/a/b.txt"
    assert request.META["RAW_URI"] == f"/files/{mark}removed/a/b.txt?x=1"
    assert FOLDER_TOKEN not in repr((request, request.META, request.headers))


def test_the_token_of_a_folder_is_gone_however_it_was_spelled() -> None:
    spelled = FOLDER_TOKEN.replace("1no-1", "%31%6eo%2D1")
    request = folder_request("/files/", RAW_URI=f"/files/~{spelled}/a/b.txt")
    take_folder_token(request, f"~{FOLDER_TOKEN}/a/b.txt")
    assert request.META["RAW_URI"] == "/files/~removed/a/b.txt"


def test_the_token_of_a_folder_is_gone_from_a_referer_of_our_own_host() -> None:
    url = f"http://testserver/files/~{FOLDER_TOKEN}/a/page"
    request = request_of("", HTTP_REFERER=url, HTTP_HOST="testserver")
    assert take_tokens(request) == []
    assert request.META["HTTP_REFERER"] == "http://testserver/files/~removed/a/page"


class TestASGI:
    """The scope of an ASGI server, from which its access log is written."""

    @staticmethod
    def request_of(query: str, **headers: str) -> ASGIRequest:
        """Return an ASGI request with this query string."""
        return AsyncRequestFactory().get(f"/files/a.txt?{query}", headers=headers)

    def test_a_token_is_gone_from_the_scope(self) -> None:
        request = self.request_of("a=1&token=SECRET")
        assert request.GET["token"] == "SECRET"
        assert take_tokens(request) == ["SECRET"]
        assert request.scope["query_string"] == b"a=1"
        assert request.GET.dict() == {"a": "1"}
        assert "SECRET" not in repr((request.scope, request.META, request.get_full_path()))

    def test_a_token_is_gone_from_the_scopes_referer(self) -> None:
        request = self.request_of("", referer="http://testserver/b?token=SECRET", accept="*/*")
        take_tokens(request)
        assert (b"referer", b"http://testserver/b") in request.scope["headers"]
        assert (b"accept", b"*/*") in request.scope["headers"]
        assert "SECRET" not in repr((request.scope, request.META, request.headers))

    def test_a_scope_without_a_token_is_not_touched(self) -> None:
        request = self.request_of("a=1")
        before = request.scope["query_string"]
        take_tokens(request)
        assert request.scope["query_string"] is before

    def test_a_token_is_gone_from_the_copies_of_a_proxy_in_the_scope(self) -> None:
        request = self.request_of(f"x=\u65e5&token={LONG}", x_original_uri=f"/a?token={LONG}")
        take_tokens(request)
        assert LONG not in repr((request.scope, request.META))
        assert request.GET["x"] == "\u65e5"

    def test_the_token_of_a_folder_is_gone_from_the_scope(self) -> None:
        path = f"/files/~{FOLDER_TOKEN}/a/b.txt"
        request = AsyncRequestFactory().get(path, headers={"x-original-uri": path})
        request.scope["raw_path"] = path.encode()
        assert take_folder_token(request, path.removeprefix("/files/"))[0] == FOLDER_TOKEN
        assert request.scope["path"] == "/files/~removed/a/b.txt"
        assert request.scope["raw_path"] == b"/files/~removed/a/b.txt"
        assert FOLDER_TOKEN not in repr((request.scope, request.META, request.headers))


# The logging filter


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /files/a.pdf?token=SECRET HTTP/1.1", "GET /files/a.pdf?token=removed HTTP/1.1"),
        ("/a?x=1&token=SECRET&y=2", "/a?x=1&token=removed&y=2"),
        ("/a?%74oken=SECRET", "/a?%74oken=removed"),
        ("/a?TOKEN=SECRET#top", "/a?TOKEN=removed#top"),
        ('"https://example.com/a?token=SECRET"', '"https://example.com/a?token=removed"'),
        ("/in/?next=/a%3Ftoken%3DSECRET HTTP/1.1", "/in/?next=/a%3Ftoken%3Dremoved HTTP/1.1"),
        ("/in/?next=%2Fa%3fx%3d1%26token%3dSECRET", "/in/?next=%2Fa%3fx%3d1%26token%3dremoved"),
        ("/in/?n=%252Fa%253Ft%25256Fken%253DSECRET", "/in/?n=%252Fa%253Ft%25256Fken%253Dremoved"),
        ("/a?mytoken=kept", "/a?mytoken=kept"),
        (f"GET /files/~{FOLDER_TOKEN}/a/b.ts HTTP/1.1", "GET /files/~removed/a/b.ts HTTP/1.1"),
        (f"/files/%7e{FOLDER_TOKEN}/a?x", "/files/%7eremoved/a?x"),
        (f"/in/?next=%2Ffiles%2F%7E{FOLDER_TOKEN}/a", "/in/?next=%2Ffiles%2F%7Eremoved/a"),
        ("/~ada/a.txt", "/~ada/a.txt"),
        ("/a?next=%3Dtoken%3Dkept", "/a?next=%3Dtoken%3Dkept"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_a_filter_takes_tokens_out_of_what_is_logged(
    text: str, clean: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("tests.access")
    token_filter = TokenFilter()
    logger.addFilter(token_filter)
    try:
        logger.warning("%s %d", text, 200)
    finally:
        logger.removeFilter(token_filter)
    assert caplog.messages[0] == f"{clean} 200"


def test_a_filter_cleans_the_atoms_of_gunicorn() -> None:
    from gunicorn.glogging import SafeAtoms

    atoms = SafeAtoms({"r": "GET /a?token=SECRET HTTP/1.1", "s": "200", "f": "-"})
    record = logging.LogRecord("gunicorn.access", 20, "", 0, "%(r)s %(s)s %(x)s", (atoms,), None)
    assert TokenFilter().filter(record)
    assert record.getMessage() == "GET /a?token=removed HTTP/1.1 200 -"


def test_the_nginx_of_the_example_knows_the_tokens_of_folders(
    nginx: Callable[..., NginxServer],
) -> None:
    example = (ROOT / "example" / "deploy" / "nginx.conf").read_text()
    before_servers = example.partition("server {")[0]
    (logged,) = re.findall(r"log_format without_token '(.+)'", before_servers)
    assert not {"$request ", "$request_uri", "$args", "$http_referer"} & set(logged.split('"'))
    assert re.findall(r"\$uri\w*", logged) == ["$uri_without_token"]
    front = nginx(
        "location / { add_header X-Logged $uri_without_token; return 204; }", http=before_servers
    )
    for path, shown in (
        (f"/files/~{FOLDER_TOKEN}/a/b.ts?x=1", "/files/~removed/a/b.ts"),
        (f"/files/%7E{FOLDER_TOKEN}/a", "/files/~removed/a"),
        ("/~ada/a.txt", "/~ada/a.txt"),
    ):
        assert fetch(front.port, path).head.all("x-logged") == [shown]


@pytest.mark.parametrize("path", ["/files//~{}/a", "/files/x/~{}/a", "/files/~{})/a", "/~{}%20/a"])
def test_a_token_that_an_accident_has_put_elsewhere_is_gone_too(path: str) -> None:
    request = folder_request(path.format(FOLDER_TOKEN), RAW_URI=path.format(FOLDER_TOKEN))
    token, name = take_folder_token(request, request.path.removeprefix("/files/"))
    assert token == ""
    assert FOLDER_TOKEN not in name
    assert FOLDER_TOKEN not in repr((request, request.path, request.META))


@pytest.mark.parametrize("header", ["HTTP_X_AUTH_REQUEST_REDIRECT", "HTTP_COOKIE", "HTTP_X_ANY"])
@pytest.mark.parametrize("copy", ["/f%3Ftoken%3D{}", "/f?%74oken={}", "next={}"])
def test_a_token_of_a_query_is_gone_however_a_proxy_copied_it(header: str, copy: str) -> None:
    request = request_of(f"token={LONG}", **{header: copy.format(LONG)})
    take_tokens(request)
    assert LONG not in repr(request.META)


def test_a_scope_whose_raw_path_is_not_known_is_cleaned() -> None:
    path = f"/files/~{FOLDER_TOKEN}/a/b.txt"
    request = AsyncRequestFactory().get(path)
    request.scope["raw_path"] = None
    assert take_folder_token(request, path.removeprefix("/files/"))[0] == FOLDER_TOKEN
    assert FOLDER_TOKEN not in repr(request.scope)


def test_what_is_taken_is_not_shown_by_accident() -> None:
    request = folder_request(f"/files/~{FOLDER_TOKEN}/a", QUERY_STRING=f"token={LONG}")
    taken = take_folder_token(request, f"~{FOLDER_TOKEN}/a")[0], take_tokens(request)
    assert taken == (FOLDER_TOKEN, [LONG])
    assert FOLDER_TOKEN not in repr(taken)
    assert LONG not in repr(taken)


def test_a_filter_escapes_no_value_a_second_time() -> None:
    from gunicorn.glogging import SafeAtoms

    atoms = SafeAtoms({"a": 'x" 200 "injected', "q": "token=SECRET"})
    record = logging.LogRecord("gunicorn.access", 20, "", 0, "%(a)s %(q)s", (atoms,), None)
    before = str(atoms["a"])
    assert TokenFilter().filter(record)
    assert record.getMessage() == f"{before} token=removed"


def test_a_filter_takes_any_mapping_and_any_object() -> None:
    class Atoms(dict[str, str]):
        """hypercorn's asks for more than its values."""

        def __init__(self, request: object, response: object) -> None:
            """Have one value."""
            super().__init__(r=f"{request} {response}")

    record = logging.LogRecord("a", 20, "", 0, "%(r)s", (Atoms("/a?token=SECRET", 1),), None)
    assert TokenFilter().filter(record)
    assert record.getMessage() == "/a?token=removed 1"
    request = request_of(f"token={LONG}")
    record = logging.LogRecord("a", 20, "", 0, "%s %d %s", (request, 7, None), None)
    assert TokenFilter().filter(record)
    assert LONG not in record.getMessage()
