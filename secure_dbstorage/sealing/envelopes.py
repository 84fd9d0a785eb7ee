"""Envelopes: what stands in the column ``sealed_key``.

::

    1 byte   version: 1
    1 byte   the length of the id
             the id of the key that wraps the key of the file
    2 bytes  the length of the wrapped key, big-endian
             the wrapped key: of a local key nonce, ciphertext and tag, 60 bytes
             facts: sealed under the key of the file, 60 bytes; 28 before the SHA-256 is known

The facts are the SHA-256 of the plain bytes. They are bound to the owner, the content key and the
size. With a local key, an envelope has 136 bytes.
"""

import struct
from dataclasses import dataclass
from typing import Self

from secure_dbstorage.exceptions import SealBroken

_VERSION = 1

#: The longest envelope, in bytes: what the column may hold.
_MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """The wrapped key of a content, and its sealed facts."""

    #: Of the key that wraps.
    key_id: str
    wrapped: bytes
    facts: bytes

    @classmethod
    def parse(cls, column: bytes) -> Self:
        """Return what a column says.

        :raises SealBroken: when it is not what was saved.
        """
        try:
            version, length = column[0], column[1]
            key_id = column[2 : 2 + length].decode("ascii")
            (wrapped_length,) = struct.unpack_from(">H", column, 2 + length)
        except (IndexError, UnicodeDecodeError, struct.error) as error:
            raise SealBroken("The sealed key of a file is damaged") from error
        if version != _VERSION:
            raise SealBroken(f"The sealed key of a file has version {version}, and not {_VERSION}")
        start = 4 + length
        end = start + wrapped_length
        return cls(key_id, column[start:end], column[end:])

    @property
    def wrapping(self) -> bytes:
        """The column up to the facts: what changes when the key is wrapped anew."""
        key_id = self.key_id.encode("ascii")
        head = struct.pack("BB", _VERSION, len(key_id)) + key_id
        return head + struct.pack(">H", len(self.wrapped)) + self.wrapped

    def spelled(self) -> bytes:
        """Return the column.

        :raises ValueError: when a key service wraps keys into more than the column may hold.
        """
        column = self.wrapping + self.facts
        if len(column) > _MAX_BYTES:
            raise ValueError(
                f"The key {self.key_id!r} wraps keys into {len(self.wrapped)} bytes. At most "
                f"{_MAX_BYTES - len(column) + len(self.wrapped)} fit."
            )
        return column
