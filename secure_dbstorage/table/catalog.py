"""The catalog: the files of one namespace, by name."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)
from django.db.models import F, Value
from django.db.models.functions import Greatest

from secure_dbstorage import names
from secure_dbstorage.conf import project_time
from secure_dbstorage.exceptions import (
    DatabaseUnavailable,
    FileChanged,
    FileTooLarge,
    UploadGone,
    os_error,
)
from secure_dbstorage.files import Content, FileRecord, LinkState, Room, StoredHead, Upload
from secure_dbstorage.models import (
    HEAD_COLUMNS,
    StoredFile,
    StoredFileQuerySet,
    StoredRowQuerySet,
    head_of,
)
from secure_dbstorage.options import STATEMENT_BYTES, StorageOptions
from secure_dbstorage.saving import Naming
from secure_dbstorage.sealing.seals import Owner, Seal
from secure_dbstorage.table import heads, replicas, streams, uploads, uses
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.groups import Groups
from secure_dbstorage.table.listing import entries_of
from secure_dbstorage.table.tenants import schema_of
from secure_dbstorage.table.trash import Trash

Result = TypeVar("Result")

#: How often a change is tried that conflicts with others.
_MAX_REPEATS = 3

#: How often an overwrite looks for the row again when another save interferes.
_MAX_ATTEMPTS = 10

#: No other name is tried.
_FIRST_NAME = Naming()

#: How many head rows one query of a directory fetches.
_HEADS_PER_QUERY = 1000

#: SQLite takes at most 32,766 parameters.
_NAMES_PER_QUERY = 30_000


class OutagesTold:
    """See :meth:`Catalog.outages_told`. A generator would take 2.6 times as long."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raise another error in place of one that tells of an outage."""
        if not isinstance(error, OperationalError | InterfaceError):
            return
        if "no such" in str(error):  # SQLite's word for a table that was not migrated.
            return
        raise DatabaseUnavailable("The database can't be asked now") from error


class Catalog:
    """The files of one namespace in one database."""

    def __init__(self, options: StorageOptions) -> None:
        self._options = options

    @property
    def primary(self) -> "Catalog":
        """This catalog on the primary database. A replica may lag behind."""
        return Catalog(replace(self._options, using=self.writer))

    @property
    def writer(self) -> str:
        """Alias of the primary database, for writes."""
        return self._options.using or router.db_for_write(StoredFile)

    @property
    def place(self) -> tuple[str, str]:
        """The table that is written to: the alias of its database, and the schema in that.

        :raises SynchronousOnlyOperation: in an event loop that can't know the schema.
        """
        alias = self.writer
        return alias, schema_of(connections[alias])

    @property
    def replica(self) -> str | None:
        """Alias of a database that has bytes and listings too, perhaps not the latest, or None.

        The project's router names it. Inside ``atomic()`` the primary is asked for everything.
        """
        return self._replica_of(self.writer)

    def find(
        self,
        name: str,
        *,
        public_only: bool = False,
        with_chunk: bool = False,
        whole_only: bool = False,
    ) -> StoredHead | None:
        """Return the head of a file from the primary database, or None.

        A replica might not know yet that a file was made private.

        :param public_only: look for public files alone.
        :param with_chunk: fetch the first chunk as well. If a replica gives the others, it gives
            that one too, unless it is the whole file.
        :param whole_only: fetch it only if it is the whole file.
        """
        writer = self.writer
        return rows(writer).head(
            self._options.namespace,
            name,
            keyring=self._options.encryption_keys,
            public_only=public_only,
            with_chunk=with_chunk,
            whole_only=whole_only or (with_chunk and self._replica_of(writer) is not None),
        )

    def find_content(self, key: int) -> StoredHead | None:
        """Return the head of the file that has a content, from the primary database, or None."""
        keyring = self._options.encryption_keys
        return rows(self.writer).head_of_content(self._options.namespace, key, keyring=keyring)

    def link_states(self, wanted: Iterable[str], *, using: str = "") -> dict[str, LinkState]:
        """Return the link states of those files that are there, by name.

        :param using: the alias of the writing database, from who has asked for it already.
        """
        fetch, namespace = rows(using or self.writer).link_states, self._options.namespace
        found: dict[str, LinkState] = {}
        unique = list(dict.fromkeys(wanted))
        for start in range(0, len(unique), _NAMES_PER_QUERY):
            found |= fetch(namespace, unique[start : start + _NAMES_PER_QUERY])
        return found

    def stream(
        self,
        head: StoredHead,
        start: int,
        stop: int,
        *,
        rows_wanted: Callable[[], int] | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of a file for a response. Nothing is held between two pieces.

        :param rows_wanted: see :class:`~secure_dbstorage.table.streams.Sending`.
        :raises ContentVanished: when the content is deleted or replaced meanwhile.
        """
        return streams.read(
            _near(head.content, self.replica),
            start=start,
            stop=stop,
            first_chunk=head.first_chunk,
            sending=streams.Sending(rows_wanted=rows_wanted),
        )

    def heads_below(
        self, directory: str, *, latest_epoch: int, now: float, limit: int
    ) -> list[StoredHead]:
        """Return the heads of files below a directory, in the order of their names.

        From the primary database, a thousand a query.

        :param latest_epoch: leave out files whose link epoch is later.
        :param now: leave out those that have expired by then, in seconds since 1970.
        :param limit: return at most this many.
        """
        using, after, found = self.writer, f"{directory}/", list[StoredHead]()
        files = self._files(using).below(directory).filter(link_epoch__lte=latest_epoch)
        ordered = files.order_by("name").values_list(*HEAD_COLUMNS)
        while len(found) < limit and (
            page := list(ordered.filter(name__gt=after)[:_HEADS_PER_QUERY])
        ):
            after = page[-1][0]
            heads = (self._head_of(row, using) for row in page)
            # The column's collation may be wrong, so the name is compared again.
            found += [
                head
                for head in heads
                if head.stat.name.startswith(f"{directory}/") and not head.stat.has_expired(now)
            ]
        return found[:limit]

    def stream_all(
        self, heads: Iterable[StoredHead], *, rows_wanted: Callable[[], int] | None = None
    ) -> Iterator[Iterable[bytes]]:
        """Yield the bytes of each of these files for a response, to be read in this order.

        Arguments and errors are those of :meth:`stream`.
        """
        sending, replica = streams.Sending(rows_wanted=rows_wanted), self.replica
        contents = (_near(head.content, replica) for head in heads)
        return streams.read_all(contents, sending=sending)

    def outages_told(self) -> "OutagesTold":
        """Tell an outage of the database from a fault in a statement, as a context manager.

        :raises DatabaseUnavailable: when the database can't be asked now.
        """
        return OutagesTold()

    def repeat(self, change: Callable[[], Result]) -> Result:
        """Make a change in one transaction, and try again if it conflicts with another.

        :raises DatabaseUnavailable: when it fails three times.
        """
        for _ in range(_MAX_REPEATS):
            try:
                with self.outages_told():
                    return change()
            except (DatabaseUnavailable, IntegrityError) as error:  # Such as a deadlock.
                met = error
                self._drop_broken_connection()
        raise DatabaseUnavailable("The change conflicts with others again and again") from met

    def _drop_broken_connection(self) -> None:
        """Let the next statement connect anew, if the server has closed the connection."""
        connection = connections[self.writer]
        is_ours = connection.connection is not None and not connection.in_atomic_block
        if is_ours and not connection.is_usable():
            connection.close()

    def release(self) -> None:
        """Return the connection that :meth:`find` used to its pool."""
        streams.release(self.writer)

    def begin_use(self, key: int, client: bytes, *, now: float, needed_until: float) -> bool:
        """Note that a one-time link is used; see :func:`~secure_dbstorage.table.uses.begin`.

        :param now: seconds since 1970.
        :param needed_until: when the note may be forgotten, in seconds since 1970.
        """
        expires = project_time(datetime.fromtimestamp(needed_until, tz=UTC))
        return uses.begin(key, client, expires, now=now, using=self.writer)

    def use_of(self, key: int) -> uses.Use | None:
        """Return the use of a one-time link, or None before it is used."""
        return uses.find(key, using=self.writer)

    def get(self, name: str, *, with_chunk: bool = False) -> StoredHead:
        """Return the head of a file from the primary database.

        :param with_chunk: fetch the first chunk as well.
        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        head = self.find(name, with_chunk=with_chunk)
        if head is not None:
            return head
        if self.is_directory(name):
            raise os_error(IsADirectoryError, errno.EISDIR, name)
        raise os_error(FileNotFoundError, errno.ENOENT, name)

    def get_for_reading(self, name: str) -> StoredHead:
        """Return the head of a file, and its first chunk if that saves a query.

        The primary decides which file that is. A replica gives the bytes of a large one.
        """
        head = self.get(name, with_chunk=True)
        return head._replace(content=_near(head.content, self.replica))

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of this name, or a directory with files below it."""
        return not path or rows(self.writer).room(self._options.namespace, path).is_taken

    def room(self, name: str) -> Room:
        """Return what is in the way of a new file, by one query."""
        return rows(self.writer).room(self._options.namespace, name, names.ancestors(name))

    def is_directory(self, path: str) -> bool:
        """Tell whether there are files below this path. The root always exists."""
        if not path:
            return True
        return bool(self._names(self.writer, names.directory_range(path), limit=1))

    def children(self, directory: str) -> tuple[list[str], list[str]]:
        """Return the directories and the files directly below a directory, both sorted."""
        entries = self.entries(directory)
        directories = [entry[:-1] for entry in entries if entry.endswith("/")]
        return sorted(directories), [entry for entry in entries if not entry.endswith("/")]

    def entries(self, directory: str, *, after: str = "", limit: int | None = None) -> list[str]:
        """Return the entries directly below a directory, from a replica if possible.

        A directory ends with a slash.

        :param after: start after this entry.
        :param limit: return at most this many.
        """

        def ask(using: str) -> list[str]:
            return entries_of(directory, partial(self._names, using), after=after, limit=limit)

        replica = self.replica
        found = None if replica is None else replicas.ask(replica, partial(ask, replica))
        return ask(self.writer) if found is None else found

    def add(
        self,
        name: str,
        pieces: Iterable[bytes | str],
        *,
        naming: Naming = _FIRST_NAME,
        kept: FileRecord | None = None,
        seal: Seal | None = None,
    ) -> str:
        """Save a new file, in one transaction, and return its name.

        :param kept: the public flag and the times that the file had elsewhere.
        :param seal: from :meth:`new_seal`, for a caller that has begun a transaction.
        :raises FileExistsError: when all names are taken, or the name lies below a file.
        :raises FileTooLarge: above the option ``max_size``.
        """
        using, seal = self.writer, seal or self.new_seal()
        self._check_place(name, is_placed=naming.is_placed)
        pieces, transaction_or_none = self._begun(pieces)
        with transaction_or_none:
            written = self._write(pieces, using, seal)
            # The bytes are written only once. On MySQL, two saves that each roll them back and
            # write them again would deadlock.
            for candidate in chain([name], naming.others):
                head = heads.new_head(candidate, written, self._options, kept)
                if rows(using).insert_head(head):
                    naming.note(head["created"])
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
        using, seal = self.writer, seal or self.new_seal()
        with transaction.atomic(using=using):
            is_new = not self._room_to_overwrite(name).is_file
            written = self._write(pieces, using, seal)
            for _ in range(_MAX_ATTEMPTS):
                row = None if is_new else self._locked(name, using)
                is_new = False  # If another save is faster.
                if replaced_key is not None and (row is None or row.content != replaced_key):
                    raise FileChanged(f"{name!r} was replaced or deleted after it was opened")
                if row is not None:
                    self._update(row, written, kept)
                    return False
                head = heads.new_head(name, written, self._options, kept)
                if rows(using).insert_head(head):
                    return True
            # This transaction can't see the row that has the name. The caller must repeat it.
            raise IntegrityError(f"{name!r} is being saved by another transaction")

    def adopt(self, name: str, upload: Upload, *, naming: Naming = _FIRST_NAME) -> str:
        """Make a complete upload a new file, in one transaction, and return its name.

        No byte is copied: its first row gets the name. If the transaction rolls back, it is an
        upload again. Arguments and errors are those of :meth:`add`, and:

        :param upload: complete. Without its SHA-256, it is read once.
        :raises UploadGone: when it was deleted, or is a file by now.
        """
        written = self._written(upload)
        self._check_place(name, is_placed=naming.is_placed)
        is_one_row = not upload.is_begun and upload.content.chunk_count == 1
        with self._transaction(is_one_row=is_one_row):
            uploads.write_last(upload)
            for candidate in chain([name], naming.others):
                head = heads.new_head(candidate, written, self._options, None)
                if self._name(upload, written, head):
                    naming.note(head["created"])
                    return candidate
            raise os_error(FileExistsError, errno.EEXIST, name)

    def adopt_over(self, name: str, upload: Upload, *, replaced_key: int | None = None) -> bool:
        """Make a complete upload a file whose name may be taken, in one transaction.

        An overwrite keeps what :meth:`replace` keeps. Arguments and errors are those of
        :meth:`replace` and :meth:`adopt`.

        :returns: whether the name was new.
        """
        written, using = self._written(upload), self.writer
        with transaction.atomic(using=using):
            is_new = not self._room_to_overwrite(name).is_file
            uploads.write_last(upload)
            for _ in range(_MAX_ATTEMPTS):
                row = None if is_new else self._locked(name, using)
                is_new = False  # If another save is faster.
                if replaced_key is not None and (row is None or row.content != replaced_key):
                    raise FileChanged(f"{name!r} was replaced or deleted after it was opened")
                if row is not None and row.content == upload.content.key:
                    # By another request, or by ours, when the answer to a commit was lost.
                    raise UploadGone(errno.ENOENT, "The upload is a file by now")
                if row is not None:
                    # The file keeps its row: who waits for it, such as a revocation, finds this
                    # file.
                    self._update(row, uploads.take_first_row(upload, written), None)
                    return False
                if self._name(upload, written, heads.new_head(name, written, self._options, None)):
                    return True
            raise IntegrityError(f"{name!r} is being saved by another transaction")

    def remove(self, name: str, condition: Callable[[StoredFile], bool] | None = None) -> bool:
        """Delete a file, and tell whether it existed and was deleted.

        :param condition: receives the head row; the file is deleted only if it returns True.
        :raises OSError: for a directory.
        """
        using = self.writer
        with transaction.atomic(using=using):
            row = self._locked(name, using)
            if row is None:
                if self.is_directory(name):
                    raise os_error(OSError, errno.ENOTEMPTY, name)
            elif condition is None or condition(row):
                self.trash.take(row)
                return True
            return False

    @property
    def trash(self) -> Trash:
        """The deleted files, on the primary database."""
        return Trash(self._options, self.writer)

    @property
    def groups(self) -> Groups:
        """Groups of files, on the primary database."""
        return Groups(self._options, self.writer)

    def undelete(self, name: str, version: str | None) -> None:
        """Make a deleted file a file again.

        :param version: None for the last one deleted.
        :raises FileNotFoundError: when there is none that is still kept.
        :raises FileExistsError: when the name is taken, or lies below a file.
        """
        using = self.writer
        with transaction.atomic(using=using):
            is_free = not self._room_for(name).is_taken
            try:
                if is_free and self.trash.restore(name, version):
                    return
                is_free = is_free and not self.exists(name)  # Another was faster.
            except IntegrityError as error:
                raise os_error(FileExistsError, errno.EEXIST, name) from error
            if is_free:
                raise os_error(FileNotFoundError, errno.ENOENT, name)
            raise os_error(FileExistsError, errno.EEXIST, name)

    def erase(self, name: str) -> bool:
        """Delete a file and all that was deleted under its name for good.

        :returns: whether there was a file.
        :raises OSError: for a directory, unless a file of its name was deleted.
        """
        using = self.writer
        with transaction.atomic(using=using):
            # While the row is locked, nobody puts what it holds into the trash.
            row = self._locked(name, using)
            if row is not None:
                streams.delete(row.content, using=using)
            if not self.trash.erase(name) and row is None and self.is_directory(name):
                raise os_error(OSError, errno.ENOTEMPTY, name)
            return row is not None

    def files(self) -> StoredFileQuerySet:
        """Return the head rows on the primary database, without their bytes."""
        return self._files(self.writer)

    def unfinished_uploads(self) -> StoredRowQuerySet:
        """Return the first rows of uploads without a name, with their bytes."""
        rows: StoredRowQuerySet = StoredFile.rows.using(self.writer)
        return rows.in_namespace(self._options.namespace).unfinished()

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
            rows(self.writer).forget()
        return replace(upload, is_begun=True, offset=upload.offset + written)

    def note_digest(self, upload: Upload, sha256: str | None = None) -> Upload:
        """Return a complete upload with its SHA-256.

        If the bytes had to be read for it, the first row keeps it from now on.

        :param sha256: if it is known.
        :raises UploadGone: when the upload was deleted, or is a file by now.
        """
        if upload.tag is not None:
            return upload
        known = uploads.digested(upload, sha256=sha256, sending=streams.Sending())
        if sha256 is None:
            uploads.note_digest(known)
        return known

    def delete_upload(self, upload: Upload) -> bool:
        """Delete an upload, unless it is a file, and tell whether it was deleted."""
        return uploads.delete(upload.content.key, using=self.writer)

    def begin_upload(self, size: int, expires: datetime) -> Upload:
        """Begin an upload of so many bytes, by its first row."""
        return self.append(self.new_upload(size, expires), ())

    def new_upload(self, size: int, expires: datetime) -> Upload:
        """Return a new upload of so many bytes, none of which is in the table yet."""
        return uploads.draft(
            using=self.writer,
            namespace=self._options.namespace,
            size=size,
            chunk_size=self._options.chunk_size,
            expires=expires,
            seal=self.new_seal(size),
        )

    def upload(self, key: int) -> Upload | None:
        """Return an upload, or the file that it has become, or None without either."""
        return uploads.find(
            key,
            namespace=self._options.namespace,
            using=self.writer,
            keyring=self._options.encryption_keys,
        )

    def after_commit(self, function: Callable[[], object]) -> None:
        """Call a function after the commit, or at once outside a transaction."""
        transaction.on_commit(function, using=self.writer, robust=True)

    @property
    def is_in_atomic_block(self) -> bool:
        """Whether Django itself will commit what is saved now, or roll it back."""
        return connections[self.writer].in_atomic_block

    @property
    def is_in_transaction(self) -> bool:
        """Whether what is saved now may still be rolled back."""
        connection = connections[self.writer]
        return connection.in_atomic_block or not connection.get_autocommit()

    def rename(self, old: str, new: str) -> None:
        """Rename a file. Links to the old name never open it.

        :raises FileNotFoundError: when there is no such file.
        :raises FileExistsError: when the new name is taken.
        """
        using = self.writer
        with transaction.atomic(using=using):
            row = self._locked(old, using)
            if row is None:
                raise os_error(FileNotFoundError, errno.ENOENT, old)
            if old == new:
                return
            if self._room_for(new).is_taken:
                raise os_error(FileExistsError, errno.EEXIST, new)
            try:
                with transaction.atomic(using=using):
                    renamed = heads.renamed_head(row, new, self._options)
                    self._files(using).filter(pk=row.pk).update(**renamed)
            except IntegrityError as error:
                raise os_error(FileExistsError, errno.EEXIST, new) from error

    def set_public(self, name: str, *, public: bool) -> None:
        """Make a file public or private.

        :raises FileNotFoundError: when there is no such file.
        """
        if not self._files(self.writer).filter(name=name).update(is_public=public):
            raise os_error(FileNotFoundError, errno.ENOENT, name)

    def set_expires(self, name: str, expires: datetime | None) -> None:
        """Set when a file expires; None for never.

        :raises FileNotFoundError: when there is no such file.
        """
        if not self._files(self.writer).filter(name=name).update(expires=expires):
            raise os_error(FileNotFoundError, errno.ENOENT, name)

    def revoke(self, name: str) -> int:
        """Make all existing links to a file stop working. New links work.

        :raises FileNotFoundError: when there is no such file.
        """
        revoked = self._revoke(self._files(self.writer).filter(name=name))
        if not revoked:
            raise os_error(FileNotFoundError, errno.ENOENT, name)
        return revoked

    def revoke_below(self, directory: str) -> int:
        """Revoke the links to all files below a directory, and return the number of files."""
        return self._revoke(self._files(self.writer).below(directory))

    def _revoke(self, files: StoredFileQuerySet) -> int:
        # `later_epoch()` in SQL: an epoch never comes back, even if the clock is set back.
        epoch = Greatest(Value(heads.later_epoch(0)), F("link_epoch") + 1)
        return files.update(link_epoch=epoch)

    def _replica_of(self, writer: str) -> str | None:
        if self._options.using:
            return None
        alias = router.db_for_read(StoredFile)
        if alias == writer or connections[writer].in_atomic_block or replicas.is_resting(alias):
            return None
        return alias

    def _files(self, using: str) -> StoredFileQuerySet:
        files: StoredFileQuerySet = StoredFile.objects.using(using).in_namespace(
            self._options.namespace
        )
        return files

    def _names(self, using: str, bounds: tuple[str, str | None], limit: int) -> list[str]:
        return rows(using).names(self._options.namespace, bounds, limit)

    def _locked(self, name: str, using: str) -> StoredFile | None:
        rows = self._files(using).filter(name=name).select_for_update()
        return next((row for row in rows if row.name == name), None)

    def _check_place(self, name: str, *, is_placed: bool) -> None:
        """Refuse a name that the table can't hold, or that lies below a file.

        :param is_placed: whether no file was above it a moment ago.
        """
        if is_placed or "/" not in name:
            names.check_new_name(name)
        else:
            self._room_for(name)

    def _room_for(self, name: str) -> Room:
        """Return what is in the way of a file, and refuse what :meth:`_check_place` refuses.

        Nothing is locked, so two simultaneous saves can create a file and a directory of the same
        name, as in object stores. Each file is complete all the same.
        """
        names.check_new_name(name)
        room = self.room(name)
        if room.is_below_file:
            above = names.ancestors(name)
            # The column's collation may be wrong, so the names are compared again.
            for file in filter(self.link_states(above).__contains__, above):
                raise os_error(FileExistsError, errno.EEXIST, file)
        return room

    def _room_to_overwrite(self, name: str) -> Room:
        """Do the same, and refuse a directory."""
        room = self._room_for(name)
        if room.is_directory:
            raise os_error(IsADirectoryError, errno.EISDIR, name)
        return room

    def _head_of(self, row: Sequence[Any], using: str) -> StoredHead:
        options = self._options
        return head_of(
            row, using=using, namespace=options.namespace, keyring=options.encryption_keys
        )

    def new_seal(self, size: int = 0) -> Seal | None:
        """Return the seal of new content; None where content is plain.

        A key service may be slow, so this is done before any transaction of ours.

        :param size: in bytes, if it is known already.
        :raises KeyServiceUnavailable: when a key can't be wrapped now.
        """
        keyring, namespace = self._options.encryption_keys, self._options.namespace
        if not keyring:
            return None
        return Seal.new(keyring, Owner(namespace, streams.new_key()), size)

    def _begun(
        self, pieces: Iterable[bytes | str]
    ) -> tuple[Iterable[bytes | str], AbstractContextManager[object]]:
        """Return content, and the transaction to save it in."""
        beginning, rest = _first_pieces(pieces, self._options.chunk_size)
        if rest is None:
            return beginning, self._transaction(is_one_row=True)
        return chain(beginning, rest), self._transaction(is_one_row=False)

    def _transaction(self, *, is_one_row: bool) -> AbstractContextManager[object]:
        """Return the transaction to save a file in.

        One row is saved by one statement, which is a transaction of its own. In the transaction of
        a caller, which it must not spoil, it needs a savepoint all the same.
        """
        if is_one_row and not self.is_in_transaction:
            return nullcontext()
        return transaction.atomic(using=self.writer)

    def _write(
        self, pieces: Iterable[bytes | str], using: str, seal: Seal | None
    ) -> streams.Written:
        return streams.write(
            pieces,
            using=using,
            chunk_size=self._options.chunk_size,
            max_size=self._options.max_size,
            seal=seal,
        )

    def _written(self, upload: Upload) -> streams.Written:
        if not upload.is_complete:
            raise ValueError("The upload is not complete")
        limit = self._options.max_size
        if limit is not None and upload.content.size > limit:
            raise FileTooLarge(f"The file is larger than {limit} bytes")
        upload = uploads.digested(upload)
        upload.content.unlock()  # Before the transaction.
        chunk = b"" if upload.is_begun else uploads.first_chunk(upload)
        return streams.Written(content=upload.content, sha256=str(upload.tag), first_chunk=chunk)

    def _name(self, upload: Upload, written: streams.Written, head: heads.Columns) -> bool:
        """Give an upload the columns of a file, and return False when the name is taken.

        :raises UploadChanged: when another writer was faster.
        :raises UploadGone: when there is no such upload.
        """
        if not upload.is_begun:
            try:
                return rows(self.writer).insert_head(head)
            except IntegrityError as error:  # Its key is taken: by itself.
                raise UploadGone(errno.ENOENT, "The upload is a file by now") from error
        try:
            with transaction.atomic(using=self.writer):
                uploads.name_it(upload, written.content, heads.named_head(head))
        except IntegrityError:
            return False
        return True

    def _update(self, row: StoredFile, written: streams.Written, kept: FileRecord | None) -> None:
        """Point a head row to new content, and delete the old content."""
        self.trash.replace(row, heads.replaced_head(row, written, self._options, kept))


def _near(content: Content, replica: str | None) -> Content:
    """Return a content whose bytes this replica may give."""
    return content if replica is None else replace(content, replica=replica)


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
