"""Seals: what opens and seals the rows of one content."""

import hashlib
import hmac
import struct
from dataclasses import replace
from functools import lru_cache
from pickle import PicklingError
from typing import NamedTuple, NoReturn, Self

from secure_dbstorage.sealing.ciphers import OVERHEAD_BYTES
from secure_dbstorage.sealing.envelopes import Envelope
from secure_dbstorage.sealing.keyrings import PURPOSE, FileKeys, Keyring

#: What stands before the namespace of a storage in that of its deleted files, whose bytes stay as
#: they are. No storage has it.
TRASH_MARK = "~"


# Note [What is bound to what]
# Whoever can write the table must not make us send bytes that were not saved as this file. The
# wrapped key is bound to the owner (the namespace) and the content key, the facts to both and to
# the size, and each row to both and to its position. So no row, key or size of another file fits,
# and no row of another place. An upload's last row is written again as it grows, which is why
# nonces are random: by position, one would be used twice.
class Owner(NamedTuple):
    """What a content belongs to: the namespace of a storage, or its trash, and a content key."""

    namespace: str
    content_key: int

    def bound(self, purpose: bytes, number: int = 0) -> bytes:
        """Return what must be the same when something of this content is opened."""
        return self.bound_before(purpose) + number.to_bytes(8)

    def bound_before(self, purpose: bytes) -> bytes:
        """Return what that begins with, whatever the number."""
        return _bound_to(purpose, self.namespace) + self.content_key.to_bytes(8)


class Seal:
    """The key of one content, as its column has it, and what it opens.

    The key is unwrapped when it is first needed, so lists and hooks unwrap nothing.
    """

    # Not a dataclass: `asdict()` of a FileStat would take it to pieces.
    __slots__ = ("_keyring", "_keys", "_owner", "_rows", "_sha256", "_size", "sealed_key")

    def __init__(  # noqa: PLR0913, PLR0917 -- all that a seal is made of
        self,
        keyring: Keyring,
        owner: Owner,
        size: int,
        sealed_key: bytes,
        keys: FileKeys | None = None,
        sha256: str = "",
    ) -> None:
        """Take the column of a content.

        :param size: in bytes; that of an unfinished upload is the declared one.
        :param keys: what the column opens, if it is known already.
        :param sha256: likewise.
        """
        self._keyring, self._owner, self._size = keyring, owner, size
        #: What each row is bound to, before its position.
        self._rows = owner.bound_before(b"row")
        self._keys, self._sha256 = keys, sha256
        #: The column.
        self.sealed_key = sealed_key

    @classmethod
    def new(cls, keyring: Keyring, owner: Owner, size: int = 0) -> Self:
        """Return the seal of new content.

        :param size: in bytes, if it is known already.
        :raises KeyServiceUnavailable: when the key can't be wrapped now.
        """
        keys, envelope = keyring.new_key(owner.bound(b"key"))
        facts = keys.cipher.seal(b"", owner.bound(b"facts", size))
        return cls(keyring, owner, size, replace(envelope, facts=facts).spelled(), keys)

    def described(self, size: int, sha256: str) -> "Seal":
        """Return the seal of the same content, with its size and SHA-256 in the column."""
        keys, envelope = self._unlocked(), Envelope.parse(self.sealed_key)
        facts = keys.cipher.seal(bytes.fromhex(sha256), self._owner.bound(b"facts", size))
        column = replace(envelope, facts=facts).spelled()
        return Seal(self._keyring, self._owner, size, column, keys, sha256)

    def rewrapped(self) -> bytes:
        """Return the column with the key wrapped by the newest of the keyring.

        :raises SecureDBStorageError: as :meth:`unlock`.
        """
        keys, envelope = self._unlocked(), Envelope.parse(self.sealed_key)
        return self._keyring.wrap(keys.key, envelope, self._owner.bound(b"key")).spelled()

    def wrapped_as(self, column: bytes) -> "Seal":
        """Return the seal of the same content, with its key wrapped as another column has it."""
        wrapped, ours = Envelope.parse(column), Envelope.parse(self.sealed_key)
        spelled = replace(wrapped, facts=ours.facts).spelled()
        return Seal(self._keyring, self._owner, self._size, spelled, self._keys, self._sha256)

    def reopened(self) -> "Seal":
        """Return the seal as who finds the column gets it: its key is still wrapped."""
        return Seal(self._keyring, self._owner, self._size, self.sealed_key)

    def unlock(self) -> None:
        """Unwrap the key, unless that is done, and check that it is this content's.

        :raises KeyLost: when the keyring does not have the key that wraps it.
        :raises KeyServiceUnavailable: when the key can't be unwrapped now.
        :raises SealBroken: when the column, the size or the owner was changed.
        """
        self._unlocked()

    @property
    def content_key(self) -> int:
        """The key that all rows of the content share."""
        return self._owner.content_key

    @property
    def wrapping(self) -> bytes:
        """The part of the column that changes when the key is wrapped anew: its beginning."""
        return Envelope.parse(self.sealed_key).wrapping

    @property
    def sha256(self) -> str:
        """SHA-256 of the plain content, 64 hexadecimal digits."""
        self._unlocked()
        return self._sha256

    @property
    def tag(self) -> str:
        """What the column ``sha256`` holds: a keyed hash, from which nothing can be guessed."""
        keys = self._unlocked()
        return hmac.digest(keys.tag_key, bytes.fromhex(self._sha256), hashlib.sha256).hex()

    def seal(self, position: int, chunk: bytes) -> bytes:
        """Return a row."""
        return self._unlocked().cipher.seal(chunk, self._rows + position.to_bytes(8))

    def open(self, position: int, row: bytes) -> bytes:
        """Return the bytes of a row.

        :raises SealBroken: when that isn't a row of this content, of this position.
        """
        return self._unlocked().cipher.open(row, self._rows + position.to_bytes(8))

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise PicklingError("A seal holds keys, and a pickle must not")

    def _unlocked(self) -> FileKeys:
        if self._keys is None:
            envelope = Envelope.parse(self.sealed_key)
            keys = self._keyring.unwrap(envelope, self._owner.bound(b"key"))
            facts = keys.cipher.open(envelope.facts, self._owner.bound(b"facts", self._size))
            self._sha256 = facts.hex()
            self._keys = keys  # Last: another thread may look.
        return self._keys


def seal_of(
    sealed_key: bytes | memoryview | None,
    *,
    namespace: str,
    content: int,
    size: int,
    keyring: Keyring,
) -> Seal | None:
    """Return what opens a content, by its column; None for a plain one.

    :param size: in bytes; that of an unfinished upload is the declared one.
    """
    if sealed_key is None:
        return None
    find = _kept if keyring.is_local else _found
    # Some drivers return a memoryview.
    return find(keyring, namespace, content, size, bytes(sealed_key))


def _found(
    keyring: Keyring, namespace: str, content_key: int, size: int, sealed_key: bytes
) -> Seal:
    return Seal(keyring, Owner(namespace, content_key), size, sealed_key)


# Requests for one file, or for parts of it, open its column once. The keys in the settings stay in
# memory too, and open these, so they need not go after a while.
_kept = lru_cache(maxsize=128)(_found)


def plain_length(row_length: int) -> int:
    """Return how many bytes are sealed in a row. Before its first bytes, it is empty."""
    return max(0, row_length - OVERHEAD_BYTES)


@lru_cache(maxsize=1024)
def _bound_to(purpose: bytes, namespace: str) -> bytes:
    name = namespace.removeprefix(TRASH_MARK).encode()
    return PURPOSE + purpose + struct.pack(">H", len(name)) + name
