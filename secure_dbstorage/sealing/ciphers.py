"""AES-256-GCM: the only door to ``cryptography``, which is needed where something is sealed."""

import secrets
from functools import cache
from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from secure_dbstorage.exceptions import SealBroken

#: The length of a key, in bytes.
KEY_BYTES = 32

#: NIST SP 800-38D section 8.2.2: a random nonce has 96 bits.
_NONCE_BYTES = 12

#: What sealing adds: the nonce in front, and the tag at the end.
OVERHEAD_BYTES = _NONCE_BYTES + 16

#: What to install.
MISSING = "Encryption needs cryptography: pip install 'secure-dbstorage[encryption]'"


class Cipher:
    """Seals and opens under one key.

    Each sealing has a random nonce, so one key may seal 2^32 times (SP 800-38D section 8.3).
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes.

        :raises ImproperlyConfigured: without ``cryptography``.
        """
        self._aead = _library()[0](key)

    def seal(self, data: bytes, bound: bytes) -> bytes:
        """Return the nonce, the ciphertext and the tag.

        :param bound: what must be the same when it is opened.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed: bytes = nonce + self._aead.encrypt(nonce, data, bound)
        return sealed

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """Return what was sealed.

        :raises SealBroken: when that isn't what was sealed, under this key and bound to this.
        """
        rest = memoryview(sealed)[_NONCE_BYTES:]  # A slice of bytes would copy a whole row.
        try:
            data: bytes = self._aead.decrypt(sealed[:_NONCE_BYTES], rest, bound)
        except (_library()[1], ValueError) as error:  # A nonce that is cut is a ValueError.
            raise SealBroken("Sealed bytes are not what was saved") from error
        return data


def is_installed() -> bool:
    """Tell whether there is ``cryptography``."""
    return find_spec("cryptography") is not None


@cache
def _library() -> tuple[Any, type[Exception]]:
    """Return the class that encrypts, and the error that it raises for what was changed."""
    try:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- optional
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    except ImportError as error:
        raise ImproperlyConfigured(MISSING) from error
    return AESGCM, InvalidTag
