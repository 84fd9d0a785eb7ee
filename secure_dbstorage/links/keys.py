"""Signing keys: derived once for each purpose, because deriving costs as much as signing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from itsdangerous.signer import Signer

from secure_dbstorage.links.encodings import PAIRS, base64url

#: Bytes of a binding's digest. The user or network it stands for is no secret: it just can't be
#: read in passing.
_BINDING_BYTES = 16


class Purpose(StrEnum):
    """What a token is for, with the letter that says so. Each purpose has its own derived key.

    A signature made for one is invalid for every other.
    """

    #: One file. These tokens are the most frequent and the shortest: they have no letter.
    FILE = ""
    #: The files below a directory.
    FOLDER = "F"
    #: Beginning an upload.
    UPLOAD = "U"
    #: Continuing one upload that has begun.
    PART = "P"
    #: The files below a directory, packed into one zip archive.
    ZIP = "Z"
    #: Fetching a content for the cache of a proxy.
    CONTENT = "C"


class HMAC:
    """HMAC-SHA256 of many messages under one key.

    The key's two blocks are hashed once for all messages, as RFC 2104 section 4 suggests. A token
    is shorter than what :mod:`hmac` would hash again each time.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(hashlib.sha256().block_size, b"\0")  # A derived key is shorter.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def sign(self, message: bytes) -> str:
        """Return the signature of a message."""
        return base64url(self.digest(message))

    def digest(self, message: bytes) -> bytes:
        """Return the 32 bytes of a signature."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The keys derived from one secret key: one for each purpose, and one for bindings."""

    #: Two characters that tell which key signed a token.
    id: str
    _hmacs: Mapping[Purpose, HMAC] = field(repr=False)
    _binding: HMAC = field(repr=False)

    def hmac(self, purpose: Purpose) -> HMAC:
        """Return the HMAC that signs for a purpose."""
        return self._hmacs[purpose]

    def binding(self, kind: str, value: str) -> str:
        """Return the digest of the user or the network that a link is for."""
        digest = self._binding.digest(f"{kind}:{value}".encode())
        return base64url(digest[:_BINDING_BYTES])


@lru_cache(maxsize=32)
def derive(secret: bytes) -> SigningKey:
    """Return the signing key for a secret key."""
    number = int.from_bytes(_derived(secret, "key_id"))
    return SigningKey(
        PAIRS[number % len(PAIRS)],
        {purpose: HMAC(_derived(secret, purpose.name.lower())) for purpose in Purpose},
        HMAC(_derived(secret, "binding")),
    )


def _derived(secret: bytes, name: str) -> bytes:
    salt = f"secure_dbstorage.v1.{name}"
    signer = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.derive_key()
