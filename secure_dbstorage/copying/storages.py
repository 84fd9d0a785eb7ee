"""Any other Django storage, such as a folder or a bucket, as one end of a copy."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage

from secure_dbstorage import names
from secure_dbstorage.conf import upload_directory
from secure_dbstorage.copying.ends import check_content, digest_of
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import FileRecord, utc

#: A file in transit stays in memory up to this many bytes; a larger one goes to a temporary file.
_SPOOL_BYTES = 2 * 1024 * 1024

#: The longest path that is listed: that of a key on S3. What never ends would pass it.
_MAX_PATH_LENGTH = 1024

#: The mode of a private file in a folder.
_PRIVATE_MODE = 0o600

_LINK = "a symbolic link, which is not followed"

_BAD_NAME = "the source lists a name that no file or directory can have"


@dataclass(slots=True, kw_only=True)
class _Directory:
    """A directory of a source."""

    path: str
    above: "_Directory | None" = None
    directories: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the names in it begin with."""
        return f"{self.path}/" if self.path else ""

    def parents(self) -> Iterator["_Directory"]:
        """Yield the directories above it, the nearest first."""
        one = self.above
        while one is not None:
            yield one
            one = one.above

    def repeats(self, above: "list[_Directory]") -> bool:
        """Tell whether three levels hold the same names: the source may ignore the path."""
        # A chain of lone directories grows by one at each level, and ends with its length.
        if not self.directories or len(self.directories) + len(self.files) < 2:  # noqa: PLR2004
            return False
        same = [one for one in above[:2] if _names_in(one) == _names_in(self)]
        return len(same) == 2  # noqa: PLR2004


class StorageEnd:
    """A storage that belongs to Django or another package, such as a folder or a bucket."""

    has_one_writer = False
    keeps_flags = False

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.is_remote = not isinstance(storage, FileSystemStorage)
        if getattr(storage, "max_memory_size", None) == 0:
            # django-storages would keep an open file in memory as a whole.
            storage.max_memory_size = _SPOOL_BYTES  # type: ignore[attr-defined]

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield the names below a directory, one directory after another.

        The listing is not believed: a bucket may hold any key, and ``x//y`` is listed as ``.`` in
        ``x`` by some storages, for ever.
        """
        pending = [_Directory(path=directory)]
        while pending:
            here = pending.pop()
            try:
                directories, files = self._listing(here)
            except Exception as error:
                if here.above is None:
                    raise
                yield FileRecord(name=here.path, problem=str(error) or type(error).__name__)
                continue
            for name in (*files, *directories):
                if not _is_segment(name):
                    yield FileRecord(name=here.prefix + name, problem=_BAD_NAME)
            yield from (FileRecord(name=here.prefix + name) for name in files if _is_segment(name))
            for name in filter(_is_segment, reversed(directories)):
                path = here.prefix + name
                if self._has_link(path):
                    yield FileRecord(name=path, problem=_LINK)
                else:
                    pending.append(_Directory(path=path, above=here))

    def _listing(self, here: "_Directory") -> tuple[list[str], list[str]]:
        """Return the directories and the files of a directory, each once.

        :raises CopyFailed: for a directory that would never end.
        """
        if len(here.path) > _MAX_PATH_LENGTH:
            raise CopyFailed(f"the path is longer than {_MAX_PATH_LENGTH} characters")
        above = list(here.parents())
        directories, files = self._storage.listdir(here.path)
        here.directories = sorted({name.removesuffix("/") for name in directories})
        here.files = sorted(set(files))
        if here.repeats(above):
            raise CopyFailed("the source lists in it what its parents hold")
        return here.directories, here.files

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""
        return sum(1 for _ in self.records(directory))

    def complete(self, record: FileRecord) -> FileRecord:
        """Return a record, and fill in its size and times where they are missing."""
        self._check_is_file(record.name)
        modified = record.modified or self._time("get_modified_time", record.name)
        created = record.created or self._time("get_created_time", record.name)
        if created is None or (modified and modified < created):
            # A file system only knows when the file arrived on this disk.
            created = modified
        size = self._storage.size(record.name) if record.size is None else record.size
        return FileRecord(
            name=record.name,
            size=size,
            sha256=record.sha256,
            is_public=record.is_public,
            created=created,
            modified=modified,
            expires=record.expires,
        )

    def read(self, record: FileRecord) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        with self._storage.open(record.name) as file:
            yield from file.chunks()

    def check_name(self, name: str) -> None:
        """Raise CopyFailed for a name that a storage would spell differently or elsewhere."""
        try:
            is_kept = names.normal_name(name) == name
        except SuspiciousFileOperation:
            is_kept = False
        if not is_kept:
            raise CopyFailed("the target can't store a file under this name")
        if self._has_link(name):
            raise CopyFailed(_LINK)

    def find(self, name: str) -> FileRecord | None:
        """Return the file of this name, with its size; None if the name is free."""
        if not self._storage.exists(name):
            return None
        self._check_is_file(name)
        return FileRecord(name=name, size=self._storage.size(name))

    def digest(self, record: FileRecord) -> str:
        """Read a file, and return its SHA-256."""
        return digest_of(self.read(record))

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Collect the content in a temporary file, then save it.

        Some storages need to seek in what they save, and this way nothing is saved before the
        source has been read to its end.
        """
        with SpooledTemporaryFile(max_size=_SPOOL_BYTES, dir=upload_directory()) as spool:
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
                spool.write(piece)
            check_content(record, digest.hexdigest(), digest.hexdigest())
            size = spool.tell()
            spool.seek(0)
            if replace:
                self._storage.delete(record.name)
            self._save(record, File(spool, record.name), size, digest.hexdigest())

    def is_broken_copy(self, record: FileRecord, pieces: Iterable[bytes]) -> bool:
        """Tell whether a file is the beginning of the source's file.

        If so, replacing it with the whole file loses nothing, whoever wrote it.
        """
        return self.digest(record) == digest_of(_first(pieces, record.size or 0))

    def _save(self, record: FileRecord, file: "File[Any]", size: int, digest: str) -> None:
        is_whole = False
        try:
            saved = self._storage_for(record).save(record.name, file)
            if saved != record.name:
                self._storage.delete(saved)
                is_whole = True  # Whatever has the name now is another's file.
                raise CopyFailed("another file has taken this name in the meantime")
            check_content(record, digest, digest_of(self.read(record)))
            is_whole = True
        finally:
            if not is_whole:
                self._discard(record.name, size)
        self._keep_time(record)

    def _storage_for(self, record: FileRecord) -> Storage:
        """Return the storage that saves a file: in a folder, private ones are for us alone.

        Unless the folder's own options say which mode its files get.
        """
        storage = self._storage
        if (
            record.is_public is not False
            or not isinstance(storage, FileSystemStorage)
            or getattr(storage, "_file_permissions_mode", None) is not None
        ):
            return storage
        private = copy(storage)
        private.__dict__["file_permissions_mode"] = _PRIVATE_MODE
        return private

    def _discard(self, name: str, size: int) -> None:
        """Delete what a failed or interrupted save left under a name that was free."""
        # The storage has just failed and may raise anything: the first error tells more.
        with suppress(Exception):
            if self._storage.exists(name) and self._storage.size(name) <= size:
                self._storage.delete(name)

    def _keep_time(self, record: FileRecord) -> None:
        if isinstance(self._storage, FileSystemStorage) and record.modified is not None:
            modified = utc(record.modified).timestamp()
            os.utime(self._storage.path(record.name), (modified, modified))

    def _check_is_file(self, name: str) -> None:
        """Raise for a directory, and for anything that would never end, such as a pipe."""
        if (path := self._path(name)) is None:
            return
        if self._has_link(name):
            raise CopyFailed(_LINK)
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 -- another storage's path
            raise CopyFailed("this is a directory or a special file")

    def _has_link(self, name: str) -> bool:
        """Tell whether a name leads through a symbolic link below the root of a folder.

        Who may put a link into the folder could otherwise have any file of the disk copied or
        overwritten.
        """
        if (root := self._path("")) is None:
            return False
        parts = name.split("/")
        return any(
            os.path.islink(os.path.join(root, *parts[: depth + 1]))  # noqa: PTH114, PTH118
            for depth in range(len(parts))
        )

    def _path(self, name: str) -> str | None:
        """Return a file's path on the disk; None for a storage without one."""
        if not isinstance(self._storage, FileSystemStorage):
            return None
        try:
            return self._storage.path(name)
        except NotImplementedError:
            return None

    def _time(self, method: str, name: str) -> datetime | None:
        try:
            value: datetime = getattr(self._storage, method)(name)
        except NotImplementedError:
            return None
        return utc(value)


def _names_in(directory: _Directory) -> tuple[list[str], list[str]]:
    return directory.directories, directory.files


def _is_segment(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name


def _first(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return
