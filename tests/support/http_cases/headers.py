"""Header fields of requests, odd ones among them."""

from tests.support.http_cases.answers import (
    MISSING,
    MISSING_PROBLEM,
    NOT_OURS_400,
    Case,
    ask,
    part,
    problem,
    whole,
)
from tests.support.http_cases.targets import (
    CHUNKED,
    GOOD,
    NAME,
    NOT_CHANGED,
    OPENED,
    SECRET,
    SECRET_URL,
    TAG,
    URL,
    WHOLE,
)

_OVER = f"sessionid={'0' * 32}; csrftoken={'a' * 32}"
_JSON = "application/json, text/plain, */*"
_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

CASES = [
    Case(
        "a giant X-Forwarded-For",
        ask(URL, X_Forwarded_For=", ".join(f"10.0.{n}.1" for n in range(256))),
        WHOLE,
    ),
    *(
        Case(f"X-Forwarded-For: {value[:30]}", ask(URL, X_Forwarded_For=value), WHOLE)
        for value in ("", ",", "unknown", "999.1.1.1", "[::1", "1.2.3.4:555", "'; DROP TABLE", "é")
    ),
    *(
        Case(f"Host, not known: {host!r}", ask(URL, Host=host), NOT_OURS_400)
        for host in ("evil.example", "a b", "127.0.0.1:x", "127.0.0.1/..", "[::1", "")
    ),
    Case("X-Forwarded-Host is not believed", ask(URL, X_Forwarded_Host="evil.example"), WHOLE),
    Case(
        "a Referer of ours with a token",
        ask(
            URL,
            Host="testserver",
            Referer=f"http://testserver{SECRET_URL}?token={{signed[{SECRET}]}}",
        ),
        WHOLE,
    ),
    Case("a Referer that is none", ask(URL, Referer="http://[::1?token=x"), WHOLE),
    Case("a Referer in bytes", ask(URL, Referer=b"http://x/\xff?token=\xff"), WHOLE),
    *(
        Case(f"Accept-Encoding of {name}", ask(target, Accept_Encoding="gzip, br"), expected)
        for name, target, expected in (
            ("a long text", "/files/open/long.txt", whole("open/long.txt")),
            ("a text of chunks", f"/files/{CHUNKED}", whole(CHUNKED)),
            (
                "a private text",
                "/files/closed/long.txt?token={signed[closed/long.txt]}",
                whole("closed/long.txt", signed=True),
            ),
            ("a refusal", "/files/nothing", MISSING),
            ("a packed file", "/files/open/packed.tar.gz", whole("open/packed.tar.gz")),
        )
    ),
    Case(
        "Accept-Encoding of a part",
        ask("/files/open/long.txt", Accept_Encoding="gzip", Range="bytes=0-999"),
        part("open/long.txt", 0, 999),
    ),
    Case(
        "Accept-Encoding of a part across chunks",
        ask(f"/files/{CHUNKED}", Accept_Encoding="gzip", Range="bytes=4000-9000"),
        part(CHUNKED, 4000, 9000),
    ),
    Case(
        "Accept-Encoding and If-None-Match",
        ask(URL, Accept_Encoding="gzip", If_None_Match=TAG),
        NOT_CHANGED,
    ),
    Case("Accept-Encoding in a HEAD", ask(URL, "HEAD", Accept_Encoding="gzip"), WHOLE),
    Case("Accept asks for another type", ask(URL, Accept="application/json"), WHOLE),
    *(
        Case(f"Accept prefers JSON, and {name}", ask(target, method, Accept=accept), expected)
        for name, method, target, accept, expected in (
            ("a file is missing", "GET", "/files/nothing", _JSON, MISSING_PROBLEM),
            ("so in a HEAD", "HEAD", "/files/nothing", _JSON, MISSING_PROBLEM),
            ("a file is private", "GET", SECRET_URL, _JSON, MISSING_PROBLEM),
            ("a token is bad", "GET", f"{URL}?token=bad", _JSON, problem(403, "bad-token")),
            ("a browser does not", "GET", "/files/nothing", _BROWSER, MISSING),
            ("a script does not care", "GET", "/files/nothing", "*/*", MISSING),
        )
    ),
    *(
        Case(f"a session that is over, and {name}", ask(target, Cookie=_OVER), expected)
        for name, target, expected in (
            ("a public file", URL, WHOLE),
            ("a private file", GOOD, OPENED),
            ("a refusal", "/files/nothing", MISSING),
        )
    ),
    Case(
        "a session that is none: SessionMiddleware may not delete its cookie in what caches share",
        ask(URL, Cookie="sessionid=x"),
        whole(NAME, vary="Cookie"),
    ),
    Case("Authorization is not ours", ask(SECRET_URL, Authorization="Bearer x"), MISSING),
    Case("a token in a header is none", ask(SECRET_URL, Token="x", X_Token="x"), MISSING),
]
