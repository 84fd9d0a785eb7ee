"""Rows of many files by one statement each."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from secure_dbstorage.files.heads import HEAD_COLUMNS, StoredHead
from secure_dbstorage.names import directory_range
from secure_dbstorage.sealing.keyrings import Keyring
from secure_dbstorage.table import statements
from secure_dbstorage.table.head_rows import HEAD_AND_CHUNK_COLUMNS, HeadRows
from secure_dbstorage.table.statements import FIELDS, placeholders


class BatchRows(HeadRows):
    """Finds and inserts the head rows of many files at once."""

    def heads(
        self,
        namespace: str,
        names: Sequence[str],
        *,
        keyring: Keyring,
        with_chunk: bool = False,
    ) -> dict[str, StoredHead]:
        """Return the heads of those files that exist, by name.

        :param keyring: the option ``encryption_keys`` of their storage.
        :param with_chunk: fetch the first chunks as well.
        """
        columns = HEAD_AND_CHUNK_COLUMNS if with_chunk else HEAD_COLUMNS
        # Appended to the statement that is kept: the list is as long as there are names.
        template = statements.selection_of_many(columns)
        statement = self._statement(template) + placeholders(len(names))
        found = self._fetch(statement, [namespace, *names], columns)
        wanted = set(names)
        return {
            row[0]: self._head_of(row, namespace, keyring) for row in found if row[0] in wanted
        }

    def heads_below(
        self,
        namespace: str,
        bounds: tuple[str, str],
        *,
        latest_epoch: int,
        limit: int,
        keyring: Keyring,
    ) -> list[StoredHead]:
        """Return the first heads whose names lie between two bounds, in order.

        :param latest_epoch: leave out files whose link epoch is later.
        :param keyring: the option ``encryption_keys`` of their storage.
        """
        low, high = bounds
        files = self._files(namespace).filter(name__gt=low, name__lt=high)
        ordered = files.filter(link_epoch__lte=latest_epoch).order_by("name")
        found = ordered.values_list(*HEAD_COLUMNS)[:limit]
        return [self._head_of(row, namespace, keyring) for row in found]

    def directories(self, namespace: str, names: Sequence[str]) -> set[str]:
        """Return those names below which there are files."""
        return {name for name in names if self.names(namespace, directory_range(name), 1)}

    def insert_heads(self, heads: Sequence[Mapping[str, object]]) -> None:
        """Insert head rows, given as values by column; where one lacks a column, it is NULL.

        :raises django.db.IntegrityError: when a name or a content key is taken.
        """
        columns = list(dict.fromkeys(chain.from_iterable(heads)))
        operations: Any = self._connection.ops
        places = [["%s"] * len(columns)] * len(heads)
        values = operations.bulk_insert_sql([FIELDS[name] for name in columns], places)
        parameters = chain.from_iterable(
            self._parameters({name: head.get(name) for name in columns}) for head in heads
        )
        insertion = self._statement(statements.insertion_of_many(*columns))
        self._execute(f"{insertion} {values}", list(parameters))
