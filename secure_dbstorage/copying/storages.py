"""Any other Django storage, such as a bucket, as one end of a copy."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage

from secure_dbstorage import names
from secure_dbstorage.conf import upload_directory
from secure_dbstorage.copying.ends import check_content, check_spelling, digest_of
from secure_dbstorage.copying.walking import LINK, walk
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import utc
from secure_dbstorage.files.records import FileRecord

#: A file in transit stays in memory up to this many bytes; a larger one goes to a temporary file.
_SPOOL_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """Content that was read to its end and checked, and is ready to be saved."""

    file: "IO[bytes]"
    size: int
    sha256: str


class StorageEnd:
    """A storage that belongs to Django or another package, such as a bucket."""

    databases: tuple[str, ...] = ()
    has_one_writer = False
    keeps_flags = False
    has_directories = False
    most_together = 1
    most_bytes = 0

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.is_remote = not isinstance(storage, FileSystemStorage)
        if getattr(storage, "max_memory_size", None) == 0:
            # django-storages would keep an open file in memory as a whole.
            storage.max_memory_size = _SPOOL_BYTES  # type: ignore[attr-defined]

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield the names below a directory, one directory after another."""
        return walk(directory, self.storage.listdir, self.has_link)

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""
        return sum(1 for _ in self.records(directory))

    def complete(self, record: FileRecord) -> FileRecord:
        """Return a record, and fill in its size and times where they are missing."""
        self.check_is_file(record.name)
        modified = record.modified or self._time("get_modified_time", record.name)
        created = record.created or self._time("get_created_time", record.name)
        if created is None or (modified and modified < created):
            # A file system only knows when the file arrived on this disk.
            created = modified
        size = self.storage.size(record.name) if record.size is None else record.size
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
        """Yield the bytes of a file.

        A storage may hand out the same open file again, which then is at its end.

        :raises CopyFailed: when there are none, though the storage reports some.
        """
        with self.storage.open(record.name) as file:
            if file.seekable():
                file.seek(0)
            size = 0
            for piece in file.chunks():
                size += len(piece)
                yield piece
            if not size and record.size:
                raise CopyFailed(f"the storage returned none of its {record.size:,} bytes")

    def read_together(self, records: Sequence[FileRecord]) -> Iterator[tuple[FileRecord, bytes]]:
        """Yield those files that can be read, each with its bytes."""
        for record in records:
            with suppress(Exception):  # The storage may raise anything. Read alone, it does again.
                yield record, b"".join(self.read(record))

    def check_name(self, name: str) -> None:
        """Raise CopyFailed for a name that a storage would spell differently or elsewhere."""
        check_spelling(name, names.normal_name)
        if self.has_link(name):
            raise CopyFailed(LINK)

    def find(self, name: str) -> FileRecord | None:
        """Return the file of this name, with its size; None if the name is free."""
        if not self.storage.exists(name):
            return None
        self.check_is_file(name)
        return FileRecord(name=name, size=self.storage.size(name))

    def find_together(self, names: Sequence[str]) -> dict[str, FileRecord | None]:
        """Return the files of these names; None for a free name."""
        return {name: self.find(name) for name in names}

    def digest(self, record: FileRecord) -> str:
        """Read a file, and return its SHA-256."""
        return digest_of(self.read(record))

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Collect the content in a temporary file, then save it.

        Some storages need to seek in what they save, and this way nothing is saved before the
        source has been read to its end.
        """
        with self.spool(record.name, replace=replace) as file:
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()  # A full disk shows now.
            content = Spooled(file=file, size=file.tell(), sha256=digest.hexdigest())
            check_content(record, content.sha256, content.sha256)
            file.seek(0)
            if replace:
                self.replace(record, content)
            else:
                self.add(record, content)

    def write_together(self, files: Sequence[tuple[FileRecord, bytes]]) -> Collection[str]:
        """Save none: it can't save all or none."""
        return ()

    def is_broken_copy(self, record: FileRecord, pieces: Iterable[bytes]) -> bool:
        """Tell whether a file is the beginning of the source's file.

        If so, replacing it with the whole file loses nothing, whoever wrote it.
        """
        return self.digest(record) == digest_of(_first(pieces, record.size or 0))

    # What a folder does in another way

    def check_place(self, record: FileRecord) -> None:
        """Raise CopyFailed for a file that lies below another one. In a bucket, it may."""

    def has_link(self, name: str) -> bool:
        """Tell whether a name leads through a symbolic link."""
        return False

    def check_is_file(self, name: str) -> None:
        """Raise CopyFailed for a directory, and for anything that would never end."""

    def spool(self, name: str, *, replace: bool) -> "AbstractContextManager[IO[bytes]]":
        """Return a temporary file for the content."""
        return SpooledTemporaryFile(max_size=_SPOOL_BYTES, dir=upload_directory())

    def add(self, record: FileRecord, content: Spooled) -> None:
        """Save a file under a name that was free."""
        with self.discarding(record.name, content):
            self.store(self.storage, record.name, File(content.file))
            self.read_back(record, content)

    def replace(self, record: FileRecord, content: Spooled) -> None:
        """Save a file in the place of another.

        A storage that overwrites keeps the old file until it has the new one. Of any other, the
        old file must be deleted first.
        """
        if self.storage.get_available_name(record.name) == record.name:
            self.store(self.storage, record.name, File(content.file))
            with self.discarding(record.name, content):
                self.read_back(record, content)
        else:
            self.storage.delete(record.name)
            self.add(record, content)

    # What these have in common

    def store(self, storage: Storage, name: str, file: "File[Any]") -> None:
        """Save a file under exactly this name.

        :raises FileExistsError: when whatever has the name now is another's file.
        """
        saved = storage.save(name, file)
        if saved != name:
            storage.delete(saved)
            raise FileExistsError("another file has taken this name in the meantime")

    def read_back(self, record: FileRecord, content: Spooled) -> None:
        """Raise CopyFailed unless what was saved is what was written."""
        check_content(record, content.sha256, digest_of(self.read(record)))

    @contextmanager
    def discarding(self, name: str, content: Spooled) -> Iterator[None]:
        """Delete what a failed or interrupted save leaves under a name that was free."""
        is_whole = False
        try:
            yield
            is_whole = True
        except FileExistsError:
            is_whole = True
            raise
        finally:
            if not is_whole:
                # The storage has just failed and may raise anything. The first error says more.
                with suppress(Exception):
                    if self.storage.exists(name) and self.storage.size(name) <= content.size:
                        self.storage.delete(name)

    def _time(self, method: str, name: str) -> datetime | None:
        try:
            value: datetime = getattr(self.storage, method)(name)
        except NotImplementedError:
            return None
        return utc(value)


def _first(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return
