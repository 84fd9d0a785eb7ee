"""The targets of fuzzing: for each parser, a function that checks what it makes of one input."""

import re
import string
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from secure_dbstorage.addresses import parse_address
from secure_dbstorage.exceptions import BadToken, ExpiredToken, UnsatisfiableRange
from secure_dbstorage.links.claims import CLOCK_SKEW
from secure_dbstorage.links.grants import Grant, PlaceKind, UploadGrant, UploadPlace
from secure_dbstorage.links.paths import MARKED_TOKEN
from secure_dbstorage.links.signer import LinkSigner
from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.redaction import without_tokens
from secure_dbstorage.serving.clients import Client, budget_of
from secure_dbstorage.serving.ranges import (
    MAX_HEADER_LENGTH,
    ByteRange,
    if_range_holds,
    parse_range,
)
from tests.support.tokens import written, written_upload

# --- tokens --------------------------------------------------------------------------------------

NOW = 1785240000
_EPOCH = 1785225600123456
_KEY = b"a secret key of 32 bytes or more"
_OLDER_KEY = b"another secret key of >= 32 bytes"

_STRANGERS_KEY = b"the key of somebody else, 32 bytes"

_AUDIENCE = Audience("default", "acme", "")


def signer() -> LinkSigner:
    """Return a new signer, which has kept no token."""
    return LinkSigner([_KEY, _OLDER_KEY], namespace="invoices")


_signer = signer()

_PLAIN = Grant(link_epoch=_EPOCH, issued=NOW, lifetime=3600)

#: A token of any purpose, read without a look at our own expressions.
_GRAMMAR = re.compile(
    r"1[0-9a-z]{2}[A-Z]?a?m?(-[0-9a-z]{1,13})?(\.[0-9a-z]{1,12}){3}(\.[\w-]+)?\.[\w-]{43}",
    re.ASCII,
)

#: By name: what each token says, and who signed it for which file.
_SIGNED: dict[str, dict[str, Grant]] = {}
#: Tokens with a valid HMAC that aren't for us, or not valid now.
_NOT_OURS: list[str] = []

#: The folder of each token for one.
_FOLDERS: dict[str, str] = {}

#: What each token for uploads says.
_UPLOADS: dict[str, UploadGrant] = {}

#: Tokens of purposes that nobody knows yet, as they would be signed.
_LATER: list[str] = []


def _signed(name: str, grant: Grant, **others: Any) -> str:
    ours: dict[str, Any] = {"key": _KEY, "namespace": "invoices", "audience": _AUDIENCE}
    return written(name, grant, **(ours | others))


def _prepare() -> None:
    for folder in ("a", "a/b"):
        _FOLDERS[_signed("", replace(_PLAIN, folder=folder))] = folder
    for grant in _upload_grants():
        ours: dict[str, Any] = {"key": _KEY, "namespace": "invoices", "audience": _AUDIENCE}
        _UPLOADS[written_upload(grant.place.spelling, grant, **ours)] = grant
    full = replace(_PLAIN, attachment=True, filename="Ré.pdf", network=(24, "x" * 22))
    grants = (
        _PLAIN,
        full,
        replace(_PLAIN, user="u" * 22, nonce="n" * 11),
        replace(_PLAIN, link_epoch=0, issued=0, lifetime=2**31 - 1),
        replace(_PLAIN, lifetime=1, issued=NOW + 60),
        replace(_PLAIN, unseen=True),
        replace(full, unseen=True, nonce="n" * 11),
    )
    for name in ("a.pdf", "2026/é.pdf"):
        _SIGNED[name] = {_signed(name, grant): grant for grant in grants}
        _SIGNED[name][_signed(name, _PLAIN, key=_OLDER_KEY)] = _PLAIN
        archive = replace(_PLAIN, folder=name, is_zip=True)
        _SIGNED[name][_signed(name, archive)] = archive
        _NOT_OURS.extend(
            (
                _signed(name, _PLAIN, key=_STRANGERS_KEY),
                _signed(name, _PLAIN, namespace="invoice"),
                _signed(name, _PLAIN, audience=("default", "other", "")),
                _signed(name, _PLAIN, audience=("", "", "acme")),
                _signed(name, replace(_PLAIN, issued=NOW - 3600)),
                _signed(name, replace(_PLAIN, issued=NOW + 61)),
            )
        )
        _LATER.extend(
            _signed(name, grant, purpose=(letter, key_name))
            for letter, key_name in (("U", "upload"), ("C", "cache"), ("A", "file"), ("F", "file"))
            for grant in (_PLAIN, replace(_PLAIN, folder="a"))
        )


def _upload_grants() -> list[UploadGrant]:
    nowhere, folder = UploadPlace(PlaceKind.NOWHERE, ""), UploadPlace(PlaceKind.FOLDER, "in")
    file = UploadPlace(PlaceKind.FILE, "in/a.txt")
    begin = UploadGrant(link_epoch=0, issued=NOW, lifetime=60, place=nowhere, max_size=9)
    part = replace(
        begin, issued=0, lifetime=0, max_size=0, key=2**62 - 1, metadata="filename YQ=="
    )
    return [
        begin,
        replace(begin, place=folder, types=("image/*",), user="u" * 22),
        replace(begin, place=file, overwrite=True, sha256="ab" * 32, network=(24, "x" * 22)),
        part,
        replace(part, place=file, overwrite=True, user="u" * 22),
    ]


_prepare()


def tokens() -> list[str]:
    """Return tokens to begin with: good ones, and others that look good."""
    good = [token for signed in _SIGNED.values() for token in signed]
    return [*good, *_NOT_OURS, *_FOLDERS, *_UPLOADS, *_LATER]


def check_token(data: bytes) -> None:
    """Read a token for two files: only the exact text that was signed for one opens it."""
    text = data.decode("utf-8", "surrogateescape" if data[:1] == b"\x00" else "replace")
    _check_file_token(text)
    _check_folder_token(text)
    _check_upload_token(text)
    _check_redaction(text)


def _check_file_token(text: str) -> None:
    for name, signed in _SIGNED.items():
        try:
            grant = _signer.unsign(name, text, _AUDIENCE, max_lifetime=2**31, now=NOW)
        except ExpiredToken:
            assert text in _NOT_OURS, "Expiry is told to someone without an authentic token"
            continue
        except BadToken:
            assert text not in signed, "A good token is refused"
            continue
        assert text in signed, "A token that nobody signed opens a file"
        meant = replace(
            signed[text],
            link_id=text.rpartition(".")[2][:8],
            use_key=grant.use_key,
            usable_until=grant.issued + grant.lifetime + CLOCK_SKEW if grant.is_for_once else 0,
        )
        assert grant == meant, "A token says something that was not signed"
        assert bool(grant.use_key) == grant.is_for_once
        assert 0 <= grant.use_key < 2**62


def _check_folder_token(text: str) -> None:
    """Read a token for the folder of a file: only the exact text that was signed opens it."""
    for name in ("a/b/c.ts", "a/c.ts", "c.ts"):
        try:
            grant = _signer.unsign(
                name, text, _AUDIENCE, in_path=True, max_lifetime=2**31, now=NOW
            )
        except BadToken:
            assert text not in _FOLDERS or not name.startswith(f"{_FOLDERS[text]}/")
        else:
            assert name.startswith(f"{_FOLDERS[text]}/"), (
                "A token that nobody signed opens a folder"
            )
            assert grant.folder == _FOLDERS[text]


def _check_upload_token(text: str) -> None:
    """Read a token for uploads to a few places: only what was signed for one allows it."""
    for path in ("~", "in/", "in/a.txt"):
        meant = _UPLOADS.get(text)
        is_good = meant is not None and meant.place.spelling == path
        try:
            grant = _signer.unsign_upload(path, text, _AUDIENCE, max_lifetime=2**31, now=NOW)
        except BadToken:
            assert not is_good, "A good token is refused"
        else:
            assert is_good, "A token that nobody signed allows an upload"
            assert meant is not None
            assert grant == replace(meant, link_id=text.rpartition(".")[2][:8])


def _check_redaction(text: str) -> None:
    """Take a token out of a line of a log: whatever has the grammar of one is gone."""
    for line in (f"GET /files/~{text}/a.ts HTTP/1.1", f"GET /files/a.pdf?token={text} HTTP/1.1"):
        cleaned = without_tokens(line)
        if _GRAMMAR.fullmatch(text):
            assert text not in cleaned, "A token is left in a log"
            assert MARKED_TOKEN.search(f"x/~{text}/a"), "A token is left in a path"


# --- ranges --------------------------------------------------------------------------------------

_ETAG = f'"{"ab" * 32}"'
_MODIFIED = NOW
_DATES = {
    "Tue, 28 Jul 2026 12:00:00 GMT",
    "Tuesday, 28-Jul-26 12:00:00 GMT",
    "Tue Jul 28 12:00:00 2026",
}


def check_range(data: bytes) -> None:
    """Read a Range and an If-Range header for a file: the size is in the first two bytes."""
    size, header = int.from_bytes(data[:2]) % 1025, data[2:].decode("latin-1")
    assert _answer(header, size) == range_by_the_rfc(header, size), (header[:200], size)
    part = _answer(header, 2**63)
    if isinstance(part, ByteRange):
        assert 0 <= part.start < part.stop <= 2**63
    if if_range_holds(header, etag=_ETAG, last_modified=_MODIFIED):
        value = header.strip(" \t")
        # Dates are Django's to read; it takes any case and any word for the name of the day.
        assert value == _ETAG or _without_day(value) in map(_without_day, _DATES), value


def _without_day(date: str) -> str:
    return re.sub(r"^\w+", "", date.lower())


def _answer(header: str, size: int) -> ByteRange | str | None:
    try:
        return parse_range(header, size)
    except UnsatisfiableRange:
        return "unsatisfiable"


def range_by_the_rfc(header: str, size: int) -> ByteRange | str | None:
    """Read a Range header by the grammar of RFC 9110 section 14.1.2, a character at a time.

    Slow, and written without a look at ours; where the RFC leaves a choice, it takes ours: one
    range, not above a length, and none of an empty file.
    """
    if size == 0 or len(header) > MAX_HEADER_LENGTH or header[:6].lower() != "bytes=":
        return None
    elements = [element.strip(" \t") for element in header[6:].split(",")]
    elements = [element for element in elements if element]
    if len(elements) != 1:
        return None
    digits, dash, rest = _digits(elements[0])
    more, end, _ = _digits(rest)
    if dash != "-" or end or not (digits or more):
        return None
    if not digits:
        chosen = range(max(size - _clamped(more), 0), size)
    elif more and _is_less(more, digits):
        return None
    else:
        chosen = range(_clamped(digits), min(_clamped(more) + 1, size) if more else size)
    return ByteRange(chosen.start, chosen.stop) if chosen else "unsatisfiable"


def _digits(text: str) -> tuple[str, str, str]:
    """Return the digits at the beginning, the character after them, and the rest."""
    place = 0
    while place < len(text) and text[place] in string.digits:
        place += 1
    return text[:place], text[place : place + 1], text[place + 1 :]


def _clamped(digits: str) -> int:
    number = 0
    for digit in digits:
        number = min(number * 10 + string.digits.index(digit), 2**64)
    return number


def _is_less(one: str, other: str) -> bool:
    one, other = one.lstrip("0"), other.lstrip("0")
    return (len(one), one) < (len(other), other)


# --- addresses -----------------------------------------------------------------------------------

_PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
_CLIENT = "203.0.113.9"


def check_address(data: bytes) -> None:
    """Read a peer and a header: one client, whatever a stranger wrote to the left."""
    peer, _, forwarded = data.decode("latin-1").partition("\n")
    for proxies in ([], _PROXIES):
        client = Client.of({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}, proxies)
        address = client.address
        if address is None:
            assert client.certain_address is None
            assert client.budget == ("unknown" if proxies else client.budget)
            continue
        assert parse_address(str(address)) == address
        assert parse_address(budget_of(address)) is not None
        assert not (isinstance(address, IPv6Address) and address.ipv4_mapped)
    # The address that the proxy itself saw is at the end.
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": f"{forwarded}, {_CLIENT}"}
    assert Client.of(meta, _PROXIES).address == IPv4Address(_CLIENT)
    assert Client.of({**meta, "REMOTE_ADDR": _CLIENT}, _PROXIES).address == IPv4Address(_CLIENT)
    for text in (peer, forwarded):
        # A longer one has a zone of that length, and is not a client's.
        if len(text) <= 100:
            with suppress(ValueError):
                plain = ip_address(text)
                meant = getattr(plain, "ipv4_mapped", None) or _without_zone(plain)
                assert parse_address(text) == meant, text


def _without_zone(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return ip_address(str(address).partition("%")[0])


#: What ``python -m tests.fuzz`` can be told to fuzz, each with inputs to begin with.
TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "token": (check_token, [token.encode() for token in tokens()]),
    "range": (
        check_range,
        [
            b"\x00\x64" + header.encode("latin-1")
            for header in (
                *(
                    "bytes=0-0",
                    "bytes=-1",
                    "bytes=99-",
                    "bytes=0-0,1-1",
                    "bytes=,, 5-7 ,",
                    "items=0-1",
                ),
                *("BYTES=00-01", "bytes=1-0", "bytes=-0", "bytes=+1-2", "bytes=\xb2-", _ETAG),
                *(f"bytes={'9' * 30}-{'9' * 29}", f"bytes={'9' * 30}-", f"bytes=-{'9' * 4000}"),
                *(f"W/{_ETAG}", *sorted(_DATES)),
            )
        ],
    ),
    "address": (
        check_address,
        [
            text.encode("latin-1")
            for text in (
                *(
                    "10.0.0.1\n1.2.3.4, 10.0.0.2",
                    "::ffff:10.0.0.1\n[2001:db8::7]:555",
                    "\n",
                    "x\n,",
                ),
                *("fd00::1\nfe80::1%eth0, unknown", '1.2.3.4:5\n"1.2.3.4"', "127.0.0.1\n::1"),
            )
        ],
    ),
}
