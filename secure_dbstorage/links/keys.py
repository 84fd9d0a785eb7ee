"""Signing keys: derived once for each purpose, since that costs as much as signing."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from itsdangerous.signer import Signer

from secure_dbstorage.links.encodings import PAIRS, base64url

#: One derived key for each purpose and version: a token made for one is nothing for another.
_FILE_SALT = b"secure_dbstorage.v1.get"
_FOLDER_SALT = b"secure_dbstorage.v1.folder"
_BINDING_SALT = b"secure_dbstorage.v1.binding"
_ID_SALT = b"secure_dbstorage.v1.key_id"

#: Bytes of a binding's digest: what it hides is no secret, only not to be read in passing.
_BINDING_BYTES = 16


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What is derived from one secret key."""

    #: Two characters that tell which key signed a token.
    id: str
    _file_hmac: "_PreparedHMAC" = field(repr=False)
    _folder_hmac: "_PreparedHMAC" = field(repr=False)
    _binding_hmac: "_PreparedHMAC" = field(repr=False)

    def sign_file(self, message: bytes) -> str:
        """Return the signature of a link to a file."""
        return base64url(self._file_hmac.digest(message))

    def sign_folder(self, message: bytes) -> str:
        """Return the signature of a link for a folder."""
        return base64url(self._folder_hmac.digest(message))

    def binding(self, kind: str, value: str) -> str:
        """Return the digest of what a link is bound to."""
        return base64url(self._binding_hmac.digest(f"{kind}:{value}".encode())[:_BINDING_BYTES])


class _PreparedHMAC:
    """HMAC-SHA256 of many messages under one key.

    The key's two blocks are hashed once for all of them, as RFC 2104 section 4 has it: a token is
    shorter than what `hmac` would hash anew.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(hashlib.sha256().block_size, b"\0")  # A derived key is shorter.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


@lru_cache(maxsize=32)
def derive(secret: bytes) -> SigningKey:
    """Return what signs and verifies with a secret key."""
    number = int.from_bytes(_derived(secret, _ID_SALT))
    salts = _FILE_SALT, _FOLDER_SALT, _BINDING_SALT
    hmacs = (_PreparedHMAC(_derived(secret, salt)) for salt in salts)
    return SigningKey(PAIRS[number % len(PAIRS)], *hmacs)


def _derived(secret: bytes, salt: bytes) -> bytes:
    signer = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.derive_key()
