"""Header fields of uploads, parsed: those of tus 1.0.0, and the digests of RFC 9530."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from secure_dbstorage.names import has_control_character
from secure_dbstorage.receiving.faults import Fault, Rejected

#: The longest Upload-Metadata, in characters. It is in the token of the upload, which has to fit
#: into a request line.
MAX_METADATA_LENGTH = 1024

#: No real length has more digits.
_NUMBER = re.compile(r"[0-9]{1,40}", re.ASCII)

#: A key and its value. A key is printable ASCII without commas.
_PAIR = re.compile(r"([!-+\--~]+)(?: ([A-Za-z0-9+/]*={0,2}))?", re.ASCII)

#: The keys under which clients send the name of a file: that of tus, and Uppy's.
_NAME_KEYS = ("filename", "name")

#: The name of an upload that waits for a form, if its client gave none.
UNNAMED = "upload"

_CHECKSUM = re.compile(r"(sha1|sha256) ([A-Za-z0-9+/]+={0,2})", re.ASCII)

#: A member of a dictionary that is a byte sequence (RFC 9651 sections 3.2 and 3.3.5).
_DIGEST = re.compile(r"(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]*={0,2}):", re.ASCII)

_DIGEST_BYTES = {"sha1": 20, "sha256": 32}


def number(meta: Mapping[str, Any], field: str) -> int:
    """Return the value of a field that is a number.

    :raises Rejected: 400 without one.
    """
    text = meta.get(_key(field), "")
    if not _NUMBER.fullmatch(text):
        raise Rejected(Fault.FIELD, field=field)
    return int(text)


def content_length(meta: Mapping[str, Any]) -> int:
    """Return the length of a body.

    :raises Rejected: 411 for a body that doesn't declare it. Under WSGI it would look empty.
    """
    # A body in chunks is as long as they are, and a Content-Length beside them a lie (RFC 9112
    # section 6.3): uvicorn lets both through, and the file would lose its end.
    text = "" if "HTTP_TRANSFER_ENCODING" in meta else meta.get("CONTENT_LENGTH", "")
    if not _NUMBER.fullmatch(text):
        raise Rejected(Fault.NO_LENGTH)
    return int(text)


def has_body(meta: Mapping[str, Any]) -> bool:
    """Tell whether a request has a body, or might have one."""
    is_empty = meta.get("CONTENT_LENGTH", "") in ("", "0")
    return not is_empty or "HTTP_TRANSFER_ENCODING" in meta


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client says about an upload."""

    #: As it was sent.
    text: str
    #: The last segment of the file's name; "" without one.
    filename: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the metadata in an Upload-Metadata field.

        :raises Rejected: 400.
        """
        pairs: dict[str, bytes] = {}
        if len(text) > MAX_METADATA_LENGTH:
            raise _bad_metadata()
        for part in text.split(",") if text else ():
            match = _PAIR.fullmatch(part.strip(" \t"))
            if match is None or match[1] in pairs:
                raise _bad_metadata()
            pairs[match[1]] = _decoded(match[2] or "", "Upload-Metadata")
        return cls(text, _filename(next((pairs[key] for key in _NAME_KEYS if key in pairs), b"")))


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece must be."""

    #: A name that :mod:`hashlib` knows.
    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the checksum in an Upload-Checksum field.

        :raises Rejected: 400, also for an algorithm that we don't support.
        """
        match = _CHECKSUM.fullmatch(text)
        if match is None:
            raise Rejected(Fault.FIELD, field="Upload-Checksum")
        digest = _decoded(match[2], "Upload-Checksum")
        if len(digest) != _DIGEST_BYTES[match[1]]:
            raise Rejected(Fault.FIELD, field="Upload-Checksum")
        return cls(match[1], digest)


def sha256_digests(meta: Mapping[str, Any]) -> set[str]:
    """Return what a body's SHA-256 must be, in hexadecimal digits. Other digests don't count.

    :raises Rejected: 400.
    """
    digests = set()
    for field in ("Repr-Digest", "Content-Digest"):
        for text in _DIGEST.findall(meta.get(_key(field), "")):
            digest = _decoded(text, field)
            if len(digest) != _DIGEST_BYTES["sha256"]:
                raise Rejected(Fault.FIELD, field=field)
            digests.add(digest.hex())
    return digests


def _key(field: str) -> str:
    return f"HTTP_{field.upper().replace('-', '_')}"


def _decoded(text: str, field: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise Rejected(Fault.FIELD, field=field) from None


def _filename(encoded: bytes) -> str:
    """Return the last segment of a client's name."""
    try:
        name = encoded.decode().replace("\\", "/").rpartition("/")[2]
    except UnicodeDecodeError:
        raise _bad_metadata() from None
    if has_control_character(name) or name in (".", ".."):
        raise _bad_metadata()
    return name


def _bad_metadata() -> Rejected:
    return Rejected(Fault.FIELD, field="Upload-Metadata")
