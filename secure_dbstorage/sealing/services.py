"""What wraps the keys of files: a key in the settings, or a key service elsewhere."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Protocol

from secure_dbstorage.sealing.ciphers import Cipher
from secure_dbstorage.secret_keys import SecretKey

_ID_PURPOSE = b"secure_dbstorage.v1.sealing.id"

#: The length of a local key's id, in bytes: two keys of one project will differ.
_ID_BYTES = 6

#: The longest id of a key service, in characters.
MAX_ID_LENGTH = 64


class KeyService(Protocol):
    """Wraps the keys of files with a key that a project need not know.

    When it can't be asked now, it raises an OSError or KeyServiceUnavailable. When it refuses what
    it is given, it raises SealBroken.
    """

    @property
    def id(self) -> str:
        """The name of its key: printable ASCII, at most 64 characters; never another key's."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return a key of 32 bytes, sealed: at most 800 bytes.

        :param context: what must be the same when it is unwrapped. A service that can't bind to it
            may ignore it.
        """

    def unwrap(self, sealed: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped."""


class LocalKey:
    """A key in the settings. Debug pages and error reports don't show it."""

    __slots__ = ("_cipher", "_key", "id")

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes."""
        self._key = SecretKey(key)
        self._cipher: Cipher | None = None
        #: Tells nothing of the key.
        self.id = hmac.digest(key, _ID_PURPOSE, hashlib.sha256)[:_ID_BYTES].hex()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key of a file, sealed."""
        return self._ready().seal(key, context)

    def unwrap(self, sealed: bytes, context: bytes) -> bytes:
        """Return the key of a file."""
        return self._ready().open(sealed, context)

    def is_one_of(self, secrets: Sequence[bytes]) -> bool:
        """Tell whether this key is among other secrets, as it is or as it is written."""
        spellings = self._key, base64.b64encode(self._key), base64.urlsafe_b64encode(self._key)
        return any(secret.strip() in spellings for secret in secrets)

    def _ready(self) -> Cipher:
        # Not before it is needed: a system check says it if cryptography is missing.
        if self._cipher is None:
            self._cipher = Cipher(self._key)
        return self._cipher
