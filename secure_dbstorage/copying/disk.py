"""A folder on the disk as one end of a copy."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from pathlib import Path
from typing import IO

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from secure_dbstorage import names
from secure_dbstorage.copying.ends import below_file
from secure_dbstorage.copying.storages import Spooled, StorageEnd
from secure_dbstorage.copying.walking import LINK
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import utc
from secure_dbstorage.files.records import FileRecord

#: The mode of a private file.
_PRIVATE_MODE = 0o600


def end_of(storage: Storage) -> StorageEnd:
    """Return a storage that is not ours as one end of a copy."""
    if isinstance(storage, FileSystemStorage):
        try:
            storage.path("")
        except NotImplementedError:
            pass
        else:
            return FolderEnd(storage)
    return StorageEnd(storage)


class _Part(File):  # type: ignore[type-arg]  # takes no type when it runs
    """Content in a file beside its destination. Django moves such files and copies nothing."""

    def __init__(self, part: IO[bytes], name: str) -> None:
        super().__init__(part, name)
        self._path = str(part.name)

    def temporary_file_path(self) -> str:
        """Return the path of the file."""
        return self._path


class FolderEnd(StorageEnd):
    """A folder on the disk.

    Symbolic links below its root are not followed. Only their owner can read private files.
    """

    storage: FileSystemStorage
    has_directories = True

    def has_link(self, name: str) -> bool:
        """Tell whether a name leads through a symbolic link below the root.

        Anyone who can put a link into the folder could otherwise have any file on the disk copied
        or overwritten.
        """
        root, parts = self.storage.path(""), name.split("/")
        return any(
            os.path.islink(os.path.join(root, *parts[: depth + 1]))  # noqa: PTH114, PTH118
            for depth in range(len(parts))
        )

    def check_place(self, record: FileRecord) -> None:
        """Raise CopyFailed for a file that lies below another one."""
        for above in names.ancestors(record.name):
            path = self._path(above)
            if path.exists() and not path.is_dir():
                raise below_file(above)

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Save a file, and say which other one is in its way."""
        try:
            super().write(record, pieces, replace=replace)
        except (FileExistsError, NotADirectoryError):
            self.check_place(record)
            raise

    def check_is_file(self, name: str) -> None:
        """Raise CopyFailed for a directory, and for anything that would never end, like a pipe."""
        if self.has_link(name):
            raise CopyFailed(LINK)
        if not stat.S_ISREG(self._path(name).stat().st_mode):
            raise CopyFailed("this is a directory or a special file")

    def spool(self, name: str, *, replace: bool) -> "AbstractContextManager[IO[bytes]]":
        """Return a temporary file; beside the old file, for moving it there."""
        return _part_of(self._path(name)) if replace else super().spool(name, replace=False)

    def add(self, record: FileRecord, content: Spooled) -> None:
        """Save a file under a free name; a private one has its mode from the start.

        Django opens a new file with the mode that the umask leaves, and changes it at the end.
        """
        if record.is_public is not False:
            super().add(record, content)
        else:
            with self.discarding(record.name, content):
                # Content written into an empty file gets the mode of that file.
                self.store(self._with_mode(record), record.name, ContentFile(b""))
                self.store(self._overwriting(record), record.name, File(content.file))
                self.read_back(record, content)
        self._keep_time(record)

    def replace(self, record: FileRecord, content: Spooled) -> None:
        """Move the new file into the place of the old one, which stays until then."""
        storage, old = self._overwriting(record), self._path(record.name)
        if storage.file_permissions_mode is None:
            shutil.copymode(old, content.file.name)
        self.store(storage, record.name, _Part(content.file, record.name))
        with self.discarding(record.name, content):
            self.read_back(record, content)
        self._keep_time(record)

    def _with_mode(self, record: FileRecord) -> FileSystemStorage:
        """Return the storage that saves a file: one for us alone if it is private.

        Unless the folder's own options say which mode its files get.
        """
        storage = copy(self.storage)
        chosen = getattr(storage, "_file_permissions_mode", None)
        if record.is_public is False and chosen is None:
            storage.__dict__["file_permissions_mode"] = _PRIVATE_MODE
        return storage

    def _overwriting(self, record: FileRecord) -> FileSystemStorage:
        storage = self._with_mode(record)
        storage._allow_overwrite = True  # type: ignore[attr-defined]  # noqa: SLF001 -- its option
        return storage

    def _keep_time(self, record: FileRecord) -> None:
        if record.modified is not None:
            modified = utc(record.modified).timestamp()
            os.utime(self._path(record.name), (modified, modified))

    def _path(self, name: str) -> Path:
        return Path(self.storage.path(name))


@contextmanager
def _part_of(path: Path) -> Iterator[IO[bytes]]:
    """Make a file beside another, for its owner alone.

    Its name is always the same, so that the next copy removes what a killed one has left.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
    part = path.with_name(f".{digest[:16]}.part")
    part.unlink(missing_ok=True)
    try:
        with open(part, "x+b", opener=_opened_for_owner) as file:
            yield file
    finally:
        part.unlink(missing_ok=True)


def _opened_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, _PRIVATE_MODE)
