"""Open files: what ``storage.open()`` returns."""

import io
import re
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Any, Protocol

from django.core.files import File
from django.core.files.temp import NamedTemporaryFile

from secure_dbstorage import streams
from secure_dbstorage.files import Content, StoredHead

_MODE = re.compile(r"(?=[^rwax]*[rwax][^rwax]*$)(?!.*b.*t|.*t.*b)(?!.*(.).*\1)[rwaxbt+]+")

#: Text is UTF-8 on every server, whatever its locale.
_ENCODING = "utf-8"


class Opener(Protocol):
    """What a handle needs of its storage."""

    def open(self, name: str, mode: str = "rb") -> Any:
        """Open the file again."""


def check_mode(mode: str) -> str:
    """Return a mode of `open`, or raise io.UnsupportedOperation."""
    if not isinstance(mode, str) or not _MODE.fullmatch(mode):
        raise io.UnsupportedOperation(f"The mode {mode!r} is not supported")
    return mode


class StoredFileHandle(File):
    """An open file of a storage, which can be opened again after it was closed."""

    def __init__(self, file: Any, *, name: str, mode: str, opener: Opener) -> None:
        super().__init__(file, name)
        self.mode = mode
        self._opener = opener

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> "StoredFileHandle":
        """Rewind the file, or open it again if it was closed."""
        if not self.closed:
            self.seek(0)
            return self
        reopened: StoredFileHandle = self._opener.open(self.name, mode or self.mode)
        return reopened


class ReadHandle(StoredFileHandle):
    """A file open for reading: pieces are fetched as they are read."""

    def __init__(self, head: StoredHead, *, mode: str, opener: Opener) -> None:
        raw = _ContentReader(head.content)
        file: Any = io.BufferedReader(raw, head.content.chunk_size)
        if "b" not in mode:
            file = io.TextIOWrapper(file, encoding=_ENCODING)
        super().__init__(file, name=head.stat.name, mode=mode, opener=opener)
        self.size = head.stat.size


class WriteHandle(StoredFileHandle):
    """A file open for writing: a temporary file that is saved when it is closed.

    No transaction spans the caller's code. If that code raises, nothing is saved.
    """

    def __init__(
        self,
        *,
        name: str,
        mode: str,
        opener: Opener,
        directory: str | None,
        present: Iterator[bytes],
        save: Callable[[IO[bytes]], None],
    ) -> None:
        """
        :param present: the content to begin with.
        :param save: is given the temporary file on a clean close.
        """
        self._spool = NamedTemporaryFile(dir=directory)  # noqa: SIM115 -- closed with the handle
        for piece in present:
            self._spool.write(piece)
        self._spool.flush()
        encoding = None if "b" in mode else _ENCODING
        # "x" has been decided by the storage; the temporary file exists either way.
        file = open(self._spool.name, mode.replace("x", "w"), encoding=encoding)  # noqa: PTH123, SIM115
        super().__init__(file, name=name, mode=mode, opener=opener)
        self._save = save
        # `FieldFile.__exit__` tells `close()` nothing of an exception, so it is looked up. One
        # that was being handled when the file was opened is no reason to drop what was written.
        self._handled_before = sys.exc_info()[1]

    @property
    def size(self) -> int:
        """The length in bytes of what has been written so far."""
        if not self.file.closed:
            self.file.flush()
        position = self._spool.tell()
        size = self._spool.seek(0, io.SEEK_END)
        self._spool.seek(position)
        return int(size)

    def close(self) -> None:
        """Save what was written, unless an exception is on its way out."""
        if self.file.closed:
            return
        raised = sys.exc_info()[1]
        failed = raised is not None and raised is not self._handled_before
        with self._spool:
            self.file.close()
            if not failed:
                self._spool.seek(0)
                self._save(self._spool)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if exc_type is not None:
            self._save = _discard
        self.close()


def _discard(file: IO[bytes]) -> None:
    """Stand in for saving after an exception."""


class _ContentReader(io.RawIOBase):
    """A seekable raw stream over the rows of one content."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._position = 0
        self._pieces: Iterator[bytes] = iter(())
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._content.size}
        position = origin[whence] + offset
        if position < 0:
            raise ValueError(f"Negative seek position {position}")
        if position != self._position:
            self._position = position
            self._pieces, self._piece = iter(()), memoryview(b"")
        return position

    def readinto(self, buffer: Any) -> int:
        if not self._piece:
            self._piece = memoryview(self._next_piece())
        length = min(len(buffer), len(self._piece))
        buffer[:length] = self._piece[:length]
        self._piece = self._piece[length:]
        self._position += length
        return length

    def _next_piece(self) -> bytes:
        if self._position >= self._content.size:
            return b""
        piece = next(self._pieces, None)
        if piece is None:
            self._pieces = streams.read(self._content, start=self._position)
            piece = next(self._pieces)
        return piece
