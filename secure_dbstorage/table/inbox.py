"""The inbox: uploads that have no name yet, and how they become files."""

import errno
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from django.db import IntegrityError, connections, transaction

from secure_dbstorage.exceptions import FileChanged, FileTooLarge, UploadGone, os_error
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.options import STATEMENT_BYTES, StorageOptions
from secure_dbstorage.saving import Naming
from secure_dbstorage.table import adopting, chunks, heads, turns, uploads
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.lending import Sending
from secure_dbstorage.table.saves import FIRST_NAME, MAX_ATTEMPTS, Saves


class Inbox:
    """The uploads to one namespace."""

    def __init__(self, options: StorageOptions, catalog: Catalog, saves: Saves) -> None:
        self._options = options
        self._catalog = catalog
        self._saves = saves

    def unfinished(self) -> StoredRowQuerySet:
        """Return the first rows of uploads without a name, with their bytes."""
        rows: StoredRowQuerySet = StoredFile.rows.using(self._catalog.writer)
        return rows.in_namespace(self._options.namespace).unfinished()

    def find(self, key: int) -> Upload | None:
        """Return an upload, or the file that it has become, or None without either."""
        return uploads.find(
            key,
            namespace=self._options.namespace,
            using=self._catalog.writer,
            keyring=self._options.encryption_keys,
        )

    def new(self, size: int, expires: datetime) -> Upload:
        """Return a new upload of so many bytes, none of which is in the table yet."""
        return uploads.draft(
            using=self._catalog.writer,
            namespace=self._options.namespace,
            size=size,
            chunk_size=self._options.chunk_size,
            expires=expires,
            seal=self._saves.new_seal(size),
        )

    def append(self, upload: Upload, pieces: Sequence[bytes]) -> Upload:
        """Write bytes behind those of an upload, and return it with them.

        A new upload is begun by that.

        :param pieces: as long as :meth:`Upload.row_lengths` says; the last one may be shorter.
        :raises UploadChanged: when another writer was faster.
        """
        if upload.is_begun:
            uploads.append(upload.content, upload.offset, pieces)
        else:
            uploads.begin(upload, pieces)
        written = sum(map(len, pieces))
        if written >= STATEMENT_BYTES:  # In each thread that an upload comes to.
            rows(self._catalog.writer).forget()
        return replace(upload, is_begun=True, offset=upload.offset + written)

    def note_digest(self, upload: Upload, sha256: str | None = None) -> Upload:
        """Return a complete upload with its SHA-256.

        If the bytes had to be read for it, the first row keeps it from now on.

        :param sha256: if it is known.
        :raises UploadGone: when the upload was deleted, or is a file by now.
        """
        if upload.tag is not None:
            return upload
        known = adopting.digested(upload, sha256=sha256, sending=Sending())
        if sha256 is None:
            adopting.note_digest(known)
        return known

    def delete(self, upload: Upload) -> bool:
        """Delete an upload, unless it is a file, and tell whether it was deleted."""
        return uploads.delete(upload.content.key, using=self._catalog.writer)

    def lock(self, upload: Upload) -> bool:
        """Lock an upload for the caller's transaction, and return False if another one has it.

        Without waiting, where the database can. SQLite locks nothing.
        """
        using = self._catalog.writer
        can_skip = connections[using].features.has_select_for_update_skip_locked
        found = self.unfinished().of(upload.content.key)
        return bool(found.select_for_update(skip_locked=can_skip).values_list("pk", flat=True))

    def new_turn(self, upload: Upload) -> turns.Turn:
        """Return a turn at an upload that is not taken yet."""
        return turns.new(upload.content.key, upload.content.size)

    def take_turn(self, turn: turns.Turn) -> bool:
        """Take a turn, and return False while it is another request's."""
        return turns.take(turn, using=self._catalog.writer)

    def end_turn(self, turn: turns.Turn) -> None:
        """End a turn, unless it is another request's by now."""
        turns.end(turn, using=self._catalog.writer)

    def adopt(self, name: str, upload: Upload, *, naming: Naming = FIRST_NAME) -> str:
        """Make a complete upload a new file, in one transaction, and return its name.

        No byte is copied: its first row gets the name. If the transaction rolls back, it is an
        upload again. Arguments and errors are those of :meth:`.Saves.add`, and:

        :param upload: complete. Without its SHA-256, it is read once.
        :raises UploadGone: when it was deleted, or is a file by now.
        """
        written = self._written(upload)
        self._catalog.check_place(name, is_placed=naming.is_placed)
        is_one_row = not upload.is_begun and upload.content.chunk_count == 1
        with self._saves.transaction_of_save(is_one_row=is_one_row):
            adopting.write_last(upload)
            for candidate in chain([name], naming.others):
                head = heads.new_head(candidate, written, self._options, None)
                naming.note(head)
                if self._name(upload, written, head):
                    return candidate
            raise os_error(FileExistsError, errno.EEXIST, name)

    def adopt_over(
        self,
        name: str,
        upload: Upload,
        *,
        replaced_key: int | None = None,
        naming: Naming = FIRST_NAME,
    ) -> bool:
        """Make a complete upload a file whose name may be taken, in one transaction.

        An overwrite keeps what :meth:`.Saves.replace` keeps. Arguments and errors are those of
        :meth:`.Saves.replace` and :meth:`adopt`.

        :returns: whether the name was new.
        """
        written, using = self._written(upload), self._catalog.writer
        with transaction.atomic(using=using):
            is_new = not self._catalog.room_to_overwrite(name).is_file
            adopting.write_last(upload)
            for _ in range(MAX_ATTEMPTS):
                row = None if is_new else self._saves.locked(name)
                is_new = False  # If another save is faster.
                if row is not None and row.content == upload.content.key:
                    # By another request, or by ours, when the answer to a commit was lost.
                    raise UploadGone(errno.ENOENT, "The upload is a file by now")
                if replaced_key is not None and (row is None or row.content != replaced_key):
                    raise FileChanged(f"{name!r} was replaced or deleted after it was opened")
                if row is not None:
                    # The file keeps its row: who waits for it, such as a revocation, finds this
                    # file.
                    taken = adopting.take_first_row(upload, written)
                    columns = heads.replaced_head(row, taken, self._options, None)
                    naming.note(columns)
                    self._catalog.trash.replace(row, columns)
                    return False
                head = heads.new_head(name, written, self._options, None)
                naming.note(head)
                if self._name(upload, written, head):
                    return True
            raise IntegrityError(f"{name!r} is being saved by another transaction")

    def _written(self, upload: Upload) -> chunks.Written:
        if not upload.is_complete:
            raise ValueError("The upload is not complete")
        limit = self._options.max_size
        if limit is not None and upload.content.size > limit:
            raise FileTooLarge(f"The file is larger than {limit} bytes")
        upload = adopting.digested(upload)
        upload.content.unlock()  # Before the transaction.
        chunk = b"" if upload.is_begun else adopting.first_chunk(upload)
        return chunks.Written(content=upload.content, sha256=str(upload.tag), first_chunk=chunk)

    def _name(self, upload: Upload, written: chunks.Written, head: heads.Columns) -> bool:
        """Give an upload the columns of a file, and return False when the name is taken.

        :raises UploadChanged: when another writer was faster.
        :raises UploadGone: when there is no such upload.
        """
        if not upload.is_begun:
            try:
                return rows(self._catalog.writer).insert_head(head)
            except IntegrityError as error:  # Its key is taken: by itself.
                raise UploadGone(errno.ENOENT, "The upload is a file by now") from error
        try:
            with transaction.atomic(using=self._catalog.writer):
                adopting.name_it(upload, written.content, heads.named_head(head))
        except IntegrityError:
            return False
        return True
