"""Storages that encrypt: their keys, and a key service that a test can stop."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secure_dbstorage.exceptions import SealBroken
from secure_dbstorage.sealing.ciphers import Cipher
from secure_dbstorage.sealing.services import LocalKey

if TYPE_CHECKING:
    from secure_dbstorage.storage import DatabaseStorage

#: Two keys, as a project writes them.
KEY, OLD_KEY = (base64.b64encode(bytes([byte] * 32)).decode() for byte in (1, 2))

#: Makes the default storage one that encrypts, with small rows and these options.
Seal = Callable[..., "DatabaseStorage"]


def id_of(key: str) -> str:
    """Return the id of a key that a project has written."""
    return LocalKey(base64.b64decode(key)).id


@dataclass(eq=False)
class Service:
    """A key service in this process. It counts what it is asked."""

    id: str = "service/1"
    #: Raised instead of an answer.
    error: Exception | None = None
    #: What it was asked, in order.
    asked: list[str] = field(default_factory=list)
    _cipher: Any = field(default_factory=lambda: Cipher(b"s" * 32))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return a key, sealed."""
        self._note("wrap")
        return bytes(self._cipher.seal(key, context))

    def unwrap(self, sealed: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped."""
        self._note("unwrap")
        try:
            return bytes(self._cipher.open(sealed, context))
        except SealBroken:
            raise SealBroken("The service refuses") from None

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
