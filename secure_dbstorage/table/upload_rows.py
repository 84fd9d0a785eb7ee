"""The rows of an upload: found, grown and deleted, as long as it has no name."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from secure_dbstorage.table import statements
from secure_dbstorage.table.execution import Execution
from secure_dbstorage.table.statements import FIELDS

_UPLOAD_COLUMNS = (
    *("name", "size", "chunk_size", "sha256", "expires", "sealed_key"),
    *("position", "position"),  # The last one is a length, which needs no conversion either.
)


class UploadRows(Execution):
    """Reads and writes the rows of uploads."""

    def upload(self, key: int, namespace: str) -> Sequence[Any] | None:
        """Return the first row of an upload and how far its last row goes, or None.

        :returns: name, size, chunk size, SHA-256, expiry, sealed key, and the position and length
            of the last row.
        """
        statement = self._statement(statements.UPLOAD)
        found = self._fetch(statement, [key, namespace], _UPLOAD_COLUMNS)
        return found[0] if found else None

    def insert_upload(self, row: Mapping[str, object]) -> None:
        """Insert the first row of an upload, given as values by column."""
        self._change(statements.insertion(*row), row)

    def update_upload(
        self,
        key: int,
        row: Mapping[str, object],
        *,
        is_empty: bool = False,
        wrapping: bytes | None = None,
    ) -> bool:
        """Give the first row of an upload new values, unless it has a name.

        :param is_empty: only while it has no bytes.
        :param wrapping: how the sealed key of the row must begin; None for no such condition.
        :returns: whether there was such a row.
        :raises django.db.IntegrityError: when the values have a name that is taken.
        """
        condition = statements.IS_EMPTY_UPLOAD if is_empty else statements.IS_UPLOAD
        more: list[object] = []
        if wrapping is not None:
            condition += statements.AND_HAS_WRAPPING
            more = [len(wrapping), self.binary(wrapping)]
        return self._change(statements.update_where(condition, *row), row, key, *more) == 1

    def grow(self, key: int, position: int, length: int, data: bytes) -> bool:
        """Replace the bytes of a row, unless another writer has made it longer.

        :param length: how many bytes the row had.
        :returns: whether it had as many by now.
        """
        template = statements.update_where(statements.IS_UNCHANGED, "data")
        return self._change(template, {"data": data}, key, position, length) == 1

    def delete_unfinished(self, key: int, expired_by: datetime | None) -> bool:
        """Delete the first row of an upload, unless it has a name.

        :param expired_by: leave one that expires later, too; None for no such condition.
        :returns: whether it was deleted.
        """
        if expired_by is None:
            return self._delete(statements.IS_UPLOAD, [key]) == 1
        instant = FIELDS["expires"].get_db_prep_save(expired_by, self._connection)
        return self._delete(statements.IS_EXPIRED_UPLOAD, [key, instant]) == 1

    def delete_unchanged(self, key: int, length: int) -> bool:
        """Delete the first row of an upload, unless it has a name or another length by now.

        :param length: how many bytes it had.
        :returns: whether it was deleted.
        """
        return self._delete(statements.IS_UNCHANGED, [key, 0, length]) == 1
