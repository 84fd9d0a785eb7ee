"""Requests, and the answers that they expect: each kind of answer has its policy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.http_cases.files import CONTENTS, KINDS, LAST_MODIFIED, ODD_NAMES, etag_of

Value = str | re.Pattern[str]

SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_PROTECTED = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": SANDBOX,
    "cross-origin-opener-policy": "same-origin",  # by SecurityMiddleware
    "cross-origin-resource-policy": "same-site",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
}
_REFUSAL = {**_PROTECTED, "content-language": "en"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as it is sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str | bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer that should come back."""

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


def problem(status: int, reason: str, **changes: str) -> Expected:
    """Return a refusal as JSON."""
    fields = {**_REFUSAL, "content-type": "application/problem+json", **_named(changes)}
    return Expected(status, fields, text=f'"reason": "{reason}"')


def takes_uploads(allow: str) -> Expected:
    """Return the refusal of a request for a file with a token that is for uploads."""
    fields = {**_REFUSAL, "content-type": "application/problem+json", "tus-resumable": "1.0.0"}
    return Expected(405, {**fields, "allow": allow}, text='"reason": "method"')


def unsatisfiable(name: str) -> Expected:
    """Return the answer 416."""
    size = len(CONTENTS[name])
    return refused(416, "This part of the file doesn’t exist", content_range=f"bytes */{size}")


def _named(changes: Mapping[str, Value]) -> dict[str, Value]:
    return {name.replace("_", "-"): value for name, value in changes.items()}


def _policy(kind: str) -> str:
    if kind.startswith(("audio/", "video/")):
        return SANDBOX.replace("sandbox", "media-src 'self'; sandbox allow-same-origin")
    return SANDBOX.removesuffix("; sandbox") if kind == "application/pdf" else SANDBOX


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
        "content-security-policy": _policy(kind),
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


#: Without a token: shared caches may keep it for a second.
_FOR_A_SECOND = "public, max-age=0, s-maxage=1"

MISSING = refused(404, "There is nothing here", cache_control=_FOR_A_SECOND)
MISSING_PROBLEM = problem(404, "missing", cache_control=_FOR_A_SECOND)

#: With a token, it is kept by nobody.
MISSING_WITH_TOKEN = refused(404, "There is nothing here")

BAD_TOKEN = refused(403, "This link doesn’t work")

EXPIRED = refused(403, "This link has expired")

REVOKED = refused(403, "This link no longer works")

CHANGED = refused(412, "The file has changed")

NOT_ALLOWED = refused(405, "read-only", allow="GET, HEAD, OPTIONS")

#: Django answers, and our view is not asked.
NOT_OURS_404 = Expected(404)

NOT_OURS_400 = Expected(400)

METHODS = Expected(200, {**_PROTECTED, "allow": "GET, HEAD, OPTIONS", "content-length": "0"}, b"")
