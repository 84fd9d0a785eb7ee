"""After its credentials were taken, a request holds no token."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import ResolverMatch
from pytest_django import Settings

from secure_dbstorage.exceptions import BadToken, ExpiredToken
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.links.signer import LinkSigner
from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.serving.credentials import Credentials
from tests.support.tokens import written

LONG = "1k7." + "x" * 60
KEY = b"a secret key of 32 bytes or more"

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000


def request_of(query: str, **meta: Any) -> Any:
    """Return a WSGI request with this query string."""
    return RequestFactory().get("/files/a.txt", QUERY_STRING=query, **meta)


def take(request: Any, name: str = "a.txt") -> Credentials:
    """Take what a request for a file came with."""
    credentials, left = Credentials.take(request, name)
    assert left == name
    return credentials


def tokens_of(request: Any) -> list[str]:
    """Take the tokens out of the query of a request."""
    return list(take(request).query_tokens)


def take_folder(request: Any, name: str) -> tuple[str | None, str]:
    """Take the token out of the path of a request, and return it with the name."""
    credentials, left = Credentials.take(request, name)
    return credentials.path_token, left


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
    assert tokens_of(request) == tokens
    assert request.META["QUERY_STRING"] == left


def test_a_token_is_gone_from_all_that_django_shows_of_a_request() -> None:
    request = request_of("a=1&token=SECRET&b=2")
    assert request.GET["token"] == "SECRET"
    assert tokens_of(request) == ["SECRET"]
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
    assert tokens_of(request) == []
    assert before == request.META
    assert request.GET is query_data


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI", "UNENCODED_URL"])
@pytest.mark.parametrize(
    ("query", "left"), [("token=SECRET", "/files/a.txt"), ("a=1&token=SECRET", "/files/a.txt?a=1")]
)
def test_a_token_is_gone_from_the_servers_copy(name: str, query: str, left: str) -> None:
    request = request_of(query, **{name: f"/files/a.txt?{query}"})
    take(request)
    assert request.META[name] == left


@pytest.mark.parametrize("target", ["/files/a.txt?{}", "/files/a.txt?{}#x", "x {} y"])
def test_a_copy_is_found_however_the_parameter_is_spelled(target: str) -> None:
    query = f"%74o%6Ben={LONG}"
    request = request_of(query, RAW_URI=target.format(query))
    assert tokens_of(request) == [LONG]
    assert LONG not in repr(request.META)


def test_a_copy_that_the_server_does_not_make_is_not_made_here() -> None:
    request = request_of("token=SECRET")
    take(request)
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
    assert tokens_of(request) == []
    assert request.META["HTTP_REFERER"] == left


def test_the_host_that_a_trusted_proxy_forwards_is_our_own(settings: Settings) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLOWED_HOSTS = ["files.example.com"]
    referer = "https://files.example.com/a?token=SECRET"
    request = request_of("", HTTP_REFERER=referer, HTTP_X_FORWARDED_HOST="files.example.com")
    take(request)
    assert request.META["HTTP_REFERER"] == "https://files.example.com/a"


def test_a_host_that_is_not_allowed_is_not_our_own(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["files.example.com"]
    referer = "http://testserver/a?token=THEIRS"
    request = request_of("token=T", HTTP_REFERER=referer, HTTP_HOST="testserver")
    assert tokens_of(request) == ["T"]
    assert request.META["HTTP_REFERER"] == referer


@pytest.mark.parametrize(
    "header", ["HTTP_X_ORIGINAL_URI", "HTTP_X_FORWARDED_URI", "HTTP_X_REWRITE_URL", "REQUEST_URI"]
)
@pytest.mark.parametrize("target", ["/files/a.txt?{}", "https://host/a?x=1&{}&y=2", "{}"])
def test_a_token_is_gone_from_the_copies_of_a_proxy(header: str, target: str) -> None:
    request = request_of(f"token={LONG}", **{header: target.format(f"token={LONG}")})
    assert tokens_of(request) == [LONG]
    assert LONG not in repr(request.META)


def test_headers_that_were_looked_at_before_are_clean_too() -> None:
    referer = f"http://testserver/a?token={LONG}"
    request = request_of(
        f"token={LONG}", HTTP_REFERER=referer, HTTP_X_ORIGINAL_URI=f"?token={LONG}"
    )
    assert LONG in repr(request.headers)
    take(request)
    assert LONG not in repr(request.headers)


def test_a_word_that_is_not_a_token_stays() -> None:
    request = request_of("token", HTTP_USER_AGENT="my token reader", HTTP_X_ORIGINAL_URI="/token")
    take(request)
    assert request.META["HTTP_USER_AGENT"] == "my token reader"
    assert request.META["HTTP_X_ORIGINAL_URI"] == "/token"


@pytest.mark.parametrize("host", ["TESTSERVER", "testserver:80", "ada@testserver"])
def test_our_own_host_is_known_in_each_spelling(host: str) -> None:
    request = request_of(
        "", HTTP_REFERER=f"http://{host}/a?t%6fken=SECRET", HTTP_HOST="testserver"
    )
    take(request)
    assert request.META["HTTP_REFERER"] == f"http://{host}/a"


def test_the_token_of_a_referer_is_none_of_the_request() -> None:
    referer = "http://testserver/b?token=OTHER"
    request = request_of("token=T", HTTP_REFERER=referer, HTTP_HOST="testserver")
    assert tokens_of(request) == ["T"]


FOLDER_TOKEN = "1noF-1.tivw00.2s0.hkt5bh5k5c.XZmujxuFqGfrpOHGW8aqd_5nly42YKbHSMAzRPOnNCc"


def folder_request(path: str, **meta: Any) -> Any:
    """Return a WSGI request for this path."""
    return RequestFactory().get(path, **meta)


@pytest.mark.parametrize(
    ("name", "token", "rest"),
    [
        (f"~{FOLDER_TOKEN}/a/b.txt", FOLDER_TOKEN, "a/b.txt"),
        (f"~{FOLDER_TOKEN}/a\nb", FOLDER_TOKEN, "a\nb"),
        (f"~{FOLDER_TOKEN}/", FOLDER_TOKEN, ""),
        (f"~{FOLDER_TOKEN}", FOLDER_TOKEN, ""),
        (f"{FOLDER_TOKEN}/a", None, f"{FOLDER_TOKEN}/a"),
        (f"a/~{FOLDER_TOKEN}/b", None, "a/~removed/b"),
        (f"/~{FOLDER_TOKEN}/a", None, "/~removed/a"),
        (f"%7E{FOLDER_TOKEN}/a", None, "%7Eremoved/a"),
        (f"~{FOLDER_TOKEN})/a", None, "~removed)/a"),
        ("~/a", None, "~/a"),
        ("~ada/a.txt", None, "~ada/a.txt"),
        (f"~{'x' * 80}/a.txt", None, f"~{'x' * 80}/a.txt"),
    ],
)
def test_the_token_of_a_folder_is_distinguished_from_a_name(
    name: str, token: str | None, rest: str
) -> None:
    assert take_folder(folder_request("/files/a"), name) == (token, rest)


@pytest.mark.parametrize("mark", ["~", "%7E", "%7e"])
def test_the_token_of_a_folder_is_gone_from_the_path_and_its_copies(mark: str) -> None:
    path = f"/files/{mark}{FOLDER_TOKEN}/a/b.txt"
    target = f"{path}?x=1"
    request = folder_request(
        path, RAW_URI=target, HTTP_X_ORIGINAL_URI=target, HTTP_X_SIGNED=FOLDER_TOKEN
    )
    assert FOLDER_TOKEN in repr(request.headers)
    assert take_folder(request, f"~{FOLDER_TOKEN}/a/b.txt") == (FOLDER_TOKEN, "a/b.txt")
    assert request.path == request.path_info == "/files/~removed/a/b.txt"
    assert request.META["RAW_URI"] == f"/files/{mark}removed/a/b.txt?x=1"
    assert FOLDER_TOKEN not in repr((request, request.META, request.headers))


def test_the_token_of_a_folder_is_gone_however_it_was_spelled() -> None:
    spelled = FOLDER_TOKEN.replace("1noF-1", "%31%6eo%46%2D1")
    request = folder_request("/files/", RAW_URI=f"/files/~{spelled}/a/b.txt")
    take_folder(request, f"~{FOLDER_TOKEN}/a/b.txt")
    assert request.META["RAW_URI"] == "/files/~removed/a/b.txt"


def test_the_token_of_a_folder_is_gone_from_a_referer_of_our_own_host() -> None:
    url = f"http://testserver/files/~{FOLDER_TOKEN}/a/page"
    request = request_of("", HTTP_REFERER=url, HTTP_HOST="testserver")
    assert tokens_of(request) == []
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
        assert tokens_of(request) == ["SECRET"]
        assert request.scope["query_string"] == b"a=1"
        assert request.GET.dict() == {"a": "1"}
        assert "SECRET" not in repr((request.scope, request.META, request.get_full_path()))

    def test_a_token_is_gone_from_the_scopes_referer(self) -> None:
        request = self.request_of("", referer="http://testserver/b?token=SECRET", accept="*/*")
        take(request)
        assert (b"referer", b"http://testserver/b") in request.scope["headers"]
        assert (b"accept", b"*/*") in request.scope["headers"]
        assert "SECRET" not in repr((request.scope, request.META, request.headers))

    def test_a_scope_without_a_token_is_not_touched(self) -> None:
        request = self.request_of("a=1")
        before = request.scope["query_string"]
        take(request)
        assert request.scope["query_string"] is before

    def test_a_token_is_gone_from_the_copies_of_a_proxy_in_the_scope(self) -> None:
        request = self.request_of(f"x=\u65e5&token={LONG}", x_original_uri=f"/a?token={LONG}")
        take(request)
        assert LONG not in repr((request.scope, request.META))
        assert request.GET["x"] == "\u65e5"

    def test_the_token_of_a_folder_is_gone_from_the_scope(self) -> None:
        path = f"/files/~{FOLDER_TOKEN}/a/b.txt"
        request: Any = AsyncRequestFactory().get(path, headers={"x-original-uri": path})
        request.scope["raw_path"] = path.encode()
        assert take_folder(request, path.removeprefix("/files/"))[0] == FOLDER_TOKEN
        assert request.scope["path"] == "/files/~removed/a/b.txt"
        assert request.scope["raw_path"] == b"/files/~removed/a/b.txt"
        assert FOLDER_TOKEN not in repr((request.scope, request.META, request.headers))


@pytest.mark.parametrize("path", ["/files//~{}/a", "/files/x/~{}/a", "/files/~{})/a", "/~{}%20/a"])
def test_a_token_that_an_accident_has_put_elsewhere_is_gone_too(path: str) -> None:
    request = folder_request(path.format(FOLDER_TOKEN), RAW_URI=path.format(FOLDER_TOKEN))
    token, name = take_folder(request, request.path.removeprefix("/files/"))
    assert token is None
    assert FOLDER_TOKEN not in name
    assert FOLDER_TOKEN not in repr((request, request.path, request.META))


@pytest.mark.parametrize("path", ["/files/a.txt%3Ftoken={}", "/files/a/b.txt%3Fx=1%26token={}"])
def test_the_token_of_a_query_that_was_quoted_into_the_name_is_gone(path: str) -> None:
    request = folder_request(path.format(FOLDER_TOKEN), RAW_URI=path.format(FOLDER_TOKEN))
    token, name = take_folder(request, request.path.removeprefix("/files/"))
    assert token is None
    assert name.endswith("token=removed")
    assert FOLDER_TOKEN not in repr((request, request.path, request.META))


def test_a_second_token_behind_the_first_is_gone_too() -> None:
    request = folder_request(f"/files/~{FOLDER_TOKEN}/a/~{FOLDER_TOKEN}/b.txt")
    token, name = take_folder(request, request.path.removeprefix("/files/"))
    assert (token, name) == (FOLDER_TOKEN, "a/~removed/b.txt")


def test_a_client_takes_its_own_address_out_of_nothing() -> None:
    address, host = "2001:0db8:0000:0000:0000:0000:0000:0001", "a" * 40 + ".example"
    who = {"REMOTE_ADDR": address, "HTTP_HOST": host, "HTTP_X_FORWARDED_FOR": address}
    for token in (address, host):
        request = request_of(f"token={token}", **who)
        take(request)
        assert {name: request.META[name] for name in who} == who


@pytest.mark.parametrize("field", ["HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP", "HTTP_FORWARDED"])
@pytest.mark.parametrize(
    "told",
    [
        "2001:0db8:0000:0000:0000:0000:0000:0001",
        "[2001:0db8:0000:0000:0000:0000:0000:0001]:443",
        'for="[2001:db8::1:2]";proto=https;host=example.com',
    ],
)
def test_what_a_proxy_tells_of_a_client_is_not_removed(field: str, told: str) -> None:
    request = request_of(f"token={told}", **{field: told})
    take(request)
    assert request.META[field] == told


@pytest.mark.parametrize("header", ["HTTP_X_AUTH_REQUEST_REDIRECT", "HTTP_COOKIE", "HTTP_X_ANY"])
@pytest.mark.parametrize("copy", ["/f%3Ftoken%3D{}", "/f?%74oken={}", "next={}"])
def test_a_token_of_a_query_is_gone_however_a_proxy_copied_it(header: str, copy: str) -> None:
    request = request_of(f"token={LONG}", **{header: copy.format(LONG)})
    take(request)
    assert LONG not in repr(request.META)


def test_the_shortest_token_of_another_link_is_removed() -> None:
    shortest = f"1no.0.0.0.{'x' * 43}"
    request = request_of("", HTTP_X_ANY=shortest)
    take(request)
    assert request.META["HTTP_X_ANY"] == "removed"


def test_a_scope_whose_raw_path_is_not_known_is_cleaned() -> None:
    path = f"/files/~{FOLDER_TOKEN}/a/b.txt"
    request: Any = AsyncRequestFactory().get(path)
    request.scope["raw_path"] = None
    assert take_folder(request, path.removeprefix("/files/"))[0] == FOLDER_TOKEN
    assert FOLDER_TOKEN not in repr(request.scope)


def test_taken_tokens_are_not_shown_by_accident() -> None:
    request = folder_request(f"/files/~{FOLDER_TOKEN}/a", QUERY_STRING=f"token={LONG}")
    credentials, _ = Credentials.take(request, f"~{FOLDER_TOKEN}/a")
    assert (credentials.path_token, credentials.query_tokens) == (FOLDER_TOKEN, (LONG,))
    shown = repr((credentials, credentials.return_path))
    assert FOLDER_TOKEN not in shown
    assert LONG not in shown


def test_a_token_is_gone_from_the_match_of_the_route() -> None:
    name = f"~{FOLDER_TOKEN}/a"
    request = folder_request(f"/files/{name}", QUERY_STRING=f"token={FOLDER_TOKEN}")
    request.resolver_match = ResolverMatch(
        print, (), {"name": name, "storage": "default"}, captured_kwargs={"name": name}
    )
    Credentials.take(request, name)
    match = request.resolver_match
    assert match.kwargs == {"name": "~removed/a", "storage": "default"}
    assert match.captured_kwargs == {"name": "~removed/a"}
    assert FOLDER_TOKEN not in repr((match, request.META, request.GET))


# The grants of credentials

SIGNER = LinkSigner([KEY], namespace="")
NOBODY = Audience()
GRANT = Grant(link_epoch=7, issued=NOW, lifetime=60)


def read(query: str, name: str = "a.txt", *, now: int = NOW) -> Grant | None:
    """Return what a request with this query grants for the name that its route found."""
    credentials, name = Credentials.take(request_of(query), name)
    if not credentials.has_token:
        return None
    return credentials.read(name, SIGNER, NOBODY, max_lifetime=3600, now=now)


def test_a_request_without_a_token_has_no_grant() -> None:
    assert read("x=1") is None


def test_a_token_of_the_query_grants_a_file() -> None:
    grant = read(f"x=1&token={written('a.txt', GRANT, key=KEY)}")
    assert grant is not None
    assert (grant.link_epoch, grant.folder) == (7, None)


def test_a_token_of_the_path_grants_the_files_of_a_folder() -> None:
    token = written("", replace(GRANT, folder="a"), key=KEY)
    grant = read("", f"~{token}/a/b.txt")
    assert grant is not None
    assert (grant.link_epoch, grant.folder) == (7, "a")


def test_a_token_in_the_place_of_the_other_grants_nothing() -> None:
    of_file, of_folder = (
        written("a/b.txt", grant, key=KEY) for grant in (GRANT, replace(GRANT, folder="a"))
    )
    with pytest.raises(BadToken):
        read(f"token={of_folder}", "a/b.txt")
    with pytest.raises(BadToken):
        read("", f"~{of_file}/a/b.txt")


def test_more_than_one_token_is_an_error() -> None:
    of_file, of_folder = (
        written("a/b.txt", grant, key=KEY) for grant in (GRANT, replace(GRANT, folder="a"))
    )
    for query, name in (
        (f"token={of_file}&token={of_file}", "a/b.txt"),
        (f"token={of_file}&token=", "a/b.txt"),
        (f"token={of_file}", f"~{of_folder}/a/b.txt"),
        ("token", f"~{of_folder}/a/b.txt"),
    ):
        with pytest.raises(BadToken, match="more than one"):
            read(query, name)


@pytest.mark.parametrize("query", ["token", "token=", "token=x"])
def test_an_empty_token_is_a_bad_one(query: str) -> None:
    with pytest.raises(BadToken) as caught:
        read(query)
    assert caught.type is BadToken


def test_the_error_of_an_expired_token_names_the_link() -> None:
    token = written("a.txt", GRANT, key=KEY)
    with pytest.raises(ExpiredToken) as caught:
        read(f"token={token}", now=NOW + 60)
    assert caught.value.grant.link_id == token.rpartition(".")[2][:8]


@pytest.mark.parametrize(
    ("path", "query", "return_path"),
    [
        ("/files/a.txt", "", "/files/a.txt"),
        ("/files/a.txt", "x=1&token=T&y=é", "/files/a.txt?x=1&token=T&y=%C3%A9"),
        ("/files/a%20b%23%3F.txt", "token=T", "/files/a%20b%23%3F.txt?token=T"),
        (f"/files/~{FOLDER_TOKEN}/a", "token=%54", f"/files/~{FOLDER_TOKEN}/a?token=%54"),
    ],
)
def test_the_return_path_is_the_url_that_was_asked_for(
    path: str, query: str, return_path: str
) -> None:
    request = folder_request(path, QUERY_STRING=query)
    credentials, _ = Credentials.take(request, request.path.removeprefix("/files/"))
    assert credentials.return_path == return_path
    assert repr(credentials.return_path) == "<signed>"
