"""A storage of ours as an end of a copy."""

from collections.abc import Iterable, Iterator
from itertools import chain

from django.db import connections, transaction

from secure_dbstorage import names
from secure_dbstorage.copying.ends import check_content, digest_of
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import FileRecord, StoredHead
from secure_dbstorage.storage import DatabaseStorage, announce_saved


class TableEndpoint:
    """A storage of ours."""

    keeps_flags = True

    def __init__(self, storage: DatabaseStorage) -> None:
        self._storage = storage
        self._catalog = storage.catalog.primary
        self.has_one_writer = connections[self._catalog.writer].vendor == "sqlite"
        self.is_remote = not self.has_one_writer

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield all there is to know of the files below a directory, in order."""
        rows = self._catalog.files().below(directory).by_name()
        return (_record_of(row.head()) for row in rows)

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""
        return self._catalog.files().below(directory).count()

    def complete(self, record: FileRecord) -> FileRecord:
        """Return the record: it is complete."""
        return record

    def read(self, record: FileRecord) -> Iterator[bytes]:
        """Yield the bytes of a file, as the table has them."""
        head: StoredHead = record.key
        return self._catalog.stream(head, 0, head.stat.size)

    def check_name(self, name: str) -> None:
        """Raise CopyFailed for a name that the table does not take."""
        if not names.is_canonical(name):
            raise CopyFailed("a file can't have this name here")
        if len(name) > names.MAX_LENGTH:
            raise CopyFailed(f"the name has more than {names.MAX_LENGTH} characters")

    def find(self, name: str) -> FileRecord | None:
        """Return what there is under a name."""
        head = self._catalog.find(name)
        if head is None and self._catalog.exists(name):
            raise CopyFailed("there is a directory of this name")
        return None if head is None else _record_of(head)

    def digest(self, record: FileRecord) -> str:
        """Return the SHA-256 of a file, as its row has it."""
        return record.sha256 or ""

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Save a file in one transaction: what is not the same as it was is never seen."""
        name, catalog = record.name, self._catalog
        pieces = iter(pieces)
        # From a bucket all of a file comes with its first piece: that must not take place inside
        # the transaction, for which others may wait.
        pieces = chain([next(pieces, b"")], pieces)
        with transaction.atomic(using=catalog.writer):
            created = True
            if replace:
                created = catalog.replace(name, pieces, kept=record)
            else:
                catalog.add(name, pieces, kept=record)
            head = catalog.find(name)
            if head is None:
                raise CopyFailed("it was not there after it was saved")
            check_content(
                record, head.stat.sha256, digest_of(catalog.stream(head, 0, head.stat.size))
            )
            announce_saved(self._storage, name, created=created)

    def is_broken_copy(self, record: FileRecord, pieces: Iterable[bytes]) -> bool:
        """Return False: a transaction leaves no half of a file."""
        return False


def _record_of(head: StoredHead) -> FileRecord:
    return FileRecord(
        name=head.stat.name,
        size=head.stat.size,
        sha256=head.stat.sha256,
        is_public=head.stat.is_public,
        created=head.stat.created,
        modified=head.stat.modified,
        expires=head.stat.expires,
        key=head,
    )
