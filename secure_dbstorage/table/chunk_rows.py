"""The chunks of a content: rows read by content key and position, inserted and deleted."""

from collections.abc import Iterator, Sequence
from typing import Any

from secure_dbstorage.table import statements
from secure_dbstorage.table.execution import Execution
from secure_dbstorage.table.statements import FIELDS, placeholders

_FIRST_CHUNK_COLUMNS = ("content", "data")
CHUNK_COLUMNS = ("content", "position", "data")
_CHUNK_PLACEHOLDERS = ["%s"] * len(CHUNK_COLUMNS)


class ChunkRows(Execution):
    """Reads and writes the chunks of contents."""

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

    def delete(self, key: int) -> None:
        """Delete the rows of a content.

        A queryset's ``delete()`` would load them, bytes included, for any receiver of a signal.
        """
        self._delete(statements.OF_CONTENT, [key])
