"""Readers: seekable file objects over the bytes of a content."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

from secure_dbstorage.files.contents import Content
from secure_dbstorage.table import streams
from secure_dbstorage.table.lending import Sending


def reader(
    content: Content, first_chunk: bytes | None = None, *, sending: Sending | None = None
) -> io.BufferedReader:
    """Return a seekable file object over the bytes of a content.

    :param first_chunk: the first row's bytes, if they were fetched already.
    :param sending: for a slow reader outside of any transaction.
    """
    return io.BufferedReader(ContentReader(content, first_chunk, sending))


class ContentReader(io.RawIOBase):
    """A seekable raw stream over the rows of one content."""

    def __init__(
        self, content: Content, first_chunk: bytes | None, sending: Sending | None
    ) -> None:
        self._content = content
        self._sending = sending
        #: The bytes that were fetched when the file was opened.
        self._first_chunk = first_chunk
        self._position = 0
        self._pieces: Iterator[bytes] = iter(())
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it. It may lie behind the end.

        :raises io.UnsupportedOperation: for an origin that only some files on a disk know.
        """
        if whence == io.SEEK_SET:  # The one that is used for each piece.
            position = offset
        elif whence == io.SEEK_CUR:
            position = self._position + offset
        elif whence == io.SEEK_END:
            position = self._content.size + offset
        else:
            raise io.UnsupportedOperation(f"whence value {whence} unsupported")
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if position != self._position:
            self._position = position
            self._pieces, self._piece = iter(()), memoryview(b"")
        return position

    def rows(self) -> Iterator[bytes]:
        """Yield the whole content row by row, without a copy."""
        return streams.read(
            self._content, first_chunk=self._first_chunk, sending=self._sending, at_once=True
        )

    def readall(self) -> bytes:
        """Return the rest at once. The method of io would read it in small steps."""
        after = self._position + len(self._piece)
        held = [self._piece] if self._piece else []
        following = streams.read_now(
            self._content, start=after, first_chunk=self._first_chunk, sending=self._sending
        )
        with closing(following):  # Or a traceback would keep its query open.
            pieces: Iterator[bytes | memoryview] = chain(held, following)
            rest = _joined(pieces, max(0, self._content.size - self._position))
        self.seek(self._position + len(rest))
        return rest

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of a row into a buffer, and return how many bytes that was."""
        if not self._piece:
            self._piece = memoryview(self._next_piece())
        length = min(len(buffer), len(self._piece))
        buffer[:length] = self._piece[:length]
        self._piece = self._piece[length:]
        self._position += length
        return length

    def _next_piece(self) -> bytes:
        if self._position >= self._content.size:
            self._content.unlock()  # Somebody may have set its size to 0.
            return b""
        piece = next(self._pieces, None)
        if piece is None:
            self._pieces = self._read(self._position)
            piece = next(self._pieces)
        return piece

    def _read(self, start: int) -> Iterator[bytes]:
        return streams.read(
            self._content, start=start, first_chunk=self._first_chunk, sending=self._sending
        )


def _joined(pieces: Iterator[bytes | memoryview], length: int) -> bytes:
    """Return pieces of so many bytes together.

    Of a large file, each is let go as soon as it is copied, so this takes half the memory of
    ``join()``, and half the page faults. A small one is joined: its memory need not be zeroed
    first. A single piece is not copied.
    """
    first = next(pieces, b"")
    if type(first) is bytes and len(first) == length:
        next(pieces, None)
        return first
    if length <= streams.MAX_RUN_BYTES:
        return b"".join(chain([first], pieces))
    joined = io.BytesIO(bytes(length))
    joined.write(first)
    del first
    for piece in pieces:
        joined.write(piece)
    return joined.getvalue()
