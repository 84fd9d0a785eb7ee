"""Open files: what ``storage.open()`` returns."""

import errno
import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol
from weakref import finalize

from django.core.files import File
from django.core.files.temp import NamedTemporaryFile
from django.core.files.utils import FileProxyMixin

from secure_dbstorage.exceptions import os_error
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.table import streams
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.modes import Mode
from secure_dbstorage.table.readers import ContentReader, reader

_logger = logging.getLogger("secure_dbstorage.storage")

#: Text is UTF-8 on every server, whatever its locale.
_ENCODING = "utf-8"

_NEVER_CLOSED = "%a was opened for writing and never closed: what was written is lost"


class SaveContent(Protocol):
    """Saves the content that was written to an open file."""

    def __call__(self, file: IO[bytes], *, replaced_key: int | None, must_be_new: bool) -> None:
        """Save a temporary file.

        :param replaced_key: the key of the content that it must replace; None for no condition.
        :param must_be_new: whether the file must not exist, since it did not when it was opened.
        """


if TYPE_CHECKING:
    BaseFile = File[Any]
    BaseProxy = FileProxyMixin[Any]
else:
    BaseFile, BaseProxy = File, FileProxyMixin


class StoredFileHandle(BaseFile):
    """An open file of a storage. It can be reopened after it was closed."""

    file: Any

    def __init__(self, name: str, mode: str, *, opener: Callable[[str], Any]) -> None:
        """Open the file.

        :param opener: opens the file in a mode, and returns a file object.
        """
        super().__init__(opener(mode), name)
        self.mode = mode
        self._opener = opener

    @property
    def size(self) -> int:
        """The length in bytes. While writing, the length so far."""
        return int(self.file.size)

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> "StoredFileHandle":
        """Rewind the file, or reopen it if it was closed."""
        if not self.closed:
            self.seek(0)
        else:
            self.mode = mode or self.mode
            self.file = self._opener(self.mode)
        return self

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Read the file from its start, in pieces of this length, or row by row without one."""
        raw = getattr(self.file, "raw", None)
        if chunk_size or not isinstance(raw, ContentReader):
            yield from super().chunks(chunk_size)
            return
        position = self.seek(0)
        for piece in raw.rows():
            position += len(piece)
            self.seek(position)
            yield piece

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if exc_type is not None and isinstance(self.file, _SavedOnClose):
            self.file.discard()
        self.close()


def open_file(
    catalog: Catalog,
    name: str,
    text: str,
    *,
    save: SaveContent,
    directory: str | None,
) -> Any:
    """Return a file object over a file of the catalog, in any mode of `open`.

    Writes go to a temporary file, which is saved on close, so that no transaction spans the
    caller's code. If that code raises, nothing is saved.

    :param save: called with the temporary file on a clean close.
    :param directory: where to create the temporary file; None for the system's default.
    :raises io.UnsupportedOperation: for a mode that `open` does not have.
    :raises FileNotFoundError: when the file must exist and does not.
    :raises FileExistsError: when the file must not exist and does.
    :raises IsADirectoryError: for a directory.
    """
    mode = Mode.parse(text)
    if mode.is_read_only:
        return _open_for_reading(catalog.get_for_reading(name), mode)
    catalog = catalog.primary
    if catalog.is_directory(name):
        raise os_error(IsADirectoryError, errno.EISDIR, name)
    head = catalog.get(name) if mode.must_exist else catalog.find(name)
    if head is not None and mode.must_be_new:
        raise os_error(FileExistsError, errno.EEXIST, name)
    kept = head.content if head is not None and mode.keeps_content else None
    return _SavedOnClose(
        name,
        mode,
        content=streams.read(kept) if kept else iter(()),
        save=partial(
            save,
            replaced_key=kept.key if kept else None,
            must_be_new=kept is None and mode.keeps_content,
        ),
        directory=directory,
    )


def _open_for_reading(head: StoredHead, mode: Mode) -> Any:
    file: Any = reader(head.content, head.first_chunk)
    if not mode.is_binary:
        file = io.TextIOWrapper(file, encoding=_ENCODING)
    file.size = head.stat.size
    return file


class _SavedOnClose(BaseProxy):
    file: Any

    def __init__(
        self,
        name: str,
        mode: Mode,
        *,
        content: Iterator[bytes],
        save: Callable[[IO[bytes]], None],
        directory: str | None,
    ) -> None:
        with ExitStack() as opened:
            self._spool = opened.enter_context(NamedTemporaryFile(dir=directory))
            self._spool.writelines(content)
            self._spool.flush()
            # A second file object over the temporary file behaves exactly as the mode says.
            self.file = open(  # noqa: PTH123, SIM115 -- closed with this file
                self._spool.name,
                mode.of_temporary_file,
                encoding=None if mode.is_binary else _ENCODING,
            )
            opened.pop_all()
        self._save: Callable[[IO[bytes]], None] | None = save
        # `FieldFile.__exit__` does not pass an exception to `close()`, so it is looked up. If it
        # was being handled before the file was opened, it is no reason to drop the content.
        self._handled_before = sys.exc_info()[1]
        self._name = name
        # A file on disk would keep what was written. This also runs when the process exits.
        self._unclosed = finalize(self, _logger.warning, _NEVER_CLOSED, name)

    @property
    def size(self) -> int:
        if not self.file.closed:
            self.file.flush()
        return Path(self._spool.name).stat().st_size

    def discard(self) -> None:
        """Save nothing when the file is closed."""
        self._save = None
        self._unclosed.detach()

    def close(self) -> None:
        if self.file.closed:
            return
        raised = sys.exc_info()[1]
        if self._save is not None and raised not in (None, self._handled_before):
            _logger.warning("The content written to %a was dropped: %r", self._name, raised)
            self.discard()
        self._unclosed.detach()
        with self._spool:
            self.file.close()
            if self._save is not None:
                self._save(self._spool)
