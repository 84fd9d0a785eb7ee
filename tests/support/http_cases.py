"""What one request gets, as data: RFC 9110 to the letter, abuse, and the header policy.

A target may hold ``{signed[NAME]}`` and other spellings of a token: see ``LINKS``. What an answer
expects beyond its own fields is the policy for its kind.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote

from secure_dbstorage.links.grants import Grant
from secure_dbstorage.storage import DatabaseStorage
from tests.support.tokens import written_for

# --- files ---------------------------------------------------------------------------------------

CHUNK_SIZE = 4096
_HUNDRED = bytes(range(100))
_CHUNKS = bytes(number * 7 % 251 for number in range(3 * CHUNK_SIZE + 100))
_LONG = b"all work and no play makes a dull file " * 100

#: Names that break headers, URLs or file systems, and how a browser is to save each.
ODD_NAMES = {
    'a"; filename=evil.exe': r'attachment; filename="a\"; filename=evil.exe"',
    "semi;colon.txt": 'inline; filename="semi;colon.txt"',
    "100%41.txt": 'inline; filename="100%41.txt"',
    "a b+c#d?e&f=g.txt": 'inline; filename="a b+c#d?e&f=g.txt"',
    "it's.txt": 'inline; filename="it\'s.txt"',
    "é" * 300: f"attachment; filename*=utf-8''{'%C3%A9' * 300}",
    "e\u0301.txt": "inline; filename*=utf-8''e%CC%81.txt",
    "夏.png": "inline; filename*=utf-8''%E5%A4%8F.png",
    '\u202egpj."exe': "attachment; filename*=utf-8''%E2%80%AEgpj.%22exe",
    "x" * 500: f'attachment; filename="{"x" * 500}"',
    " space ": 'attachment; filename=" space "',
    "...": 'attachment; filename="..."',
}

#: The type of each kind of file, and whether a browser may show it.
KINDS = {
    "page.html": ("text/html; charset=utf-8", False),
    "PAGE.HTM": ("text/html; charset=utf-8", False),
    "page.xhtml": ("application/octet-stream", False),
    "drawing.svg": ("image/svg+xml", False),
    "feed.xml": ("text/xml; charset=utf-8", False),
    "script.js": ("text/javascript; charset=utf-8", False),
    "unknown": ("application/octet-stream", False),
    "strange.qwertz": ("application/octet-stream", False),
    "packed.tar.gz": ("application/gzip", False),
    "packed.svgz": ("application/gzip", False),
    "page.html.gz": ("application/gzip", False),
    "paper.pdf": ("application/pdf", True),
    "picture.png": ("image/png", True),
    "note.txt": ("text/plain; charset=utf-8", True),
    "film.mp4": ("video/mp4", True),
    "song.mp3": ("audio/mpeg", True),
}

#: The content of each file by its name. Those below ``open/`` are public.
CONTENTS: dict[str, bytes] = {
    **{
        f"{directory}/{name}": content
        for directory in ("open", "closed")
        for name, content in {
            "hundred.bin": _HUNDRED,
            "chunks.bin": _CHUNKS,
            "empty.txt": b"",
            "long.txt": _LONG,
            **dict.fromkeys(KINDS, b"<script>alert(1)</script>"),
            **dict.fromkeys(ODD_NAMES, b"odd"),
        }.items()
    },
    "closed/secret.txt": b"secret",
    "closed/other.txt": b"other",
    "closed/replaced.txt": b"new",
    "closed/deleted.txt": b"gone",
    "closed/renamed.txt": b"elsewhere",
    "closed/overwritten.txt": b"overwritten",
    "closed/opened.txt": b"public by now",
    "open/closed.txt": b"private by now",
}

MODIFIED = datetime(2024, 2, 29, 12, 30, 45, 678901, tzinfo=UTC)
LAST_MODIFIED = "Thu, 29 Feb 2024 12:30:45 GMT"

SAME = (LAST_MODIFIED, "Thursday, 29-Feb-24 12:30:45 GMT", "Thu Feb 29 12:30:45 2024")
EARLIER = (
    "Thu, 29 Feb 2024 12:30:44 GMT",
    "Thursday, 29-Feb-24 12:30:44 GMT",
    "Sat Feb  3 12:30:45 2024",
)
LATER = (
    "Thu, 29 Feb 2024 12:30:46 GMT",
    "Friday, 01-Mar-24 12:30:45 GMT",
    "Fri Mar  1 12:30:45 2024",
)
NO_DATES = (
    "yesterday",
    "",
    "0",
    "1709209845",
    "2024-02-29T12:30:45Z",
    "Thu, 29 Feb 2024 12:30:45 +0000",
    "Thu, 31 Feb 2024 12:30:45 GMT",
    "Thu, 29 Feb 2024 25:30:45 GMT",
    '"Thu, 29 Feb 2024 12:30:45 GMT"',
    "Thu, 29 Feb 2024 12:30:45 GMT, Thu, 29 Feb 2024 12:30:45 GMT",
)
EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
DISTANT_PAST = "Mon, 01 Jan 0001 00:00:00 GMT"
DISTANT_FUTURE = "Fri, 31 Dec 9999 23:59:59 GMT"


def etag_of(name: str) -> str:
    """Return the entity tag of a file."""
    return f'"{hashlib.sha256(CONTENTS[name]).hexdigest()}"'


def fill(storage: DatabaseStorage) -> None:
    """Save all files, as they were when the links to them were made."""
    for name, content in CONTENTS.items():
        saved = storage.save(name, content)
        assert saved == name
        storage.set_public(name, public=name.startswith("open/"))


def age(storage: DatabaseStorage) -> None:
    """Do to the files what happens after links to them are out."""
    for name in ("closed/replaced.txt", "closed/deleted.txt", "closed/renamed.txt"):
        storage.rename(name, "closed/elsewhere.txt")
        storage.delete("closed/elsewhere.txt")
    storage.save("closed/replaced.txt", CONTENTS["closed/replaced.txt"])
    with storage.open("closed/overwritten.txt", "wb") as file:
        file.write(CONTENTS["closed/overwritten.txt"])
    storage.set_public("closed/opened.txt", public=True)
    storage.set_public("open/closed.txt", public=False)


# --- links ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signing:
    """What makes the tokens of a test."""

    storage: DatabaseStorage
    #: A storage with another namespace.
    foreign: DatabaseStorage
    now: int

    def grant(self, name: str) -> Grant:
        """Return what an ordinary link to a file allows."""
        link_epoch = self.storage.catalog.get(name).link_epoch
        return Grant(link_epoch=link_epoch, issued=self.now, lifetime=3600)

    def folder_token(self, folder: str, **changes: int) -> str:
        """Return the token of an ordinary link for a folder, with changes to what it allows."""
        grant = Grant(
            link_epoch=time.time_ns() // 1000, issued=self.now, lifetime=3600, folder=folder
        )
        return written_for(self.storage, folder, replace(grant, **changes))

    def token(self, name: str, **changes: object) -> str:
        """Return the token of an ordinary link, with changes to what it allows."""
        return written_for(self.storage, name, replace(self.grant(name), **changes))


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _respelled(token: str) -> str:
    """Return another spelling of the same signature: base64 leaves two bits of its end unused."""
    last = _ALPHABET.index(token[-1])
    return token[:-1] + _ALPHABET[last ^ 1]


#: The tokens that a target can hold, by the name in its braces.
LINKS: dict[str, Callable[[Signing, str], str]] = {
    "signed": lambda made, name: made.token(name),
    "attachment": lambda made, name: made.token(name, attachment=True),
    "named": lambda made, name: made.token(name, filename='Ré"port; x=%41.pdf'),
    "short": lambda made, name: made.token(name, lifetime=100),
    "expired": lambda made, name: made.token(name, issued=made.now - 3601),
    "too_long": lambda made, name: made.token(name, issued=made.now - 8 * 86400, lifetime=10**8),
    "slightly_early": lambda made, name: made.token(name, issued=made.now + 30),
    "future": lambda made, name: made.token(name, issued=made.now + 300),
    "foreign": lambda made, name: written_for(made.foreign, name, made.grant(name)),
    "truncated": lambda made, name: made.token(name)[:-1],
    "half": lambda made, name: made.token(name)[:30],
    "upper": lambda made, name: made.token(name).upper(),
    "lower": lambda made, name: made.token(name).lower(),
    "respelled": lambda made, name: _respelled(made.token(name)),
    "padded": lambda made, name: made.token(name) + "=",
    "version_2": lambda made, name: "2" + made.token(name)[1:],
    "attachment_added": lambda made, name: (
        made.token(name)[:3] + ("a" if made.token(name)[3] == "." else "") + made.token(name)[3:]
    ),
    "folder": lambda made, name: made.folder_token(name),
    "older_folder": lambda made, name: made.folder_token(name, link_epoch=1),
    "expired_folder": lambda made, name: made.folder_token(name, issued=made.now - 3601),
    "respelled_folder": lambda made, name: _respelled(made.folder_token(name)),
    "deeper_folder": lambda made, name: made.folder_token(name).replace("-1.", "-2.", 1),
    "prolonged": lambda made, name: made.token(name).replace(".2s0.", ".2s1."),
}


class _Named:
    """Looks a token up by a file's name, for ``str.format``."""

    def __init__(self, made: Signing, link: Callable[[Signing, str], str]) -> None:
        self._made = made
        self._link = link

    def __getitem__(self, name: str) -> str:
        return self._link(self._made, name)


class Targets:
    """Fills the tokens into targets and header fields."""

    def __init__(self, made: Signing) -> None:
        """Make the tokens, for the files as they are now."""
        links = {name: _Named(made, link) for name, link in LINKS.items()}
        self._filled = {
            text: text.format_map(links)
            for case in CASES
            for text in (case.request.target, *(value for _, value in case.request.headers))
            if isinstance(text, str)
        }

    def fill(self, request: "Request") -> "Request":
        """Return a request as it is sent."""
        headers = tuple(
            (name, self._filled[value] if isinstance(value, str) else value)
            for name, value in request.headers
        )
        return Request(request.method, self._filled[request.target], headers)


# --- requests and answers ------------------------------------------------------------------------

Value = str | re.Pattern[str]

_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_REFUSAL = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": _SANDBOX,
    "cross-origin-opener-policy": "same-origin",  # by SecurityMiddleware
    "cross-origin-resource-policy": "same-site",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str | bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What comes back."""

    status: int
    #: The fields that this answer has, and no others.
    fields: Mapping[str, Value] = field(default_factory=dict)
    #: The whole body; None for one that is not ours.
    body: bytes | None = None
    #: A text that the body holds.
    text: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A request and its answer."""

    sentence: str
    request: Request
    expected: Expected
    #: The status that a server may give such a request itself, before Django sees it.
    rejected_by: Mapping[str, int] = field(default_factory=dict)


def ask(target: str, method: str = "GET", **headers: str | bytes) -> Request:
    """Return a request; underscores in the names of header fields are dashes."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method, target, fields)


def shown(name: str) -> bool:
    """Tell whether a browser may show a file."""
    return KINDS.get(name.rpartition("/")[2], ("", name.endswith((".txt", ".png"))))[1]


def whole(name: str, *, signed: bool = False, **changes: Value) -> Expected:
    """Return the answer 200 with a whole file, or its headers."""
    fields = _file_fields(name, signed=signed) | _named(changes)
    return Expected(200, {"content-length": str(len(CONTENTS[name])), **fields}, CONTENTS[name])


def part(name: str, first: int, last: int, *, signed: bool = False) -> Expected:
    """Return the answer 206 with the bytes from *first* up to and with *last*."""
    content = CONTENTS[name]
    fields = {
        "content-length": str(last + 1 - first),
        "content-range": f"bytes {first}-{last}/{len(content)}",
        **_file_fields(name, signed=signed),
    }
    return Expected(206, fields, content[first : last + 1])


def not_modified(name: str, *, signed: bool = False) -> Expected:
    """Return the answer 304."""
    fields = _file_fields(name, signed=signed)
    for absent in (
        "content-type",
        "content-disposition",
        "content-security-policy",
        "accept-ranges",
    ):
        del fields[absent]
    return Expected(304, fields, b"")


def refused(status: int, text: str, **changes: str) -> Expected:
    """Return a refusal whose page holds a text."""
    return Expected(status, _REFUSAL | _named(changes), text=text)


def unsatisfiable(name: str) -> Expected:
    """Return the answer 416."""
    size = len(CONTENTS[name])
    return refused(416, "The file ends before that", content_range=f"bytes */{size}")


def _named(changes: Mapping[str, Value]) -> dict[str, Value]:
    return {name.replace("_", "-"): value for name, value in changes.items()}


def _file_fields(name: str, *, signed: bool) -> dict[str, str]:
    base = name.rpartition("/")[2]
    inline = shown(name)
    guessed = "text/plain; charset=utf-8" if name.endswith(".txt") else "application/octet-stream"
    if name.endswith(".png"):
        guessed = "image/png"
    kind = KINDS.get(base, (guessed, inline))[0]
    plain = f'{"inline" if inline else "attachment"}; filename="{base}"'
    return {
        "content-type": kind,
        "content-disposition": ODD_NAMES.get(base, plain),
        "content-security-policy": (
            _SANDBOX.removesuffix("; sandbox") if kind == "application/pdf" else _SANDBOX
        ),
        "accept-ranges": "bytes",
        "etag": etag_of(name),
        "last-modified": LAST_MODIFIED,
        "cache-control": "private, max-age=300" if signed else "public, max-age=300",
        "cross-origin-opener-policy": "same-origin",  # by SecurityMiddleware
        "cross-origin-resource-policy": "same-site" if signed else "cross-origin",
        # By SecurityMiddleware on public files.
        "referrer-policy": "no-referrer" if signed else "same-origin",
        "x-content-type-options": "nosniff",
        # By XFrameOptionsMiddleware on downloads.
        "x-frame-options": "SAMEORIGIN" if inline else "DENY",
        **({"x-robots-tag": "noindex"} if signed else {}),
    }


# --- the cases -----------------------------------------------------------------------------------

MISSING = refused(404, "There is nothing here")
BAD_TOKEN = refused(403, "This link doesn’t work")
EXPIRED = refused(403, "This link has expired")
REVOKED = refused(403, "This link no longer works")
CHANGED = refused(412, "The file has changed")
NOT_ALLOWED = refused(405, "read-only", allow="GET, HEAD, OPTIONS")
#: Django answers, and our view is not asked.
NOT_OURS_404 = Expected(404)
NOT_OURS_400 = Expected(400)
METHODS = Expected(200, {**_REFUSAL, "allow": "GET, HEAD, OPTIONS", "content-length": "0"}, b"")

_NAME = "open/hundred.bin"
_URL = f"/files/{_NAME}"
_TAG = etag_of(_NAME)
_OTHER = '"0000"'
_CLOSED = "closed/hundred.bin"
_SIGNED = f"/files/{_CLOSED}?token={{signed[{_CLOSED}]}}"
_CHUNKED = "open/chunks.bin"
_EMPTY = "open/empty.txt"

#: What nginx finds malformed; which of it depends on its version.
_BY_NGINX = {"nginx": 400}

_WHOLE = whole(_NAME)
_SAME = not_modified(_NAME)

_METHODS = [
    Case("GET sends the file", ask(_URL), _WHOLE),
    Case("GET sends a file of several chunks", ask(f"/files/{_CHUNKED}"), whole(_CHUNKED)),
    Case("GET sends an empty file", ask(f"/files/{_EMPTY}"), whole(_EMPTY)),
    Case("GET sends a private file for its token", ask(_SIGNED), whole(_CLOSED, signed=True)),
    Case("HEAD sends the headers of GET", ask(_URL, "HEAD"), _WHOLE),
    Case("HEAD of several chunks", ask(f"/files/{_CHUNKED}", "HEAD"), whole(_CHUNKED)),
    Case("HEAD of an empty file", ask(f"/files/{_EMPTY}", "HEAD"), whole(_EMPTY)),
    Case("HEAD of a private file", ask(_SIGNED, "HEAD"), whole(_CLOSED, signed=True)),
    Case("HEAD of a missing file", ask("/files/nothing", "HEAD"), MISSING),
    Case("HEAD with a bad token", ask(f"{_URL}?token=bad", "HEAD"), BAD_TOKEN),
    Case("OPTIONS says which methods there are", ask(_URL, "OPTIONS"), METHODS),
    Case("OPTIONS of a missing file says no less", ask("/files/nothing", "OPTIONS"), METHODS),
    Case("OPTIONS of a private file says no more", ask(f"/files/{_CLOSED}", "OPTIONS"), METHODS),
    Case("OPTIONS has no preconditions", ask(_URL, "OPTIONS", If_Match=_OTHER), METHODS),
    *(
        Case(f"{method} is not allowed", ask(_URL, method), NOT_ALLOWED)
        for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "BREW")
    ),
    Case("TRACE is not allowed", ask(_URL, "TRACE"), NOT_ALLOWED, rejected_by={"nginx": 405}),
    Case(
        "Django takes a method in any case",
        ask(_URL, "get"),
        _WHOLE,
        rejected_by={"gunicorn": 400, "nginx": 400},
    ),
    Case("POST with a body", ask(_URL, "POST", Content_Length="0"), NOT_ALLOWED),
    Case("POST to a missing file", ask("/files/nothing", "POST"), NOT_ALLOWED),
    Case("POST with a good token", ask(_SIGNED, "POST"), NOT_ALLOWED),
    Case("POST with a bad token", ask(f"{_URL}?token=bad", "POST"), NOT_ALLOWED),
    Case("POST has no preconditions", ask(_URL, "POST", If_Match=_OTHER), NOT_ALLOWED),
    Case("a header changes no method", ask(_URL, X_HTTP_Method_Override="DELETE"), _WHOLE),
]

_PRECONDITIONS = [
    # If-Match compares strongly.
    Case("If-Match: the tag", ask(_URL, If_Match=_TAG), _WHOLE),
    Case("If-Match: another tag", ask(_URL, If_Match=_OTHER), CHANGED),
    Case("If-Match: a list with the tag", ask(_URL, If_Match=f"{_OTHER}, {_TAG}"), _WHOLE),
    Case("If-Match: a list without it", ask(_URL, If_Match=f'{_OTHER}, "1"'), CHANGED),
    Case("If-Match: *", ask(_URL, If_Match="*"), _WHOLE),
    Case("If-Match: the tag as a weak one", ask(_URL, If_Match=f"W/{_TAG}"), CHANGED),
    Case("If-Match in a HEAD", ask(_URL, "HEAD", If_Match=_OTHER), CHANGED),
    Case("If-Match: the empty tag", ask(_URL, If_Match='""'), CHANGED),
    Case(
        "If-Match: the tag unquoted",
        ask(_URL, If_Match=_TAG.strip('"')),
        CHANGED,
    ),
    Case(
        "If-Match: an empty list",
        ask(_URL, If_Match=""),
        CHANGED,
    ),
    # If-None-Match compares weakly.
    Case("If-None-Match: the tag", ask(_URL, If_None_Match=_TAG), _SAME),
    Case("If-None-Match: another tag", ask(_URL, If_None_Match=_OTHER), _WHOLE),
    Case("If-None-Match: a list", ask(_URL, If_None_Match=f"{_OTHER}, {_TAG}"), _SAME),
    Case("If-None-Match: a list without blanks", ask(_URL, If_None_Match=f'"1",{_TAG}'), _SAME),
    Case("If-None-Match: empty elements", ask(_URL, If_None_Match=f", ,{_TAG},"), _SAME),
    Case("If-None-Match: the tag as a weak one", ask(_URL, If_None_Match=f"W/{_TAG}"), _SAME),
    Case("If-None-Match: w/ is no W/", ask(_URL, If_None_Match=f"w/{_TAG}"), _WHOLE),
    Case("If-None-Match: weak ones", ask(_URL, If_None_Match=f'W/"1", W/{_TAG}'), _SAME),
    Case("If-None-Match: a comma in a tag", ask(_URL, If_None_Match=f'"a,b", {_TAG}'), _SAME),
    Case("If-None-Match: *", ask(_URL, If_None_Match="*"), _SAME),
    Case("If-None-Match: the tag unquoted", ask(_URL, If_None_Match=_TAG.strip('"')), _WHOLE),
    Case("If-None-Match: a quote is missing", ask(_URL, If_None_Match=_TAG[:-1]), _WHOLE),
    Case("If-None-Match: the start of the tag", ask(_URL, If_None_Match=_TAG[:20] + '"'), _WHOLE),
    Case("If-None-Match: another case", ask(_URL, If_None_Match=_TAG.upper()), _WHOLE),
    Case("If-None-Match: an empty list", ask(_URL, If_None_Match=""), _WHOLE),
    Case("If-None-Match in a HEAD", ask(_URL, "HEAD", If_None_Match=_TAG), _SAME),
    Case(
        "If-None-Match in two lines",
        Request("GET", _URL, (("If-None-Match", _OTHER), ("If-None-Match", _TAG))),
        _SAME,
        rejected_by=_BY_NGINX,
    ),
    Case(
        "If-None-Match: a hundred tags",
        ask(_URL, If_None_Match=", ".join([*(f'"{n:040}"' for n in range(100)), _TAG])),
        _SAME,
    ),
    Case(
        "If-None-Match of a private file",
        ask(_SIGNED, If_None_Match=etag_of(_CLOSED)),
        not_modified(_CLOSED, signed=True),
    ),
    Case(
        "If-None-Match of a file that a browser shows",
        ask("/files/open/paper.pdf", If_None_Match=etag_of("open/paper.pdf")),
        not_modified("open/paper.pdf"),
    ),
    # Dates, in the three formats.
    *(
        Case(f"If-Modified-Since: {date}", ask(_URL, If_Modified_Since=date), _SAME)
        for date in SAME
    ),
    *(
        Case(f"If-Modified-Since, later: {date}", ask(_URL, If_Modified_Since=date), _SAME)
        for date in (*LATER, DISTANT_FUTURE)
    ),
    *(
        Case(f"If-Modified-Since, earlier: {date}", ask(_URL, If_Modified_Since=date), _WHOLE)
        for date in (*EARLIER, EPOCH, DISTANT_PAST, "Monday, 28-Feb-94 12:30:45 GMT")
    ),
    *(
        Case(f"If-Modified-Since, no date: {date}", ask(_URL, If_Modified_Since=date), _WHOLE)
        for date in NO_DATES
    ),
    Case("If-Modified-Since in a HEAD", ask(_URL, "HEAD", If_Modified_Since=SAME[0]), _SAME),
    *(
        Case(f"If-Unmodified-Since: {date}", ask(_URL, If_Unmodified_Since=date), _WHOLE)
        for date in (*SAME, *LATER, DISTANT_FUTURE)
    ),
    *(
        Case(f"If-Unmodified-Since, earlier: {date}", ask(_URL, If_Unmodified_Since=date), CHANGED)
        for date in (*EARLIER, DISTANT_PAST)
    ),
    Case(
        "If-Unmodified-Since: 1970",
        ask(_URL, If_Unmodified_Since=EPOCH),
        CHANGED,
    ),
    *(
        Case(f"If-Unmodified-Since, no date: {date}", ask(_URL, If_Unmodified_Since=date), _WHOLE)
        for date in NO_DATES
    ),
    # The order of section 13.2.2.
    Case(
        "If-Match is true, so If-Unmodified-Since is not asked",
        ask(_URL, If_Match=_TAG, If_Unmodified_Since=EARLIER[0]),
        _WHOLE,
    ),
    Case(
        "If-Match is false before If-None-Match",
        ask(_URL, If_Match=_OTHER, If_None_Match=_TAG),
        CHANGED,
    ),
    Case(
        "If-Match is true, then If-None-Match",
        ask(_URL, If_Match=_TAG, If_None_Match=_TAG),
        _SAME,
    ),
    Case(
        "If-Match is true, then If-Modified-Since",
        ask(_URL, If_Match="*", If_Modified_Since=SAME[0]),
        _SAME,
    ),
    Case(
        "If-Unmodified-Since is false before If-None-Match",
        ask(_URL, If_Unmodified_Since=EARLIER[0], If_None_Match=_TAG),
        CHANGED,
    ),
    Case(
        "If-Unmodified-Since is true, then If-None-Match",
        ask(_URL, If_Unmodified_Since=LATER[0], If_None_Match=_TAG),
        _SAME,
    ),
    Case(
        "If-None-Match is true, so If-Modified-Since is not asked",
        ask(_URL, If_None_Match=_OTHER, If_Modified_Since=SAME[0]),
        _WHOLE,
    ),
    Case(
        "If-None-Match is false, so If-Modified-Since is not asked",
        ask(_URL, If_None_Match=_TAG, If_Modified_Since=EARLIER[0]),
        _SAME,
    ),
    Case(
        "If-None-Match is there, however garbled, so If-Modified-Since is not asked",
        ask(_URL, If_None_Match="garbled", If_Modified_Since=SAME[0]),
        _WHOLE,
    ),
    Case(
        "If-Match is there, however garbled, so If-Unmodified-Since is not asked",
        ask(_URL, If_Match="garbled", If_Unmodified_Since=SAME[0]),
        CHANGED,
    ),
    Case("a false If-Match and a range", ask(_URL, If_Match=_OTHER, Range="bytes=0-0"), CHANGED),
    Case(
        "a false If-Match and a range beyond the end",
        ask(_URL, If_Match=_OTHER, Range="bytes=100-"),
        CHANGED,
    ),
    Case(
        "a true If-Match and a range",
        ask(_URL, If_Match=_TAG, Range="bytes=0-0"),
        part(_NAME, 0, 0),
    ),
    Case(
        "a true If-Match and a range beyond the end",
        ask(_URL, If_Match=_TAG, Range="bytes=100-"),
        unsatisfiable(_NAME),
    ),
    Case("If-None-Match and a range", ask(_URL, If_None_Match=_TAG, Range="bytes=0-0"), _SAME),
    Case(
        "a true If-None-Match and a range",
        ask(_URL, If_None_Match=_OTHER, Range="bytes=0-0"),
        part(_NAME, 0, 0),
    ),
    Case(
        "If-Modified-Since and a range beyond the end",
        ask(_URL, If_Modified_Since=SAME[0], Range="bytes=100-"),
        _SAME,
    ),
    Case(
        "If-Unmodified-Since and a range",
        ask(_URL, If_Unmodified_Since=SAME[0], Range="bytes=-1"),
        part(_NAME, 99, 99),
    ),
    Case("a refusal has no preconditions", ask("/files/nothing", If_None_Match="*"), MISSING),
    Case("nor has a missing file", ask("/files/nothing", If_Match="*"), MISSING),
    Case("nor a private one", ask(f"/files/{_CLOSED}", If_None_Match=etag_of(_CLOSED)), MISSING),
    Case("nor a bad token", ask(f"{_URL}?token=bad", If_None_Match=_TAG), BAD_TOKEN),
]

_SATISFIABLE = {
    "bytes=0-0": (0, 0),
    "bytes=-1": (99, 99),
    "bytes=99-99": (99, 99),
    "bytes=0-": (0, 99),
    "bytes=99-": (99, 99),
    "bytes=10-19": (10, 19),
    "bytes=0-99": (0, 99),
    "bytes=0-100": (0, 99),
    "bytes=-100": (0, 99),
    "bytes=-101": (0, 99),
    "bytes=-5000": (0, 99),
    "bytes=50-5000": (50, 99),
    "bytes=007-008": (7, 8),
    "BYTES=0-0": (0, 0),
    "bytes=0-0,": (0, 0),
    "bytes=,0-0": (0, 0),
    "bytes=, ,0-0 , ,": (0, 0),
    "bytes=0-0\t,\t": (0, 0),
    f"bytes=0-{'9' * 30}": (0, 99),
    f"bytes=-{'9' * 30}": (0, 99),
    f"bytes=5-{2**63}": (5, 99),
    f"bytes={'0' * 30}1-1": (1, 1),
}

_UNSATISFIABLE = (
    "bytes=-0",
    "bytes=-000",
    "bytes=100-",
    "bytes=100-100",
    "bytes=5000-6000",
    f"bytes={'9' * 30}-",
    f"bytes={2**64}-{2**64}",
    f"bytes={'9' * 4000}-",
)

_IGNORED = (
    "bytes=50-40",
    "bytes=abc",
    "bytes=a-b",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes",
    "bytes 0-0",
    "bytes:0-0",
    "bytes =0-0",
    "bytes==0-0",
    "=0-0",
    "0-0",
    "",
    "items=0-1",
    "seconds=1-2",
    "none=0-0",
    "bytes=--5",
    "bytes=0--5",
    "bytes=+1-+5",
    "bytes=1_0-2_0",
    "bytes=0x0-0x5",
    "bytes=1.0-2.0",
    "bytes=1e1-2e1",
    "bytes=0 - 0",
    "bytes=0-0;",
    "bytes=0-0 1",
    "bytes=0-1-2",
    "bytes=0",
    "bytes=*",
    "bytes=0-*",
    "bytes=0-0,2-2",
    "bytes=0-0,0-0",
    "bytes=0-0,-1",
    "bytes=0-0,1000-",
    "bytes=0-0,abc",
    "bytes=1000-,2000-",
    f"bytes={','.join(['0-'] * 1000)}",
    f"bytes={','.join(f'{n}-{n}' for n in range(100))}",
    f"bytes={' ' * 5000}0-0",
    f"bytes={'0' * 5000}-0",
    f"bytes=0-{'9' * 5000}",
)

_BORDERS = {
    "0-4095": (0, 4095),
    "4095-4096": (4095, 4096),
    "4096-8191": (4096, 8191),
    "4096-4096": (4096, 4096),
    "4097-8190": (4097, 8190),
    "8191-8192": (8191, 8192),
    "1-12286": (1, 12286),
    "4000-9000": (4000, 9000),
    "4096-": (4096, 12387),
    "12287-12288": (12287, 12288),
    "12288-": (12288, 12387),
    "12387-": (12387, 12387),
    "0-12387": (0, 12387),
    "-100": (12288, 12387),
    "-101": (12287, 12387),
    "-12388": (0, 12387),
}

_RANGES = [
    *(
        Case(f"Range: {header[:40]}", ask(_URL, Range=header), part(_NAME, *ends))
        for header, ends in _SATISFIABLE.items()
    ),
    *(
        Case(f"Range beyond the end: {header[:40]}", ask(_URL, Range=header), unsatisfiable(_NAME))
        for header in _UNSATISFIABLE
    ),
    *(
        Case(f"Range that is none: {header[:40]}", ask(_URL, Range=header), _WHOLE)
        for header in _IGNORED
    ),
    Case("Range in Arabic digits", ask(_URL, Range=b"bytes=\xd9\xa0-\xd9\xa5"), _WHOLE),
    *(
        Case(
            f"Range across chunks: {header}",
            ask(f"/files/{_CHUNKED}", Range=f"bytes={header}"),
            part(_CHUNKED, *ends),
        )
        for header, ends in _BORDERS.items()
    ),
    Case(
        "Range behind the last chunk",
        ask(f"/files/{_CHUNKED}", Range="bytes=12388-"),
        unsatisfiable(_CHUNKED),
    ),
    *(
        Case(
            f"Range of an empty file: {header}",
            ask(f"/files/{_EMPTY}", Range=header),
            whole(_EMPTY),
        )
        for header in ("bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-")
    ),
    Case("HEAD has no range", ask(_URL, "HEAD", Range="bytes=0-0"), _WHOLE),
    Case("nor one beyond the end", ask(_URL, "HEAD", Range="bytes=100-"), _WHOLE),
    Case(
        "Range of a private file",
        ask(_SIGNED, Range="bytes=10-19"),
        part(_CLOSED, 10, 19, signed=True),
    ),
    Case("Range beyond a private file", ask(_SIGNED, Range="bytes=100-"), unsatisfiable(_CLOSED)),
    Case("no Range in a missing file", ask("/files/nothing", Range="bytes=0-0"), MISSING),
    Case("nor in a private one", ask(f"/files/{_CLOSED}", Range="bytes=100-"), MISSING),
    Case("nor with a bad token", ask(f"{_URL}?token=bad", Range="bytes=100-"), BAD_TOKEN),
    Case("nor in a refused method", ask(_URL, "POST", Range="bytes=100-"), NOT_ALLOWED),
    Case(
        "Range in two lines",
        Request("GET", _URL, (("Range", "bytes=0-0"), ("Range", "bytes=1-1"))),
        _WHOLE,
        rejected_by=_BY_NGINX,
    ),
]

_FIRST = part(_NAME, 0, 9)
_BOUND = {"Range": "bytes=0-9"}

_IF_RANGE = [
    Case("If-Range: the tag", ask(_URL, If_Range=_TAG, **_BOUND), _FIRST),
    Case("If-Range: another tag", ask(_URL, If_Range=_OTHER, **_BOUND), _WHOLE),
    Case("If-Range: the tag as a weak one", ask(_URL, If_Range=f"W/{_TAG}", **_BOUND), _WHOLE),
    Case("If-Range: the tag unquoted", ask(_URL, If_Range=_TAG.strip('"'), **_BOUND), _WHOLE),
    Case("If-Range: a list of tags", ask(_URL, If_Range=f"{_TAG}, {_OTHER}", **_BOUND), _WHOLE),
    Case("If-Range: *", ask(_URL, If_Range="*", **_BOUND), _WHOLE),
    Case("If-Range: nothing", ask(_URL, If_Range="", **_BOUND), _WHOLE),
    *(Case(f"If-Range: {date}", ask(_URL, If_Range=date, **_BOUND), _FIRST) for date in SAME),
    *(
        Case(f"If-Range, another date: {date}", ask(_URL, If_Range=date, **_BOUND), _WHOLE)
        for date in (*EARLIER, *LATER, EPOCH)
    ),
    *(
        Case(f"If-Range, no date: {date}", ask(_URL, If_Range=date, **_BOUND), _WHOLE)
        for date in NO_DATES
    ),
    Case("If-Range without Range", ask(_URL, If_Range=_TAG), _WHOLE),
    Case("If-Range: another tag, without Range", ask(_URL, If_Range=_OTHER), _WHOLE),
    Case(
        "If-Range: the tag, and a range beyond the end",
        ask(_URL, If_Range=_TAG, Range="bytes=100-"),
        unsatisfiable(_NAME),
    ),
    Case(
        "If-Range: another tag, and a range beyond the end",
        ask(_URL, If_Range=_OTHER, Range="bytes=100-"),
        _WHOLE,
    ),
    Case("If-Range in a HEAD", ask(_URL, "HEAD", If_Range=_TAG, **_BOUND), _WHOLE),
    Case(
        "If-Range is true and If-Match false",
        ask(_URL, If_Match=_OTHER, If_Range=_TAG, **_BOUND),
        CHANGED,
    ),
    Case(
        "If-Range is false and If-Match true",
        ask(_URL, If_Match=_TAG, If_Range=_OTHER, **_BOUND),
        _WHOLE,
    ),
    Case(
        "If-Range is true and If-None-Match false",
        ask(_URL, If_None_Match=_TAG, If_Range=_TAG, **_BOUND),
        _SAME,
    ),
    Case(
        "If-Range in two lines",
        Request("GET", _URL, (("Range", "bytes=0-9"), ("If-Range", _TAG), ("If-Range", _TAG))),
        _WHOLE,
        rejected_by=_BY_NGINX,
    ),
    Case(
        "If-Range across chunks",
        ask(f"/files/{_CHUNKED}", If_Range=etag_of(_CHUNKED), Range="bytes=4095-4096"),
        part(_CHUNKED, 4095, 4096),
    ),
    Case(
        "a stale If-Range of several chunks",
        ask(f"/files/{_CHUNKED}", If_Range=_TAG, Range="bytes=4095-4096"),
        whole(_CHUNKED),
    ),
]

_PATHS = [
    *(
        Case(f"no such path: {path[-40:]}", ask(path), MISSING, rejected_by=_BY_NGINX)
        for path in (
            "/files/nothing",
            "/files/open",
            "/files/open/",
            "/files//open/hundred.bin",
            "/files/open//hundred.bin",
            "/files/./open/hundred.bin",
            "/files/open/./hundred.bin",
            "/files/open/hundred.bin/",
            "/files/open/hundred.bin/.",
            "/files/open/hundred.bin%00",
            "/files/%00",
            "/files/open/hundred.bin%00.txt",
            "/files/open%2f%2fhundred.bin",
            "/files/open%2f..%2fopen%2fhundred.bin",
            "/files/open/..%2fopen/hundred.bin",
            "/files/..%2f..%2fetc%2fpasswd",
            "/files/%2e%2e/files/open/hundred.bin",
            "/files/open/%2e%2e/open/hundred.bin",
            "/files/open/../open/hundred.bin",
            "/files/%2e/open/hundred.bin",
            "/files/..",
            "/files/.",
            "/files/%2e%2e",
            "/files/open%5chundred.bin",
            "/files/open\\hundred.bin",
            "/files/..%5c..%5cwindows",
            "/files/%2fetc%2fpasswd",
            "/files/%2f%2fevil.example%2fx",
            "/files/open/hundred.bin%09",
            "/files/open/hundred.bin%7f",
            "/files/open/hundred.bin%c2%85",
            "/files/open/hundred.bin%20",
            "/files/%20open/hundred.bin",
            "/files/open/hundred.bin.",
            "/files/OPEN/HUNDRED.BIN",
            "/files/open/%c0%aehundred.bin",
            "/files/%c0%ae%c0%ae/open/hundred.bin",
            "/files/open%c0%afhundred.bin",
            "/files/%ff",
            "/files/%ff%fe",
            "/files/%ed%a0%80",
            "/files/%f4%90%80%80",
            "/files/%252e%252e/open/hundred.bin",
            "/files/open/hundred.bin%3ftoken=x",
            "/files/open/hundred.bin;x=1",
            "/files/open/h%E4%B8%ADndred.bin",
            "/files/%",
            "/files/%zz",
            f"/files/{'x' * 513}",
            f"/files/{'x' * 3000}",
            f"/files/{'x/' * 1000}x",
            f"/files/{'%c3%a9' * 513}",
        )
    ),
    *(
        Case(f"a path that is not ours: {path}", ask(path), NOT_OURS_404)
        for path in ("/files", "/files/", "/files/a%0ab", "/files/%0d%0aSet-Cookie:x=1", "/other")
    ),
    *(
        Case(f"another spelling of the same path: {path}", ask(path), _WHOLE)
        for path in ("/files/open%2fhundred.bin", "/files/%6fpen/h%75ndred.bin")
    ),
    Case("the path of another storage", ask("/invoices/open/hundred.bin"), MISSING),
]

_SECRET = "closed/secret.txt"
_SECRET_URL = f"/files/{_SECRET}"
_GOOD = f"{_SECRET_URL}?token={{signed[{_SECRET}]}}"
_OPENED = whole(_SECRET, signed=True)

_TOKENS = [
    Case("a private file without a token", ask(_SECRET_URL), MISSING),
    Case("a private file with its token", ask(_GOOD), _OPENED),
    *(
        Case(f"a bad token: {query[:60]}", ask(f"{_SECRET_URL}?{query}"), BAD_TOKEN)
        for query in (
            "token=",
            "token",
            "token=bad",
            "token=%00",
            "token=%0d%0aX:1",
            "token=%ff",
            "token=%F0%9F%94%91",
            "token=....",
            "token=1aa.1.1.1.x",
            f"token={'A' * 3000}",
            f"token=1aa.1.1.1.{'A' * 3000}.{'A' * 43}",
            f"token={{truncated[{_SECRET}]}}",
            f"token={{half[{_SECRET}]}}",
            f"token={{upper[{_SECRET}]}}",
            f"token={{lower[{_SECRET}]}}",
            f"token={{respelled[{_SECRET}]}}",
            f"token={{padded[{_SECRET}]}}",
            f"token={{version_2[{_SECRET}]}}",
            f"token={{attachment_added[{_SECRET}]}}",
            f"token={{prolonged[{_SECRET}]}}",
            f"token={{signed[{_SECRET}]}}%00",
            f"token={{signed[{_SECRET}]}}%0a",
            f"token=%20{{signed[{_SECRET}]}}",
            f"token={{signed[{_SECRET}]}}+",
            f"token={{signed[{_SECRET}]}}x",
            f"token={{signed[{_SECRET}]}}.x",
            f"token={{future[{_SECRET}]}}",
            f"token={{foreign[{_SECRET}]}}",
            "token={signed[closed/other.txt]}",
            "token={signed[closed/hundred.bin]}",
            f"token={{signed[{_SECRET}]}}&token={{signed[{_SECRET}]}}",
            f"token={{signed[{_SECRET}]}}&token=",
            f"token=bad&token={{signed[{_SECRET}]}}",
            f"token={{signed[{_SECRET}]}}&%74oken=bad",
        )
    ),
    *(
        Case(f"no token: {query[:60]}", ask(f"{_SECRET_URL}?{query}"), MISSING)
        for query in (
            "",
            f"token[]={{signed[{_SECRET}]}}",
            f"token[0]={{signed[{_SECRET}]}}",
            f"TOKEN={{signed[{_SECRET}]}}",
            f"Token={{signed[{_SECRET}]}}",
            f"tok%00en={{signed[{_SECRET}]}}",
            f"%20token={{signed[{_SECRET}]}}",
            f"x;token={{signed[{_SECRET}]}}",
            f"x=token={{signed[{_SECRET}]}}",
            f"{{signed[{_SECRET}]}}",
        )
    ),
    *(
        Case(f"a good token beside others: {query[:60]}", ask(f"{_SECRET_URL}?{query}"), _OPENED)
        for query in (
            f"utm_source=mail&token={{signed[{_SECRET}]}}",
            f"token={{signed[{_SECRET}]}}&utm_source=mail&x",
            f"&&token={{signed[{_SECRET}]}}&",
            f"%74%6F%6B%65%6E={{signed[{_SECRET}]}}",
            f"token[]=bad&TOKEN=bad&token={{signed[{_SECRET}]}}",
        )
    ),
    *(
        Case(
            f"an unsigned parameter changes no header: {query}",
            ask(f"{_SECRET_URL}?token={{signed[{_SECRET}]}}&{query}"),
            _OPENED,
        )
        for query in (
            "download=evil.exe",
            "attachment=1",
            "filename=evil.exe",
            "response-content-type=text/html",
            "response-content-disposition=attachment",
            "content_type=text/html&inline=1",
            "expires=99999999999",
            "f=evil.exe&a=1",
        )
    ),
    *(
        Case(
            f"a long token: {size}",
            ask(f"{_SECRET_URL}?token={'A' * size}"),
            BAD_TOKEN,
            rejected_by={"gunicorn": 414, "nginx": 414},
        )
        for size in (8 * 1024, 60 * 1024)
    ),
    Case(
        "nine hundred parameters",
        ask(f"{_SECRET_URL}?{'a&' * 900}token={{signed[{_SECRET}]}}"),
        _OPENED,
    ),
    Case("an expired token", ask(f"{_SECRET_URL}?token={{expired[{_SECRET}]}}"), EXPIRED),
    Case(
        "an expired token in HEAD",
        ask(f"{_SECRET_URL}?token={{expired[{_SECRET}]}}", "HEAD"),
        EXPIRED,
    ),
    Case("a lifetime over the cap", ask(f"{_SECRET_URL}?token={{too_long[{_SECRET}]}}"), EXPIRED),
    Case(
        "an expired token of another file is only bad",
        ask(f"{_SECRET_URL}?token={{expired[closed/other.txt]}}"),
        BAD_TOKEN,
    ),
    Case(
        "a server's clock may be a little ahead",
        ask(f"{_SECRET_URL}?token={{slightly_early[{_SECRET}]}}"),
        _OPENED,
    ),
    *(
        Case(
            f"a link that no longer works: {name}",
            ask(f"/files/{name}?token={{signed[{name}]}}"),
            REVOKED,
        )
        for name in ("closed/replaced.txt", "closed/deleted.txt", "closed/renamed.txt")
    ),
    Case(
        "a link survives an overwrite",
        ask("/files/closed/overwritten.txt?token={signed[closed/overwritten.txt]}"),
        whole("closed/overwritten.txt", signed=True),
    ),
    Case(
        "a link to a file that is public by now",
        ask("/files/closed/opened.txt?token={signed[closed/opened.txt]}"),
        whole("closed/opened.txt", signed=True),
    ),
    Case(
        "a file that is public by now",
        ask("/files/closed/opened.txt"),
        whole("closed/opened.txt"),
    ),
    Case("a file that is private by now", ask("/files/open/closed.txt"), MISSING),
    Case("a bad token for a public file", ask(f"{_URL}?token=bad"), BAD_TOKEN),
    Case("an empty token for a public file", ask(f"{_URL}?token="), BAD_TOKEN),
    Case(
        "a good token for a public file makes the answer private",
        ask(f"{_URL}?token={{signed[{_NAME}]}}"),
        whole(_NAME, signed=True),
    ),
    Case("a bad token on a name that can't be", ask("/files/a//b?token=bad"), MISSING),
    Case(
        "a download by its token",
        ask("/files/closed/note.txt?token={attachment[closed/note.txt]}"),
        whole(
            "closed/note.txt",
            signed=True,
            content_disposition='attachment; filename="note.txt"',
            x_frame_options="DENY",
        ),
    ),
    Case(
        "a PDF as a download is sandboxed",
        ask("/files/closed/paper.pdf?token={attachment[closed/paper.pdf]}"),
        whole(
            "closed/paper.pdf",
            signed=True,
            content_disposition='attachment; filename="paper.pdf"',
            content_security_policy=_SANDBOX,
            x_frame_options="DENY",
        ),
    ),
    Case(
        "a signed file name",
        ask("/files/closed/paper.pdf?token={named[closed/paper.pdf]}"),
        whole(
            "closed/paper.pdf",
            signed=True,
            content_disposition="inline; filename*=utf-8''R%C3%A9%22port%3B%20x%3D%2541.pdf",
        ),
    ),
    Case(
        "a signed file name changes no type",
        ask("/files/closed/page.html?token={named[closed/page.html]}"),
        whole(
            "closed/page.html",
            signed=True,
            content_disposition="attachment; filename*=utf-8''R%C3%A9%22port%3B%20x%3D%2541.pdf",
        ),
    ),
    Case(
        "a copy is not kept longer than its link works",
        ask(f"{_SECRET_URL}?token={{short[{_SECRET}]}}"),
        whole(_SECRET, signed=True, cache_control=re.compile(r"private, max-age=(100|[89]\d)")),
    ),
    Case(
        "a private file behind a hook, and nobody signed in",
        ask("/invoices/closed/secret.txt?token={foreign[closed/secret.txt]}"),
        REVOKED,
    ),
]

_FOLDERS = [
    Case(
        "a private file by the link of its folder",
        ask("/files/~{folder[closed]}/closed/secret.txt"),
        whole("closed/secret.txt", signed=True),
    ),
    Case(
        "the tilde of a folder's link may be encoded",
        ask("/files/%7E{folder[closed]}/closed/secret.txt"),
        whole("closed/secret.txt", signed=True),
    ),
    Case(
        "a part of a file by the link of its folder",
        ask("/files/~{folder[closed]}/closed/hundred.bin", Range="bytes=10-19"),
        part("closed/hundred.bin", 10, 19, signed=True),
    ),
    Case(
        "HEAD by the link of a folder",
        ask("/files/~{folder[closed]}/closed/hundred.bin", "HEAD"),
        whole("closed/hundred.bin", signed=True),
    ),
    *(
        Case(
            f"the policy of a file by the link of its folder: {name}",
            ask(f"/files/~{{folder[closed]}}/closed/{name}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in ("page.html", "drawing.svg", "script.js", "paper.pdf", "picture.png")
    ),
    *(
        Case(
            f"an odd name by the link of its folder: {name[:20]}",
            ask(f"/files/~{{folder[closed]}}/closed/{quote(name)}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in ODD_NAMES
    ),
    Case(
        "a public file by the link of its folder",
        ask(f"/files/~{{folder[open]}}/{_NAME}"),
        whole(_NAME, signed=True),
    ),
    *(
        Case(f"{what}, by the link of a folder", ask(f"/files/~{target}"), BAD_TOKEN)
        for what, target in (
            ("a file of another folder", "{folder[open]}/closed/secret.txt"),
            ("a file whose folder begins alike", "{folder[close]}/closed/secret.txt"),
            ("a file by the link of itself", "{folder[closed/secret.txt]}/closed/secret.txt"),
            ("another depth", "{deeper_folder[closed]}/closed/secret.txt"),
            ("another spelling", "{respelled_folder[closed]}/closed/secret.txt"),
            ("two tokens", f"{{folder[closed]}}/{_SECRET}?token={{signed[{_SECRET}]}}"),
            ("an empty second token", f"{{folder[closed]}}/{_SECRET}?token="),
            ("two in the path", f"{{folder[closed]}}/~{{folder[closed]}}/{_SECRET}"),
        )
    ),
    Case(
        "the token of a folder in the query",
        ask(f"{_SECRET_URL}?token={{folder[closed]}}"),
        BAD_TOKEN,
    ),
    *(
        Case(f"{what} in the path", ask(f"/files/~{target}"), MISSING)
        for what, target in (
            ("the token of a file", f"{{signed[{_SECRET}]}}/{_SECRET}"),
            ("half of a token", f"{{half[{_SECRET}]}}/{_SECRET}"),
            ("the token of a folder alone", "{folder[closed]}"),
            ("the token of a folder with a slash", "{folder[closed]}/"),
            ("a way up", "{folder[closed]}/closed/../open/hundred.bin"),
            ("an empty segment", "{folder[closed]}//closed/secret.txt"),
        )
    ),
    Case("a folder itself, by its link", ask("/files/~{folder[closed]}/closed"), BAD_TOKEN),
    Case(
        "a folder's link that has expired",
        ask(f"/files/~{{expired_folder[closed]}}/{_SECRET}"),
        EXPIRED,
    ),
    Case(
        "a file that came after the folder's link",
        ask(f"/files/~{{older_folder[closed]}}/{_SECRET}"),
        REVOKED,
    ),
    Case(
        "no file, by the link of its folder", ask("/files/~{folder[closed]}/closed/none"), REVOKED
    ),
]

_OVER = f"sessionid={'0' * 32}; csrftoken={'a' * 32}"

_HEADERS = [
    Case(
        "a giant X-Forwarded-For",
        ask(_URL, X_Forwarded_For=", ".join(f"10.0.{n}.1" for n in range(256))),
        _WHOLE,
    ),
    *(
        Case(f"X-Forwarded-For: {value[:30]}", ask(_URL, X_Forwarded_For=value), _WHOLE)
        for value in ("", ",", "unknown", "999.1.1.1", "[::1", "1.2.3.4:555", "'; DROP TABLE", "é")
    ),
    *(
        Case(f"Host, not known: {host!r}", ask(_URL, Host=host), NOT_OURS_400)
        for host in ("evil.example", "a b", "127.0.0.1:x", "127.0.0.1/..", "[::1", "")
    ),
    Case("X-Forwarded-Host is not believed", ask(_URL, X_Forwarded_Host="evil.example"), _WHOLE),
    Case(
        "a Referer of ours with a token",
        ask(
            _URL,
            Host="testserver",
            Referer=f"http://testserver{_SECRET_URL}?token={{signed[{_SECRET}]}}",
        ),
        _WHOLE,
    ),
    Case("a Referer that is none", ask(_URL, Referer="http://[::1?token=x"), _WHOLE),
    Case("a Referer in bytes", ask(_URL, Referer=b"http://x/\xff?token=\xff"), _WHOLE),
    *(
        Case(f"Accept-Encoding of {name}", ask(target, Accept_Encoding="gzip, br"), expected)
        for name, target, expected in (
            ("a long text", "/files/open/long.txt", whole("open/long.txt")),
            ("a text of chunks", f"/files/{_CHUNKED}", whole(_CHUNKED)),
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
        ask(f"/files/{_CHUNKED}", Accept_Encoding="gzip", Range="bytes=4000-9000"),
        part(_CHUNKED, 4000, 9000),
    ),
    Case(
        "Accept-Encoding and If-None-Match",
        ask(_URL, Accept_Encoding="gzip", If_None_Match=_TAG),
        _SAME,
    ),
    Case("Accept-Encoding in a HEAD", ask(_URL, "HEAD", Accept_Encoding="gzip"), _WHOLE),
    Case("Accept asks for another type", ask(_URL, Accept="application/json"), _WHOLE),
    *(
        Case(f"a session that is over, and {name}", ask(target, Cookie=_OVER), expected)
        for name, target, expected in (
            ("a public file", _URL, _WHOLE),
            ("a private file", _GOOD, _OPENED),
            ("a refusal", "/files/nothing", MISSING),
        )
    ),
    Case(
        "a session that is none: SessionMiddleware may not delete its cookie in what caches share",
        ask(_URL, Cookie="sessionid=x"),
        whole(_NAME, vary="Cookie"),
    ),
    Case("Authorization is not ours", ask(_SECRET_URL, Authorization="Bearer x"), MISSING),
    Case("a token in a header is none", ask(_SECRET_URL, Token="x", X_Token="x"), MISSING),
]

_POLICY = [
    *(
        Case(
            f"the policy of a public file: {name}",
            ask(f"/files/open/{name}"),
            whole(f"open/{name}"),
        )
        for name in KINDS
    ),
    *(
        Case(
            f"the policy of a private file: {name}",
            ask(f"/files/closed/{name}?token={{signed[closed/{name}]}}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in KINDS
    ),
    *(
        Case(
            f"the policy of HEAD: {name}",
            ask(f"/files/open/{name}", "HEAD"),
            whole(f"open/{name}"),
        )
        for name in ("page.html", "paper.pdf")
    ),
    *(
        Case(
            f"the policy of a part: {name}",
            ask(f"/files/open/{name}", Range="bytes=1-5"),
            part(f"open/{name}", 1, 5),
        )
        for name in ("page.html", "paper.pdf")
    ),
    *(
        Case(
            f"a private name: {name[:20]}",
            ask(f"/files/closed/{quote(name)}?token={{signed[closed/{name}]}}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in ODD_NAMES
    ),
    *(
        Case(
            f"a public name: {name[:20]}",
            ask(f"/files/open/{quote(name)}"),
            whole(f"open/{name}"),
        )
        for name in ODD_NAMES
    ),
]

#: All cases.
CASES = (
    *_METHODS,
    *_PRECONDITIONS,
    *_RANGES,
    *_IF_RANGE,
    *_PATHS,
    *_TOKENS,
    *_FOLDERS,
    *_HEADERS,
    *_POLICY,
)
