"""Texts, and the records of logs, without tokens."""

import logging
import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import RequestFactory

from secure_dbstorage.redaction import TokenFilter, without_tokens
from tests.servers import places
from tests.servers.nginx import NginxServer
from tests.support.http_client import fetch

ROOT = Path(__file__).parent.parent

TOKEN = "1k7." + "x" * 60
FOLDER_TOKEN = "1noF-1.tivw00.2s0.hkt5bh5k5c.XZmujxuFqGfrpOHGW8aqd_5nly42YKbHSMAzRPOnNCc"


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
        ("b'token=SECRET'", "b'token=removed'"),
        ('{"query": "token=SECRET"}', '{"query": "token=removed"}'),
        ("/a?x=1&amp;token=SECRET", "/a?x=1&amp;token=removed"),
        ("/a?mytoken=kept", "/a?mytoken=kept"),
        (f"GET /files/~{FOLDER_TOKEN}/a/b.ts HTTP/1.1", "GET /files/~removed/a/b.ts HTTP/1.1"),
        (f"/files/%7e{FOLDER_TOKEN}/a?x", "/files/%7eremoved/a?x"),
        (f"/in/?next=%2Ffiles%2F%7E{FOLDER_TOKEN}/a", "/in/?next=%2Ffiles%2F%7Eremoved/a"),
        ("/~ada/a.txt", "/~ada/a.txt"),
        (f"Cookie: after={FOLDER_TOKEN}; a=1", "Cookie: after=removed; a=1"),
        (f"Bearer eyJ0eXAiOiJKV1Qi.eyJ1IjoxMab.{'A' * 43}",) * 2,
        ("/a?next=%3Dtoken%3Dkept", "/a?next=%3Dtoken%3Dkept"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_a_filter_removes_tokens_from_log_records(
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


def quoted(text: str, *, times: int = 1) -> str:
    """Return a text with every character quoted for a URL, so many times."""
    percent = "%" + "25" * (times - 1)
    return "".join(f"{percent}{ord(char):02x}" for char in text)


#: A path that has a token, and what is left of it. Both are templates.
PATHS = [
    ("/files/~{}/a/b.ts", "/files/~removed/a/b.ts"),
    ("/files/%7E{}/a", "/files/{mark}removed/a"),
    ("/files/x~{}/a", "/files/x~removed/a"),
    ("/~{}", "/~removed"),
]

#: How clients spell a token.
SPELLINGS: list[Callable[[str], str]] = [
    str,
    quoted,
    lambda token: quoted(token, times=2),
    lambda token: quoted(token[:5]) + token[5:],
    lambda token: token.replace(".", "%2E").replace("-", "%252d"),
]

#: A token of each purpose that there can be.
TOKENS = [FOLDER_TOKEN.replace("F-1", letter) for letter in ("", *string.ascii_uppercase)]


@pytest.mark.parametrize("token", [*TOKENS, FOLDER_TOKEN, "1noZ.0.0.0." + "x" * 43])
def test_a_filter_knows_tokens_of_every_purpose_in_every_spelling(token: str) -> None:
    for path, left in PATHS:
        for spelled in SPELLINGS:
            shown = left.format(mark="%7E")
            assert without_tokens(f"GET {path.format(spelled(token))}") == f"GET {shown}"
    assert without_tokens(f"/a?token={token}&x=1") == "/a?token=removed&x=1"


def test_the_nginx_of_the_example_knows_tokens_of_every_purpose_in_every_spelling(
    nginx: Callable[..., NginxServer],
) -> None:
    example = (ROOT / "example" / "deploy" / "nginx.conf").read_text()
    before_servers = example.partition("server {")[0]
    (logged,) = re.findall(r"log_format without_token '(.+)'", before_servers)
    assert not {"$request ", "$request_uri", "$args", "$http_referer"} & set(logged.split('"'))
    assert re.findall(r"\$uri\w*", logged) == ["$uri_without_token"]
    front = nginx(
        "access_log {directory}/shown without_token; location /quiet { return 204; } "
        "location / { add_header X-Logged $uri_without_token; return 204; }",
        http=before_servers,
    )
    for path, shown in (
        (f"/files/~{FOLDER_TOKEN}/a/b.ts?x=1", "/files/~removed/a/b.ts"),
        (f"/files/%7E{FOLDER_TOKEN}/a", "/files/~removed/a"),
        (f"/files/%257e{FOLDER_TOKEN}/a", "/files/%7eremoved/a"),
        (f"/files//.///~{FOLDER_TOKEN}//a", "/files/~removed/a"),
        (f"/~{FOLDER_TOKEN}/x/~{FOLDER_TOKEN}/a", "/~removed/x/"),
        (f"/~{FOLDER_TOKEN}~{FOLDER_TOKEN}/a", "/~removed"),
        (f"/files/{'x/' * 1000}~{FOLDER_TOKEN}/a", f"/files/{'x/' * 1000}~removed/a"),
        ("/~ada/a.txt", "/~ada/a.txt"),
        *(
            (path.format(spelled(token)), left.format(mark="~"))
            for token in TOKENS
            for path, left in PATHS
            for spelled in SPELLINGS
        ),
    ):
        (logged, *_) = fetch(front.port, path).head.all("x-logged")
        assert logged == shown
    assert fetch(front.port, f"/quiet%0A/~{FOLDER_TOKEN}/a").head.status == 204
    (log,) = places.DIRECTORY.glob("nginx-*/shown")
    lines = log.read_text()
    assert "/quiet\\x0A/~removed/a" in lines
    assert FOLDER_TOKEN[-43:] not in lines


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
    request = RequestFactory().get("/files/a.txt", QUERY_STRING=f"token={TOKEN}")
    record = logging.LogRecord("a", 20, "", 0, "%s %d %s", (request, 7, None), None)
    assert TokenFilter().filter(record)
    assert TOKEN not in record.getMessage()


def test_a_text_is_cleaned_of_tokens_of_both_kinds() -> None:
    text = f"/files/~{FOLDER_TOKEN}/a?token={TOKEN}"
    assert without_tokens(text) == "/files/~removed/a?token=removed"
