"""The head rows of files: found by name or content, inserted, and given new values."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.db import IntegrityError, transaction

from secure_dbstorage.files.heads import HEAD_COLUMNS, LinkState, Room, StoredHead, head_of
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.table import statements
from secure_dbstorage.table.chunk_rows import ChunkRows
from secure_dbstorage.table.statements import FIELDS, placeholders

HEAD_AND_CHUNK_COLUMNS = (*HEAD_COLUMNS, "data")
_LINK_COLUMNS = ("name", "is_public", "link_epoch")


class HeadRows(ChunkRows):
    """Reads and writes the head rows of files, one at a time."""

    def head(  # noqa: PLR0913 -- all that a head is found by
        self,
        namespace: str,
        name: str,
        *,
        keyring: Keyring = NO_KEYS,
        public_only: bool = False,
        with_chunk: bool = False,
        whole_only: bool = False,
    ) -> StoredHead | None:
        """Return the head of a file, or None.

        :param keyring: the option ``encryption_keys`` of its storage. Without it, encrypted
            content can't be opened.
        :param public_only: find public files only, so that private and missing ones take the same
            time.
        :param with_chunk: fetch the first chunk as well.
        :param whole_only: fetch it only if it is the whole file.
        """
        columns = HEAD_AND_CHUNK_COLUMNS if with_chunk else HEAD_COLUMNS
        parameters: list[object] = [namespace, name]
        if public_only:
            parameters.append(
                FIELDS["is_public"].get_db_prep_save(value=True, connection=self._connection)
            )
        template = statements.selection(columns, public_only=public_only, whole_only=whole_only)
        for row in self._fetch(self._statement(template), parameters, columns):
            # The column's collation may be wrong, so the name is compared again.
            if row[0] == name:
                return self._head_of(row, namespace, keyring)
        return None

    def head_of_content(self, namespace: str, key: int, *, keyring: Keyring) -> StoredHead | None:
        """Return the head of the file that has a content, or None."""
        statement = self._statement(statements.selection_by_key(HEAD_COLUMNS))
        found = self._fetch(statement, [key, namespace], HEAD_COLUMNS)
        return self._head_of(found[0], namespace, keyring) if found else None

    def locked(self, namespace: str, name: str, *, waits: bool) -> StoredFile | None:
        """Return the head row of a file, locked for the caller's transaction, or None.

        :param waits: False for None instead of waiting, on databases that can.
        """
        files = self._files(namespace).filter(name=name)
        files = files.select_for_update(skip_locked=self._can_skip_locked and not waits)
        return next((row for row in files if row.name == name), None)

    def link_states(self, namespace: str, names: Sequence[str]) -> dict[str, LinkState]:
        """Return the link states of those files that exist, by name."""
        # Appended to the statement that is kept: the list is as long as there are names.
        statement = self._statement(statements.LINK_STATES) + placeholders(len(names))
        rows = self._fetch(statement, [namespace, *names], _LINK_COLUMNS)
        return {name: LinkState(bool(is_public), epoch) for name, is_public, epoch in rows}

    def room(self, namespace: str, name: str, above: Sequence[str] = ()) -> Room:
        """Return what is in the way of a file of this name.

        :param above: the directories that must not be files.
        """
        files = self._files(namespace)
        return Room(
            is_file=files.filter(name=name).exists(),
            is_directory=files.below(name).exists(),
            is_below_file=bool(above) and files.filter(name__in=above).exists(),
        )

    def names(self, namespace: str, bounds: tuple[str, str | None], limit: int) -> list[str]:
        """Return the first names in order, from the lower bound up to, not including, the upper.

        :param bounds: the upper one may be None.
        """
        low, high = bounds
        files = self._files(namespace).filter(name__gte=low)
        if high is not None:
            files = files.filter(name__lt=high)
        found = files.order_by("name").values_list("name", flat=True)[:limit]
        return [str(name) for name in found]

    def insert_head(self, row: Mapping[str, object]) -> bool:
        """Insert a head row, given as values by column. Outside a transaction it is committed.

        :returns: False when the name is taken.
        :raises django.db.IntegrityError: when the content key is.
        """
        try:
            with transaction.atomic(using=self._connection.alias):
                self._change(statements.insertion(*row), row)
        except IntegrityError:
            # The name is taken, perhaps by a row that this transaction does not see.
            if self.run(cast("int", row["content"]), 0, 1):
                raise
            return False
        return True

    def update(self, row_id: int, row: Mapping[str, object]) -> None:
        """Give the row with this primary key new values."""
        self._change(statements.update(*row), row, row_id)

    def insert(self, row: Mapping[str, object]) -> None:
        """Insert a row, given as values by column, under a name that no row has."""
        self._change(statements.insertion(*row), row)

    def rewrap(self, row_id: int, old: bytes, new: bytes) -> bool:
        """Give the first row of a content another sealed key, unless it was changed.

        :param row_id: its primary key.
        :returns: whether it had the old one by now.
        """
        template = statements.update_where(statements.HAS_KEY, "sealed_key")
        return self._change(template, {"sealed_key": new}, row_id, self.binary(old)) == 1

    @property
    def _can_skip_locked(self) -> bool:
        return bool(self._connection.features.has_select_for_update_skip_locked)

    def _head_of(self, row: Sequence[Any], namespace: str, keyring: Keyring) -> StoredHead:
        using = self._connection.alias
        return head_of(row, using=using, namespace=namespace, keyring=keyring)

    def _files(self, namespace: str) -> StoredFileQuerySet:
        files: StoredFileQuerySet = StoredFile.objects.using(self._connection.alias)
        return files.in_namespace(namespace)
