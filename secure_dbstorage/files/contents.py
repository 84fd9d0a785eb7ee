"""Contents: where the bytes of a file are, and what opens them."""

from typing import NamedTuple

from secure_dbstorage.sealing.seals import Seal


class Content(NamedTuple):
    """Where the bytes of a file are. Content is immutable; an overwrite replaces all of it."""

    #: Alias of the database.
    using: str
    #: The key that all rows of the content share.
    key: int
    #: Length in bytes.
    size: int
    #: Bytes in each row but the last, before they are encrypted.
    chunk_size: int
    #: Alias of a replica that may have some or all of the rows too; None without one.
    replica: str | None = None
    #: What opens the rows; None for plain content.
    seal: Seal | None = None

    def length_at(self, position: int) -> int:
        """Return how many plain bytes the row at a position has."""
        return min(self.chunk_size, self.size - position * self.chunk_size)

    def unlock(self) -> None:
        """Make sure that its rows can be opened.

        :raises SecureDBStorageError: when the key can't be used.
        """
        if self.seal is not None:
            self.seal.unlock()

    def opened(self, position: int, row: bytes) -> bytes:
        """Return the plain bytes of a row; none for one that waits for its first bytes.

        :raises SecureDBStorageError: when it can't be opened.
        """
        return row if self.seal is None or not row else self.seal.open(position, row)

    def sealed(self, position: int, chunk: bytes) -> bytes:
        """Return the row for plain bytes."""
        return chunk if self.seal is None else self.seal.seal(position, chunk)

    @property
    def chunk_count(self) -> int:
        """The number of rows, the head row included."""
        return max(1, -(-self.size // self.chunk_size))
