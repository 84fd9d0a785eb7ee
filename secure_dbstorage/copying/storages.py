"""Any other storage of Django's as an end of a copy: a folder, a bucket."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
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

#: Up to how many bytes a file on its way is held in memory, and not in a temporary file.
_SPOOL_BYTES = 2 * 1024 * 1024


class StorageEnd:
    """A storage of Django's or of another package: a folder, a bucket."""

    has_one_writer = False
    keeps_flags = False

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.is_remote = not isinstance(storage, FileSystemStorage)
        if getattr(storage, "max_memory_size", None) == 0:
            # django-storages would hold all of an open file in memory.
            storage.max_memory_size = _SPOOL_BYTES  # type: ignore[attr-defined]

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield the names below a directory, one directory after another."""
        # Each with the real places of those above it: a link may lead back to one of them.
        pending: list[tuple[str, tuple[str, ...]]] = [(directory, ())]
        while pending:
            path, above = pending.pop()
            place = self._real_path(path)
            if place is not None and place in above:
                yield FileRecord(name=path, problem="a link that leads back to where it stands")
                continue
            try:
                directories, files = self._storage.listdir(path)
            except OSError as error:
                if path == directory:
                    raise
                yield FileRecord(name=path, problem=str(error))
                continue
            prefix = f"{path}/" if path else ""
            yield from (FileRecord(name=prefix + name) for name in sorted(files))
            inside = above if place is None else (*above, place)
            pending += ((prefix + name, inside) for name in sorted(directories, reverse=True))

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""
        return sum(1 for _ in self.records(directory))

    def complete(self, record: FileRecord) -> FileRecord:
        """Return a record with its size and times, those that it lacks."""
        self._check_is_file(record.name)
        modified = record.modified or self._time("get_modified_time", record.name)
        created = record.created or self._time("get_created_time", record.name)
        if created is None or (modified and modified < created):
            # What a file system gives is when the file came to this disk.
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
        """Raise CopyFailed for a name that a storage would spell in another way."""
        try:
            is_kept = names.normal_name(name) == name
        except SuspiciousFileOperation:
            is_kept = False
        if not is_kept:
            raise CopyFailed("a file can't have this name here")

    def find(self, name: str) -> FileRecord | None:
        """Return what there is under a name, with its size."""
        if not self._storage.exists(name):
            return None
        self._check_is_file(name)
        return FileRecord(name=name, size=self._storage.size(name))

    def digest(self, record: FileRecord) -> str:
        """Return the SHA-256 of a file, which is read for it."""
        return digest_of(self.read(record))

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Save a file from a temporary one.

        So the storage gets a file in which it can seek, as some need it, and only after the source
        has given all of it.
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
        """Tell whether a file is the beginning of its source.

        Whoever wrote it, nothing is lost when the whole file takes its place.
        """
        return self.digest(record) == digest_of(_first(pieces, record.size or 0))

    def _save(self, record: FileRecord, file: "File[Any]", size: int, digest: str) -> None:
        is_whole = False
        try:
            saved = self._storage.save(record.name, file)
            if saved != record.name:
                self._storage.delete(saved)
                raise CopyFailed("another file has taken the name meanwhile")
            check_content(record, digest, digest_of(self.read(record)))
            is_whole = True
        finally:
            if not is_whole:
                self._discard(record.name, size)
        self._keep_time(record)

    def _discard(self, name: str, size: int) -> None:
        """Delete what a failed or interrupted save left under a name that was free before."""
        # The storage is a stranger, and it has just failed: the first error tells more.
        with suppress(Exception):
            if self._storage.exists(name) and self._storage.size(name) <= size:
                self._storage.delete(name)

    def _keep_time(self, record: FileRecord) -> None:
        if isinstance(self._storage, FileSystemStorage) and record.modified is not None:
            modified = utc(record.modified).timestamp()
            os.utime(self._storage.path(record.name), (modified, modified))

    def _check_is_file(self, name: str) -> None:
        """Raise for what is a directory, or would never end, such as a pipe."""
        if (path := self._path(name)) is None:
            return
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 -- a foreign path
            raise CopyFailed("it is a directory, or something else that is no file")

    def _real_path(self, name: str) -> str | None:
        path = self._path(name)
        return None if path is None else os.path.realpath(path)

    def _path(self, name: str) -> str | None:
        """Return where a file is on the disk; a storage in memory only says so."""
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


def _first(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return
