"""A DatabaseStorage as one end of a copy."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain

from django.db import connections, transaction

from secure_dbstorage import names
from secure_dbstorage.copying.ends import (
    IS_DIRECTORY,
    below_file,
    check_content,
    check_spelling,
    digest_of,
)
from secure_dbstorage.exceptions import ContentVanished, CopyFailed, SecureDBStorageError
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.storage.announcements import announce_saved


class TableEnd:
    """A DatabaseStorage."""

    keeps_flags = True
    has_directories = True
    most_together = 100

    def __init__(self, storage: DatabaseStorage) -> None:
        self._storage = storage
        self._catalog = storage.catalog.primary
        self._keyring = storage.options.encryption_keys
        self.databases: tuple[str, ...] = (self._catalog.writer,)
        self.has_one_writer = connections[self._catalog.writer].vendor == "sqlite"
        self.is_remote = not self.has_one_writer
        options = storage.options
        # A larger one needs more rows, or is refused.
        self.most_bytes = min(options.chunk_size, options.max_size or options.chunk_size)

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield complete records of the files below a directory, in order of their names."""
        rows, keyring = self._catalog.files().below(directory).by_name(), self._keyring
        return (_record_of(row.head(keyring)) for row in rows)

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""
        return self._catalog.files().below(directory).count()

    def complete(self, record: FileRecord) -> FileRecord:
        """Return the record, which is complete already."""
        return record

    def read(self, record: FileRecord) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        head: StoredHead = record.key
        try:
            yield from self._catalog.stream(head, 0, head.stat.size)
        except ContentVanished as error:
            found = self._catalog.find(head.stat.name)
            if found is None or found.content.key != head.content.key:
                raise
            raise CopyFailed(
                "rows of this file are missing or too short; dbstorage_verify says how many"
            ) from error

    def read_together(self, records: Sequence[FileRecord]) -> Iterator[tuple[FileRecord, bytes]]:
        """Yield small files with their bytes, up to the first one that can't be read."""
        contents = self._catalog.stream_all(record.key for record in records)
        with suppress(SecureDBStorageError):
            for record, pieces in zip(records, contents, strict=True):
                yield record, b"".join(pieces)

    def check_name(self, name: str) -> None:
        """Raise CopyFailed for a name that the table does not accept."""
        check_spelling(name, names.canonical_name)
        if names.has_bidi_control(name):
            raise CopyFailed("the name contains a character that reverses the direction of text")
        if len(name) > names.MAX_LENGTH:
            raise CopyFailed(f"the name is longer than {names.MAX_LENGTH} characters")

    def check_place(self, record: FileRecord) -> None:
        """Raise CopyFailed for a file that is too large, or lies below another one."""
        self._check_size(record)
        with _saying_what_is_above(record.name):
            self._catalog.room_for(record.name)

    def _check_size(self, record: FileRecord) -> None:
        limit = self._storage.options.max_size
        if limit is not None and (record.size or 0) > limit:
            raise CopyFailed(f"the file is larger than {limit} bytes, the target's max_size")

    def find(self, name: str) -> FileRecord | None:
        """Return the file of this name; None if the name is free."""
        head = self._catalog.find(name)
        if head is None and self._catalog.exists(name):
            raise CopyFailed(IS_DIRECTORY)
        return None if head is None else _record_of(head)

    def find_together(self, names: Sequence[str]) -> dict[str, FileRecord | None]:
        """Return the files of these names; None for a free name. Directories are left out."""
        found = self._catalog.groups.find(names)
        return {name: None if head is None else _record_of(head) for name, head in found.items()}

    def digest(self, record: FileRecord) -> str:
        """Return the SHA-256 that the file's row holds."""
        return record.sha256 or ""

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Save and check a file in one transaction, so that nobody sees a bad copy."""
        self._check_size(record)
        name, catalog, saves = record.name, self._catalog, self._storage.saves
        pieces = iter(pieces)
        # A bucket may deliver a whole file with the first piece. Fetch that before the
        # transaction, so that nobody waits for a download.
        pieces = chain([next(pieces, b"")], pieces)
        # Likewise, a key service is asked before: to wrap the key of the copy, and to unwrap it,
        # which the check needs.
        seal = saves.new_seal()
        if seal is not None:
            seal.reopened().unlock()
        with transaction.atomic(using=catalog.writer), _saying_what_is_above(name):
            created = True
            if replace:
                created = saves.replace(name, pieces, kept=record, seal=seal)
            else:
                saves.add(name, pieces, kept=record, seal=seal)
            head = catalog.find(name)
            if head is None:
                raise CopyFailed("the file was missing right after it was saved")
            check_content(
                record, head.stat.sha256, digest_of(catalog.stream(head, 0, head.stat.size))
            )
            announce_saved(self._storage, name, created=created)

    def write_together(self, files: Sequence[tuple[FileRecord, bytes]]) -> Collection[str]:
        """Save and check files in one transaction. Those below another file are left out."""
        groups = self._catalog.groups
        new = groups.new_heads(files)
        with transaction.atomic(using=self._catalog.writer):
            saved = groups.add(new)
            for record, content in files:
                if (head := saved.get(record.name)) is None:
                    continue
                written = head.stat.sha256
                is_same = head.first_chunk == content
                check_content(record, written, written if is_same else "")
                announce_saved(self._storage, record.name, created=True)
        return saved

    def is_broken_copy(self, record: FileRecord, pieces: Iterable[bytes]) -> bool:
        """Return False: a transaction never leaves half a file."""
        return False


@contextmanager
def _saying_what_is_above(name: str) -> Iterator[None]:
    """Raise CopyFailed if a file is refused because another one is above it."""
    try:
        yield
    except FileExistsError as error:
        if error.filename in (None, name):  # Another writer has taken the name itself.
            raise
        raise below_file(str(error.filename)) from error


def _record_of(head: StoredHead) -> FileRecord:
    try:
        sha256 = head.stat.sha256
    except SecureDBStorageError as error:  # Without its key, this file fails, and no other.
        return FileRecord(name=head.stat.name, size=head.stat.size, problem=str(error))
    return FileRecord(
        name=head.stat.name,
        size=head.stat.size,
        sha256=sha256,
        is_public=head.stat.is_public,
        created=head.stat.created,
        modified=head.stat.modified,
        expires=head.stat.expires,
        key=head,
    )
