"""Saves: content becomes a file, under a name that is free or may be taken."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

from django.db import IntegrityError, connections, transaction

from secure_dbstorage.exceptions import FileChanged, os_error
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.saving import Naming
from secure_dbstorage.sealing.seals import Owner, Seal
from secure_dbstorage.table import chunks, heads
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.dialects import rows

#: How often an overwrite looks for the row again when another save interferes.
MAX_ATTEMPTS = 10

#: No other name is tried.
FIRST_NAME = Naming()


class Saves:
    """Saves content as files of one namespace."""

    def __init__(self, options: StorageOptions, catalog: Catalog) -> None:
        self._options = options
        self._catalog = catalog

    def add(
        self,
        name: str,
        pieces: Iterable[bytes | str],
        *,
        naming: Naming = FIRST_NAME,
        kept: FileRecord | None = None,
        seal: Seal | None = None,
    ) -> str:
        """Save a new file, in one transaction, and return its name.

        :param kept: the public flag and the times that the file had elsewhere.
        :param seal: from :meth:`new_seal`, for a caller that has begun a transaction.
        :raises FileExistsError: when all names are taken, or the name lies below a file.
        :raises FileTooLarge: above the option ``max_size``.
        """
        using, seal = self._catalog.writer, seal or self.new_seal()
        self._catalog.check_place(name, is_placed=naming.is_placed)
        pieces, transaction_or_none = self._begun(pieces)
        with transaction_or_none:
            written = self._write(pieces, using, seal)
            # The bytes are written only once. On MySQL, two saves that each roll them back and
            # write them again would deadlock.
            for candidate in chain([name], naming.others):
                head = heads.new_head(candidate, written, self._options, kept)
                naming.note(head)
                if rows(using).insert_head(head):
                    return candidate
            raise os_error(FileExistsError, errno.EEXIST, name)

    def replace(
        self,
        name: str,
        pieces: Iterable[bytes | str],
        *,
        replaced_key: int | None = None,
        kept: FileRecord | None = None,
        seal: Seal | None = None,
    ) -> bool:
        """Save a file under a name that may be taken, in one transaction.

        An overwrite keeps the public flag, the time of creation and the link epoch. A private file
        never becomes public, and a revoked link never works again.

        :param replaced_key: the key of the content to replace; None replaces any.
        :param kept: the public flag and the times that the file had elsewhere. With it, the file
            counts as a different one, and no existing link opens it.
        :param seal: from :meth:`new_seal`, for a caller that has begun a transaction.
        :returns: whether the name was new.
        :raises FileChanged: when the file has other content than *replaced_key* by now.
        :raises FileExistsError: when the name lies below a file.
        :raises IsADirectoryError: for a directory.
        :raises FileTooLarge: above the option ``max_size``.
        """
        using, seal = self._catalog.writer, seal or self.new_seal()
        with transaction.atomic(using=using):
            is_new = not self._catalog.room_to_overwrite(name).is_file
            written = self._write(pieces, using, seal)
            for _ in range(MAX_ATTEMPTS):
                row = None if is_new else self.locked(name)
                is_new = False  # If another save is faster.
                if replaced_key is not None and (row is None or row.content != replaced_key):
                    raise FileChanged(f"{name!r} was replaced or deleted after it was opened")
                if row is not None:
                    columns = heads.replaced_head(row, written, self._options, kept)
                    self._catalog.trash.replace(row, columns)
                    return False
                head = heads.new_head(name, written, self._options, kept)
                if rows(using).insert_head(head):
                    return True
            # This transaction can't see the row that has the name. The caller must repeat it.
            raise IntegrityError(f"{name!r} is being saved by another transaction")

    def new_seal(self, size: int = 0) -> Seal | None:
        """Return the seal of new content; None where content is plain.

        A key service may be slow, so this is done before any transaction of ours.

        :param size: in bytes, if it is known already.
        :raises KeyServiceUnavailable: when a key can't be wrapped now.
        """
        keyring, namespace = self._options.encryption_keys, self._options.namespace
        if not keyring:
            return None
        return Seal.new(keyring, Owner(namespace, chunks.new_key()), size)

    def transaction_of_save(self, *, is_one_row: bool) -> AbstractContextManager[object]:
        """Return the transaction to save a file in.

        One row is saved by one statement, which is a transaction of its own. In the transaction of
        a caller, which it must not spoil, it needs a savepoint all the same.
        """
        if is_one_row and not self._catalog.is_in_transaction:
            return nullcontext()
        return transaction.atomic(using=self._catalog.writer)

    # Note [Locks of rows that have moved away]
    # A save that waits for a file may find in the end that the file was deleted. With a trash, the
    # row is still there under another name, and on PostgreSQL the save now holds a lock on it. An
    # erase of a later file of that name locks that file first, and then the rows in the trash. If
    # the save holds one of these rows and waits for the file, that is a deadlock. Going back to a
    # savepoint gives up the lock. A save that doesn't have to wait needs no savepoint.
    def locked(self, name: str) -> StoredFile | None:
        """Return the head row of a file, locked for the caller's transaction to overwrite it.

        :returns: None if there is none by now, and then nothing is locked.
        """
        using = self._catalog.writer
        if self._options.keep_deleted is None:
            return self._catalog.locked(name, using)
        if (row := self._catalog.locked(name, using, waits=False)) is not None:
            return row
        connection = connections[using]
        before = connection.savepoint()
        row = self._catalog.locked(name, using)
        if row is None and before is not None:
            connection.savepoint_rollback(before)
        return row

    def _begun(
        self, pieces: Iterable[bytes | str]
    ) -> tuple[Iterable[bytes | str], AbstractContextManager[object]]:
        """Return content, and the transaction to save it in."""
        beginning, rest = _first_pieces(pieces, self._options.chunk_size)
        if rest is None:
            return beginning, self.transaction_of_save(is_one_row=True)
        return chain(beginning, rest), self.transaction_of_save(is_one_row=False)

    def _write(
        self, pieces: Iterable[bytes | str], using: str, seal: Seal | None
    ) -> chunks.Written:
        return chunks.write(
            pieces,
            using=using,
            chunk_size=self._options.chunk_size,
            max_size=self._options.max_size,
            seal=seal,
        )


def _first_pieces(
    pieces: Iterable[bytes | str], length: int
) -> tuple[list[bytes | str], Iterator[bytes | str] | None]:
    """Return the first pieces of content, just longer than so many bytes, and the rest of it.

    The rest is None if that is all.
    """
    beginning, rest = list[bytes | str](), iter(pieces)
    for piece in rest:
        # A copy of what may be a view of a buffer that is filled again.
        data = piece.encode() if isinstance(piece, str) else bytes(piece)
        beginning.append(data)
        length -= len(data)
        if length < 0:
            return beginning, rest
    return beginning, None
