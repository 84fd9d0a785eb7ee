"""Requests that nobody sends by accident, made from a seed, and a judge of the answers.

The schema of a file's URL is small, so requests are spelled as bytes: the interesting ones are
those that no client library would send.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from tests.support.http_client import Answer

#: The statuses that a server may answer with before it asks Django.
_SERVERS_OWN = {400, 404, 405, 408, 411, 413, 414, 417, 421, 426, 431, 501, 505}

#: The statuses of our view. Any other under its path comes from Django or a hook.
_OURS = {200, 206, 304, 403, 405, 412, 416, 429}

#: Where a visitor may be sent: to sign in, and to the same host by https.
_LOCATION = re.compile(r"/sign-in/$|https://127\.0\.0\.1/")

#: What keeps a public file that was made private from staying in shared caches.
_NOTHING_THERE = "public, max-age=0, s-maxage=1"

_NAMES_END = re.compile(rb"[?#]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The files to attack."""

    #: Path of each file, as ``url()`` spells it, and its token; "" for a public file.
    links: Mapping[str, str]
    #: The paths of those private files that a good token opens for everybody.
    shared: frozenset[str]
    #: Stands again and again in the content of each private file, and nowhere else.
    secret: bytes
    #: Entity tags of the private files.
    etags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Attack:
    """A request."""

    method: bytes
    target: bytes
    fields: Sequence[tuple[bytes, bytes]] = ()
    version: bytes = b"HTTP/1.1"
    body: bytes = b""

    def spelled(self) -> bytes:
        """Return the bytes that are sent."""
        lines = [b" ".join((self.method, self.target, self.version))]
        lines += [name + b": " + value for name, value in self.fields]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    @property
    def is_head(self) -> bool:
        """Whether the answer has no body."""
        return self.method == b"HEAD"

    def opens(self, target: Target) -> bool:
        """Tell whether it brings one good token for a file that the token opens."""
        path, _, query = self.target.partition(b"#")[0].partition(b"?")
        name = quote(unquote_to_bytes(_origin_form(path)), safe="/~!*()'")
        tokens = [
            unquote_plus(value.decode("latin-1"))
            for key, _, value in (part.partition(b"=") for part in query.split(b"&"))
            if unquote_plus(key.decode("latin-1")) == "token"
        ]
        return name in target.shared and tokens == [target.links[name]]


def _origin_form(path: bytes) -> bytes:
    # Python's own server takes several slashes at the beginning for one.
    return re.sub(rb"^(https?://[^/]*|/+(?=/))", b"", path)


# --- attacks -------------------------------------------------------------------------------------

_METHODS = (
    *(b"GET",) * 12,
    *(b"HEAD", b"OPTIONS", b"POST", b"PUT", b"PATCH", b"DELETE", b"TRACE", b"CONNECT"),
    *(b"PROPFIND", b"QUERY", b"get", b"GeT", b"G\x1bT", b"GET/", b"X" * 300, b"GET\x00"),
)

_PREFIXES = (
    *(b"/files/", b"/pictures/") * 6,
    *(b"//files/", b"/files//", b"/./files/", b"/FILES/", b"/files/../files/", b"/files/%2e/"),
    *(b"/files;x=1/", b"/files%2F", b"http://127.0.0.1/files/", b"http://evil.example/files/"),
    *(b"/pictures/../files/", b"/pictures/..%2ffiles/", b"\\files\\", b"/files\\", b"/files/%00/"),
    *(b"/static/", b"/static/../", b"/sign-in/?next=/files/", b"/my/documents/", b"files/", b"*"),
)

_INSERTS = (
    *(b"..", b"/../", b"/./", b"//", b"%2e%2e%2f", b"..%5c", b"%2f", b"%5c", b"\\", b"/", b"."),
    *(b"%00", b"%0a", b"%0d%0aSet-Cookie:%20a=b", b"%0d", b"%09", b"%1b", b"%7f", b"%c2%85"),
    *(b"%c0%ae", b"%c0%af", b"%e0%80%af", b"%ed%a0%80", b"%ed%b0%80", b"%f4%90%80%80", b"%ff"),
    *(
        b"%fe%ff",
        b"%c3",
        b"\xff",
        b"\xc3\xa9",
        b"%e2%80%a8",
        b"%e2%80%ae",
        b"%ef%bc%8e",
        b"e%cc%81",
    ),
    *(b"%", b"%%", b"%zz", b"%u002e", b"%252e", b"%25", b"%2500", b";", b";x=1", b"%3f", b"%23"),
    *(b"%26", b"+", b"%20", b"~", b"*", b"'", b'"', b"<script>", b"{{7*7}}", b"${x}", b"$(id)"),
    *(b"%s%n", b"a" * 600, b"%41" * 300, b"/a" * 300, b"CON", b":", b"::$DATA", b"\t", b"\x80"),
    *(b"9" * 5000, b"1" * 20, b"-1", b"0x10", b"\xd9\xa1"),
)

_VALUES: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (
        b"Range",
        (
            *(
                b"bytes=0-0",
                b"bytes=0-",
                b"bytes=-1",
                b"bytes=1-0",
                b"bytes=-0",
                b"bytes=99999999-",
            ),
            *(
                b"bytes=" + b"9" * 100_000 + b"-",
                b"bytes=-" + b"9" * 4400,
                b"bytes=0-" + b"9" * 4400,
            ),
            *(b"bytes=" + b"0-," * 1200 + b"0-", b"bytes=0-0,1-1", b"bytes=", b"bytes", b"=", b""),
            *(
                b"bytes=+1-+2",
                b"bytes=1_0-2_0",
                b"bytes=0x0-0x9",
                b"bytes=\xd9\xa1-",
                b"items=0-1",
            ),
            *(
                b"bytes=--1",
                b"bytes=1-2-3",
                b"bytes = 0-0",
                b"BYTES=0-0",
                b"bytes=0-0\x0b",
                b"\xff",
            ),
            *(
                b"bytes=-9223372036854775809",
                b"bytes=18446744073709551615-",
                b"none",
                b"bytes=1.0-2",
            ),
        ),
    ),
    (
        b"If-Range",
        (b'"x"', b"*", b"W/", b"", b"Fri, 31 Dec 9999 23:59:59 GMT", b"\xff", b'"' * 999),
    ),
    (b"If-None-Match", (b"*", b'"x"', b'W/"x"', b'"', b",,,", b'"a",' * 1500, b"\xff", b"")),
    (b"If-Match", (b"*", b'"x"', b'W/"x"', b'"', b",,,", b'"a",' * 1500, b"\xff", b"")),
    *(
        (
            name,
            (
                *(
                    b"Fri, 31 Dec 9999 23:59:59 GMT",
                    b"Mon, 01 Jan 0001 00:00:00 GMT",
                    b"0",
                    b"\xff",
                ),
                *(b"Thu, 01 Jan 1970 00:00:00 GMT", b"Mon, 00 Jan 0000 00:00:00 GMT", b"", b"*"),
                *(
                    b"Fri, 31 Dec 99999 23:59:59 GMT",
                    b"Sat, 99 Foo 2026 99:99:99 GMT",
                    b"9" * 5000,
                ),
                *(b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994", b"-1"),
            ),
        )
        for name in (b"If-Modified-Since", b"If-Unmodified-Since")
    ),
    (
        b"X-Forwarded-For",
        (
            *(
                b"",
                b",",
                b"unknown",
                b"1.2.3.4, ",
                b"[",
                b"::ffff:1.2.3.4",
                b"[::1]:80",
                b"1.2.3.4:5",
            ),
            *(
                b"\xff",
                b"1" * 5000,
                b"1.2.3.4," * 900,
                b"fe80::1%eth0",
                b"%",
                b"' OR 1=1 --",
                b"\x7f",
            ),
        ),
    ),
    (
        b"Host",
        (
            *(b"evil.example", b"127.0.0.1@evil.example", b"localhost:99999", b"[::1]", b"[", b""),
            *(b"127.0.0.1\xff", b"localhost.", b"a" * 3000, b"127.0.0.1/x", b"127.0.0.1?token=x"),
        ),
    ),
    (
        b"Cookie",
        (
            *(
                b"sessionid=x",
                b"sessionid=" + b"a" * 3000,
                b"csrftoken=\xff",
                b"=;=;=",
                b"a" * 4000,
            ),
            *(b'sessionid="\\777"', b"messages=W10:x:y; sessionid=\x01", b"token=x", b";" * 999),
        ),
    ),
    (b"Referer", (b"http://127.0.0.1/?token=x", b"http://[", b"\xff", b"?" * 999, b"//", b"%")),
    (b"Accept-Encoding", (b"gzip", b"identity;q=0, *;q=0", b"br", b"\xff", b"gzip," * 999)),
    (b"Accept-Language", (b"de", b"xx-" * 999, b"\xff", b"en;q=9" + b"9" * 999, b"../../etc")),
    (b"Accept", (b"application/json", b"text/html", b"*", b"\xff", b"a/b;q=x," * 300)),
    (b"User-Agent", (b"", b"\xff\xfe", b"a" * 4000, b"\x1b[2J", b"%s")),
    (b"X-Forwarded-Host", (b"evil.example", b"\xff")),
    (b"X-Forwarded-Proto", (b"https", b"javascript")),
    (b"X-HTTP-Method-Override", (b"DELETE", b"POST", b"\xff")),
    (b"X-Original-URL", (b"/files/x?token=x", b"\xff")),
    (b"X-Rewrite-URL", (b"/files/x", b"//evil.example")),
    (b"Forwarded", (b"for=1.2.3.4;host=evil.example", b"\xff")),
    (b"X_Forwarded_For", (b"1.2.3.4",)),
    (b"Sec-Purpose", (b"prefetch", b"prefetch;prerender", b"\xff")),
    (b"Authorization", (b"Basic \xff", b"Bearer x", b"Basic " + b"A" * 3000)),
    (b"Content-Type", (b"application/json", b"multipart/form-data", b"text/plain; charset=\xff")),
    (b"Origin", (b"null", b"https://evil.example", b"\xff")),
    (b"X-Requested-With", (b"XMLHttpRequest",)),
    (b"Expect", (b"100-continue", b"x")),
    (b"Upgrade", (b"websocket", b"h2c")),
    (b"\xc3\xa9", (b"x",)),
    (b"Bad Name", (b"x",)),
)

#: Bodies whose length two servers could read in two ways; a second request is hidden in them.
_SMUGGLED = b"GET /files/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_FRAMINGS: tuple[tuple[tuple[tuple[bytes, bytes], ...], bytes], ...] = (
    (((b"Content-Length", b"5"),), b"hello"),
    (((b"Content-Length", b"0"),), _SMUGGLED),
    (((b"Content-Length", b"-1"),), b""),
    (((b"Content-Length", b"+5"),), b"hello"),
    (((b"Content-Length", b"9" * 5000),), b""),
    (((b"Content-Length", b"5"), (b"Content-Length", b"6")), b"hello!"),
    (((b"Transfer-Encoding", b"chunked"),), b"0\r\n\r\n" + _SMUGGLED),
    (((b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"4")), b"0\r\n\r\n" + _SMUGGLED),
    (((b"Transfer-Encoding", b"\x0bchunked"),), b"0\r\n\r\n" + _SMUGGLED),
    (((b"Transfer-Encoding", b"identity, chunked"),), b"0\r\n\r\n"),
    (((b"Transfer-Encoding", b"x"),), b""),
)


class Generator:
    """Makes attacks from a seed, the same ones each time."""

    def __init__(self, target: Target, seed: int) -> None:
        """Begin with a seed."""
        self._target = target
        self._random = random.Random(seed)

    def attacks(self, count: int) -> Iterator[Attack]:
        """Yield so many attacks."""
        for _ in range(count):
            yield self._attack()

    def _attack(self) -> Attack:
        pick = self._random
        path, token = pick.choice(list(self._target.links.items()))
        if pick.random() < 0.25:
            return self._question(path, token)
        target = self._mutated_path(path.encode())
        query = self._query(token.encode())
        fields = [
            (b"Host", b"127.0.0.1"),
            (b"X-Forwarded-Proto", b"https"),
            # Each address has a separate budget, because a proxy tells them apart.
            (b"X-Forwarded-For", b"198.51.%d.%d" % (pick.randrange(256), pick.randrange(256))),
        ]
        for _ in range(pick.choice((0, 0, 1, 1, 2, 3))):
            name, values = pick.choice(_VALUES)
            if name in (b"Host", b"X-Forwarded-For") and pick.random() < 0.8:
                fields = [each for each in fields if each[0] != name]
            fields.append((name, pick.choice(values)))
        more, body = pick.choice(_FRAMINGS) if pick.random() < 0.08 else ((), b"")
        return Attack(
            pick.choice(_METHODS),
            target + (b"?" + query if query is not None else b""),
            [*fields, *more, (b"Connection", b"close")],
            b"HTTP/1.0" if pick.random() < 0.05 else b"HTTP/1.1",
            body,
        )

    def _question(self, path: str, token: str) -> Attack:
        """Return an odd question about a file, from who may open it."""
        pick = self._random
        name, values = pick.choice(_VALUES[: pick.choice((1, 6, len(_VALUES)))])
        fields = [
            (b"Host", b"127.0.0.1"),
            (b"X-Forwarded-Proto", b"https"),
            (b"X-Forwarded-For", b"203.0.113.%d" % pick.randrange(256)),
            (name, pick.choice(values)),
            (b"Connection", b"close"),
        ]
        target = f"{path}?token={token}" if token else path
        return Attack(pick.choice((b"GET", b"GET", b"HEAD")), target.encode(), fields)

    def _mutated_path(self, path: bytes) -> bytes:
        pick = self._random
        if pick.random() < 0.35:
            return path
        _, _, name = path[1:].partition(b"/")
        changes: list[Callable[[bytes], bytes]] = [
            self._insert,
            self._insert,
            self._quote_one,
            self._quote_twice,
            bytes.swapcase,
            lambda name: name + name,
            lambda name: name[: pick.randrange(len(name) + 1)],
            lambda name: name,
        ]
        for _ in range(pick.choice((0, 1, 1, 2))):
            name = pick.choice(changes)(name)
        return pick.choice(_PREFIXES) + name

    def _query(self, token: bytes) -> bytes | None:
        pick = self._random
        if pick.random() < 0.3:
            return None
        others = [other.encode() for other in self._target.links.values() if other]
        other = pick.choice(others)
        good = token or other
        place = pick.randrange(len(good))
        return pick.choice(
            (
                *(b"token=" + good,) * 4,
                *(b"token=" + other,) * 2,
                b"%74oken=" + b"".join(b"%%%02x" % byte for byte in good),
                b"token=" + good + b"&token=" + good,
                b"token=" + good + b"&token=",
                b"token[]=" + good,
                b"token%00=" + good,
                b"token=%00" + good,
                b"Token=" + good,
                b"a;token=" + good,
                b"utm_source=x&token="
                + good
                + b"&download=a.html&response-content-type=text/html",
                b"token=" + good[:place] + pick.choice(_INSERTS) + good[place:],
                b"token=" + good[:place] + good[place + 1 :],
                b"token="
                + good[:place]
                + pick.choice((b"0", b"_", b".", b"A"))
                + good[place + 1 :],
                b"token=" + good.swapcase(),
                b"token=" + good.replace(b".", b".0", 1),
                b"token=" + good.replace(b".", b".+", 1),
                b"token=" + good + b"=",
                b"token=" + good + b"%0a",
                b"token=" + good.replace(b"1", b"%ef%bc%91", 1),
                b"token=" + b"A" * pick.choice((43, 3000, 60_000, 1_000_000)),
                b"token=1aa.1.1.1." + b"A" * 43,
                b"token=%ff%fe&%ff=%",
                b"token",
                b"&" * 2000,
                b"token&" * 600,
                b"\xff",
                b"",
            )
        )

    def _insert(self, name: bytes) -> bytes:
        place = self._random.randrange(len(name) + 1)
        return name[:place] + self._random.choice(_INSERTS) + name[place:]

    def _quote_one(self, name: bytes) -> bytes:
        place = self._random.randrange(len(name)) if name else 0
        return (
            name[:place]
            + b"".join(b"%%%02X" % byte for byte in name[place : place + 1])
            + (name[place + 1 :])
        )

    def _quote_twice(self, name: bytes) -> bytes:
        return quote(quote(name, safe="")).encode()


# --- answers -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Judge:
    """Judges each answer, and counts."""

    target: Target
    #: How many answers had which status.
    statuses: dict[int, int] = field(default_factory=dict)
    #: How many private files were opened by good tokens.
    opened: int = 0

    def judge(self, attack: Attack, answer: Answer) -> Iterator[str]:
        """Yield what is wrong with an answer."""
        status = answer.head.status
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500 and status not in _SERVERS_OWN:
            yield f"the status is {status}"
        opens = attack.opens(self.target)
        if not opens:
            yield from self._leaks(answer)
        elif status in (200, 206):
            self.opened += 1
        if status not in _SERVERS_OWN or "cross-origin-opener-policy" in answer.head:
            yield from self._unprotected(attack, answer)
        if 300 < status < 304 and not _LOCATION.match(answer.head["location"]):
            yield f"it leads to {answer.head['location']}"
        if "set-cookie" in answer.head and "public" in answer.head.all("cache-control"):
            yield "all visitors would share a cookie"

    def _leaks(self, answer: Answer) -> Iterator[str]:
        if self.target.secret in answer.body:
            yield "a private file came"
        for name, value in answer.head.fields:
            if any(etag in value for etag in self.target.etags):
                yield f"{name} tells of a private file"

    def _unprotected(self, attack: Attack, answer: Answer) -> Iterator[str]:
        head = answer.head
        if "x-content-type-options" not in head or head["x-content-type-options"] != "nosniff":
            yield "nosniff is missing"
        if not _is_file(attack) or head.status not in _OURS | {404}:
            return
        if head.status != 304 and "content-security-policy" not in head:
            yield "the Content-Security-Policy is missing"
        # Without a token, shared caches may keep for a second that there is nothing.
        may_say = {"no-store", _NOTHING_THERE} if head.status == 404 else {"no-store"}
        if head.status >= 400 and head["cache-control"] not in may_say:
            yield "a refusal may be stored"
        if head.status == 429 and not head["retry-after"].isdigit():
            yield "Retry-After is missing"


def _is_file(attack: Attack) -> bool:
    """Tell whether our view was asked, as far as that is certain."""
    path = unquote_to_bytes(_NAMES_END.split(attack.target)[0])
    return re.fullmatch(rb"/(files|pictures)/[\s\S]+", path) is not None
