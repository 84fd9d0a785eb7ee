"""The rows of the table over one connection, in SQL for every database that Django supports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from secure_dbstorage.files.heads import HEAD_COLUMNS, LinkState, Room, StoredHead, head_of
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.table import statements
from secure_dbstorage.table.cursors import ShortLogCursor
from secure_dbstorage.table.statements import FIELDS

_HEAD_AND_CHUNK_COLUMNS = (*HEAD_COLUMNS, "data")
_LINK_COLUMNS = ("name", "is_public", "link_epoch")
_UPLOAD_COLUMNS = (
    *("name", "size", "chunk_size", "sha256", "expires", "sealed_key"),
    *("position", "position"),  # The last one is a length, which needs no conversion either.
)
_FIRST_CHUNK_COLUMNS = ("content", "data")
CHUNK_COLUMNS = ("content", "position", "data")
_CHUNK_PLACEHOLDERS = ["%s"] * len(CHUNK_COLUMNS)


class Rows:
    """Reads and writes rows. Each method is one statement.

    Every statement goes through Django's cursor wrapper: errors are those of ``django.db``,
    execute wrappers are called, and ``connection.queries`` shows the statement without its bytes.

    Make one for each use: the connection belongs to a thread, and must not be kept.
    """

    #: The columns whose values the driver may return in another form than Django does.
    converted_columns: tuple[str, ...] = tuple(FIELDS)

    #: Whether the driver returns the first row of a query before it has all of them.
    gives_rows_as_they_come = False

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

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
        columns = _HEAD_AND_CHUNK_COLUMNS if with_chunk else HEAD_COLUMNS
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

    def run(self, key: int, first: int, count: int) -> list[bytes]:
        """Return the chunks of a content from position *first* on, as many as exist."""
        statement = self._statement(statements.RUN)
        rows = self._fetch(statement, [key, first, first + count], ("data",))
        return [data for (data,) in rows]

    def each(self, key: int, first: int, count: int) -> Iterator[bytes]:
        """Yield what :meth:`run` returns. Nobody may use the connection before the end."""
        with self._cursor() as cursor:
            cursor.execute(self._statement(statements.RUN), [key, first, first + count])
            while (row := cursor.fetchone()) is not None:
                yield row[0]

    def first_chunks(self, keys: Sequence[int]) -> dict[int, bytes]:
        """Return the first chunks of those contents that exist, by content key."""
        # Appended to the statement that is kept: the list is as long as there are keys.
        statement = self._statement(statements.FIRST_CHUNKS) + placeholders(len(keys))
        return dict(self._fetch(statement, keys, _FIRST_CHUNK_COLUMNS))

    def locked_chunk(self, key: int) -> bytes:
        """Return the first chunk of a content whose head row is locked."""
        return b"".join(self.run(key, 0, 1))

    def part(self, key: int, position: int, start: int, stop: int, *, length: int) -> bytes | None:
        """Return the bytes of one chunk from *start* up to *stop*, or None without the chunk.

        :param length: that of the chunk. One of another length is not what was saved.
        """
        chunks = self.run(key, position, 1)
        return chunks[0][start:stop] if chunks and len(chunks[0]) == length else None

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

    def insert_chunks(self, key: int, position: int, chunks: Sequence[bytes]) -> None:
        """Insert continuation rows, the first of them at this position.

        :raises django.db.IntegrityError: when the content key is taken.
        """
        # Appended to the statement that is kept: the list is as long as there are chunks.
        operations: Any = self._connection.ops
        fields = [FIELDS[name] for name in CHUNK_COLUMNS]
        values = operations.bulk_insert_sql(fields, [_CHUNK_PLACEHOLDERS] * len(chunks))
        parameters: list[object] = []
        for number, chunk in enumerate(chunks, position):
            parameters += key, number, self.binary(chunk)
        self._execute(f"{self._statement(statements.INSERT_CHUNKS)}{values}", parameters)

    def update(self, row_id: int, row: Mapping[str, object]) -> None:
        """Give the row with this primary key new values."""
        self._change(statements.update(*row), row, row_id)

    def insert(self, row: Mapping[str, object]) -> None:
        """Insert a row, given as values by column, under a name that no row has."""
        self._change(statements.insertion(*row), row)

    def delete(self, key: int) -> None:
        """Delete the rows of a content.

        A queryset's ``delete()`` would load them, bytes included, for any receiver of a signal.
        """
        self._delete(statements.OF_CONTENT, [key])

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

    def rewrap(self, row_id: int, old: bytes, new: bytes) -> bool:
        """Give the first row of a content another sealed key, unless it was changed.

        :param row_id: its primary key.
        :returns: whether it had the old one by now.
        """
        template = statements.update_where(statements.HAS_KEY, "sealed_key")
        return self._change(template, {"sealed_key": new}, row_id, self.binary(old)) == 1

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

    def forget(self) -> None:
        """Free the memory in which some connections keep the rows that were read and written."""

    def cursor(self) -> CursorWrapper:
        """Return a new cursor of Django's, around the driver's fastest one for bytes."""
        # Not create_cursor(): Django's tests guard their databases at cursor().
        return self._connection.cursor()

    def binary(self, data: bytes) -> object:
        """Return bytes as the driver takes them for a parameter."""
        return self._connection.Database.Binary(data)  # type: ignore[attr-defined]

    @property
    def _can_skip_locked(self) -> bool:
        return bool(self._connection.features.has_select_for_update_skip_locked)

    def _head_of(self, row: Sequence[Any], namespace: str, keyring: Keyring) -> StoredHead:
        using = self._connection.alias
        return head_of(row, using=using, namespace=namespace, keyring=keyring)

    def _files(self, namespace: str) -> StoredFileQuerySet:
        files: StoredFileQuerySet = StoredFile.objects.using(self._connection.alias)
        return files.in_namespace(namespace)

    def _statement(self, template: str) -> str:
        return statements.statement(template, self._connection)

    def _change(self, template: str, row: Mapping[str, object], *more: object) -> int:
        """Execute a template with the values of a row, and return how many rows it changed."""
        return self._execute(self._statement(template), [*self._parameters(row), *more])

    def _delete(self, condition: str, parameters: Sequence[object]) -> int:
        """Delete the rows that meet a condition, given as a template, and return their number."""
        statement = self._statement(f"DELETE FROM {{table}} WHERE {condition}")
        return self._execute(statement, parameters)

    def _parameters(self, row: Mapping[str, object]) -> list[Any]:
        return [self._parameter(name, value) for name, value in row.items()]

    def _parameter(self, name: str, value: object) -> object:
        """Return a column's value as the driver takes it."""
        if isinstance(value, bytes):
            return self.binary(value)
        return FIELDS[name].get_db_prep_save(value, self._connection)

    def _execute(self, statement: str, parameters: Sequence[Any]) -> int:
        with self._cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)

    def _fetch(
        self, statement: str, parameters: Sequence[Any], columns: Sequence[str]
    ) -> list[Any]:
        """Return the rows that a statement finds.

        :param columns: what each row consists of.
        """
        with self._cursor() as cursor:
            cursor.execute(statement, parameters)
            rows: list[Any] = cursor.fetchall()
        if not self.converted_columns:
            return rows
        places = _converted_places(tuple(columns), self.converted_columns)
        return self._converted(rows, places) if places else rows

    def _cursor(self) -> CursorWrapper:
        cursor = self.cursor()
        if type(cursor) is CursorWrapper:
            return cursor
        # One that logs statements, or a project's own, would keep the bytes.
        wrapper = ShortLogCursor if self._connection.queries_logged else CursorWrapper
        return wrapper(cursor.cursor, self._connection)

    def _converted(self, rows: list[Any], places: Sequence[tuple[int, str]]) -> list[Any]:
        """Return rows with the values that Django makes of the driver's.

        :param places: index and name of the columns whose values are converted.
        """
        # The converters are not kept: for MySQL they depend on USE_TZ.
        steps = [(index, self._converters(name)) for index, name in places]
        return [self._with_values(row, steps) for row in rows]

    def _converters(self, name: str) -> list[Callable[..., Any]]:
        field = FIELDS[name]
        return [
            *self._connection.ops.get_db_converters(field.cached_col),
            *field.get_db_converters(self._connection),
        ]

    def _with_values(
        self, row: Sequence[Any], steps: Sequence[tuple[int, Sequence[Callable[..., Any]]]]
    ) -> tuple[Any, ...]:
        values = list(row)
        for index, converters in steps:
            for convert in converters:
                values[index] = convert(values[index], None, self._connection)
            if isinstance(values[index], memoryview):
                values[index] = bytes(values[index])
        return tuple(values)


@cache
def _converted_places(
    columns: tuple[str, ...], converted: tuple[str, ...]
) -> tuple[tuple[int, str], ...]:
    """Return index and name of those columns whose values are converted."""
    return tuple((index, name) for index, name in enumerate(columns) if name in converted)


def placeholders(count: int) -> str:
    """Return the list of so many parameters, in brackets."""
    return f"({', '.join(['%s'] * count)})"
