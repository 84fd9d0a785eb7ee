"""Signing keys: derived once for each purpose, because deriving costs as much as signing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from itsdangerous.signer import Signer

from secure_dbstorage.links.encodings import PAIRS, base64url

#: Bytes of a binding's digest. The user or network it stands for is no secret: it just can't be
#: read in passing.
_BINDING_BYTES = 16


class Purpose(Enum):
    """The purposes that have a derived key. A signature made for one is invalid for another."""

    FILE = b"secure_dbstorage.v1.get"
    FOLDER = b"secure_dbstorage.v1.folder"
    BINDING = b"secure_dbstorage.v1.binding"
    KEY_ID = b"secure_dbstorage.v1.key_id"


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
    """The keys derived from one secret key, one for each purpose."""

    #: Two characters that tell which key signed a token.
    id: str
    _hmacs: Mapping[Purpose, HMAC] = field(repr=False)

    def hmac(self, purpose: Purpose) -> HMAC:
        """Return the HMAC that signs for a purpose."""
        return self._hmacs[purpose]

    def binding(self, kind: str, value: str) -> str:
        """Return the digest of the user or the network that a link is for."""
        digest = self._hmacs[Purpose.BINDING].digest(f"{kind}:{value}".encode())
        return base64url(digest[:_BINDING_BYTES])


@lru_cache(maxsize=32)
def derive(secret: bytes) -> SigningKey:
    """Return the signing key for a secret key."""
    derived = {purpose: _derived(secret, salt=purpose.value) for purpose in Purpose}
    number = int.from_bytes(derived.pop(Purpose.KEY_ID))
    hmacs = {purpose: HMAC(key) for purpose, key in derived.items()}
    return SigningKey(PAIRS[number % len(PAIRS)], hmacs)


def _derived(secret: bytes, *, salt: bytes) -> bytes:
    signer = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.derive_key()
