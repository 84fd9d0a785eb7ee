"""The catalog: the files of one namespace, by name."""

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from secure_dbstorage import names
from secure_dbstorage.exceptions import os_error
from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.heads import LinkState, StoredHead
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.table import streams, uses
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.directories import Directories
from secure_dbstorage.table.groups import Groups
from secure_dbstorage.table.lending import Sending
from secure_dbstorage.table.trash import Trash

#: How many head rows one query of a directory fetches.
_HEADS_PER_QUERY = 1000

#: SQLite takes at most 32,766 parameters.
_NAMES_PER_QUERY = 30_000


class Catalog(Directories):
    """The files of one namespace in one database."""

    @property
    def primary(self) -> "Catalog":
        """This catalog on the primary database. A replica may lag behind."""
        return Catalog(replace(self._options, using=self.writer))

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

    def get(self, name: str, *, with_chunk: bool = False) -> StoredHead:
        """Return the head of a file from the primary database.

        :param with_chunk: fetch the first chunk as well.
        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        head = self.find(name, with_chunk=with_chunk)
        if head is not None:
            return head
        raise self.no_file(name)

    def get_for_reading(self, name: str) -> StoredHead:
        """Return the head of a file, and its first chunk if that saves a query.

        The primary decides which file that is. A replica gives the bytes of a large one.
        """
        head, replica = self.get(name, with_chunk=True), self.replica
        return head if replica is None else head._replace(content=_near(head.content, replica))

    def no_file(self, name: str) -> OSError:
        """Return the error of a name that no file has: there is a directory, or nothing."""
        if self.is_directory(name):
            return os_error(IsADirectoryError, errno.EISDIR, name)
        return os_error(FileNotFoundError, errno.ENOENT, name)

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

    def heads_below(
        self, directory: str, *, latest_epoch: int, now: float, limit: int
    ) -> list[StoredHead]:
        """Return the heads of files below a directory, in the order of their names.

        From the primary database, a thousand a query.

        :param latest_epoch: leave out files whose link epoch is later.
        :param now: leave out those that have expired by then, in seconds since 1970.
        :param limit: return at most this many.
        """
        low, high = names.directory_range(directory)
        fetch = partial(
            rows(self.writer).heads_below,
            self._options.namespace,
            latest_epoch=latest_epoch,
            limit=_HEADS_PER_QUERY,
            keyring=self._options.encryption_keys,
        )
        found, after = list[StoredHead](), low
        while len(found) < limit and (page := fetch((after, high))):
            after = page[-1].stat.name
            # The column's collation may be wrong, so the name is compared again.
            found += [
                head
                for head in page
                if head.stat.name.startswith(low) and not head.stat.has_expired(now)
            ]
        return found[:limit]

    def stream(
        self,
        head: StoredHead,
        start: int,
        stop: int,
        *,
        rows_wanted: Callable[[], int] | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of a file for a response. Nothing is held between two pieces.

        :param rows_wanted: see :class:`~secure_dbstorage.table.lending.Sending`.
        :raises ContentVanished: when the content is deleted or replaced meanwhile.
        """
        return streams.read(
            _near(head.content, self.replica),
            start=start,
            stop=stop,
            first_chunk=head.first_chunk,
            sending=Sending(rows_wanted=rows_wanted),
        )

    def stream_all(
        self, heads: Iterable[StoredHead], *, rows_wanted: Callable[[], int] | None = None
    ) -> Iterator[Iterable[bytes]]:
        """Yield the bytes of each of these files for a response, to be read in this order.

        Arguments and errors are those of :meth:`stream`.
        """
        sending, replica = Sending(rows_wanted=rows_wanted), self.replica
        contents = (_near(head.content, replica) for head in heads)
        return streams.read_all(contents, sending=sending)

    def files(self) -> StoredFileQuerySet:
        """Return the head rows on the primary database, without their bytes."""
        return self._files(self.writer)

    def locked(self, name: str, using: str, *, waits: bool = True) -> StoredFile | None:
        """Return the head row of a file, locked for the caller's transaction, or None.

        :param waits: False for None instead of waiting, on databases that can.
        """
        return rows(using).locked(self._options.namespace, name, waits=waits)

    @property
    def trash(self) -> Trash:
        """The deleted files, on the primary database."""
        return Trash(self._options, self.writer)

    @property
    def groups(self) -> Groups:
        """Groups of files, on the primary database."""
        return Groups(self._options, self.writer)

    def begin_use(self, key: int, client: bytes, *, now: float, needed_until: float) -> bool:
        """Note that a one-time link is used; see :func:`~secure_dbstorage.table.uses.begin`.

        :param now: seconds since 1970.
        :param needed_until: when the note may be forgotten, in seconds since 1970.
        """
        expires = datetime.fromtimestamp(needed_until, tz=UTC)
        return uses.begin(key, client, expires, now=now, using=self.writer)

    def use_of(self, key: int) -> uses.Use | None:
        """Return the use of a one-time link, or None before it is used."""
        return uses.find(key, using=self.writer)

    def _files(self, using: str) -> StoredFileQuerySet:
        files: StoredFileQuerySet = StoredFile.objects.using(using).in_namespace(
            self._options.namespace
        )
        return files


def _near(content: Content, replica: str | None) -> Content:
    """Return a content whose bytes this replica may give."""
    return content if replica is None else content._replace(replica=replica)
