"""The tables of other packages that keep files in a database, as sources of a copy.

Only the tables are read, so the packages need not be installed.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models
from django.db.models.functions import Length, Substr

from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import utc
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.models import page_of

#: How many bytes one query fetches. A multiple of 4, for Base64. SQLite and MariaDB read the whole
#: content for each part of it, so parts are large.
_PART_BYTES = 8 * 1024 * 1024

#: How many rows, without their contents, one query fetches.
_PAGE_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A package's table: the names of its columns, None for those it does not have."""

    #: None where each project names its own table.
    table: str | None
    name: str = "name"
    content: str = "content"
    is_public: str | None = None
    created: str | None = None
    modified: str | None = None
    #: Whether contents are stored in Base64.
    is_encoded: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the table must have, by their meaning."""
        meanings = ("name", "content", "is_public", "created", "modified")
        columns = {meaning: getattr(self, meaning) for meaning in meanings}
        return {"id": "id", **{key: column for key, column in columns.items() if column}}


#: Layouts by the name of the package.
LAYOUTS = {
    "django-single-table-db-storage": Layout(
        table="storage_file", is_public="is_public", created="created_ts", modified="updated_ts"
    ),
    "django-dbfiles": Layout(table="db_file", created="created_on", modified="updated_on"),
    "django-binary-database-files": Layout(
        table="binary_database_files_file", created="created_datetime"
    ),
    "django-db-file-storage": Layout(
        table=None, name="filename", content="bytes", is_encoded=True
    ),
}

_FIELDS: dict[str, Any] = {
    "id": models.BigAutoField,
    "name": models.TextField,
    "content": models.BinaryField,
    "is_public": models.BooleanField,
    "created": models.DateTimeField,
    "modified": models.DateTimeField,
}


class OtherTable:
    """Another package's table, whose rows are files."""

    def __init__(self, layout: Layout, *, table: str, using: str) -> None:
        """Check the table.

        :param table: its name.
        :param using: alias of the database.
        :raises LookupError: when the database, the table or a column does not exist.
        """
        _check_table(layout, table, using)
        self._layout = layout
        self.is_remote = connections[using].vendor != "sqlite"
        self.databases: tuple[str, ...] = (using,)
        self._rows: models.QuerySet[Any] = models.QuerySet(
            _model(layout, table), using=using
        ).order_by("pk")

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield the records of the files below a directory, in the order of their keys."""
        prefix = f"{directory}/" if directory else ""
        meanings = [name for name in self._layout.columns if name != "content"]
        length = Length("content")
        rows = self._rows.annotate(length=length).values(*meanings, "length")
        if self._layout.is_encoded:
            end = Substr("content", length - 1, 2, output_field=models.TextField())
            rows = rows.annotate(end=end).values(*meanings, "length", "end")
        last: Any = None
        while page := self._page(rows if last is None else rows.filter(pk__gt=last)):
            for key, row in page:
                record = self._record_of(key, row)
                if record.problem or record.name.startswith(prefix):
                    yield record
            last = page[-1][0]

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""
        return self._rows.count() if not directory else sum(1 for _ in self.records(directory))

    def complete(self, record: FileRecord) -> FileRecord:
        """Return the record, which is complete already."""
        return record

    def read(self, record: FileRecord) -> Iterator[bytes]:
        """Yield the bytes of a file, at most 8 MiB at once."""
        key, length = record.key
        contents = self._rows.filter(pk=key)
        for start in range(0, length, _PART_BYTES):
            part = Substr("content", start + 1, _PART_BYTES, output_field=models.BinaryField())
            found = contents.annotate(part=part).values_list("part", flat=True).first()
            if found is None or len(found) != min(_PART_BYTES, length - start):
                raise CopyFailed("the row was changed or deleted while it was being read")
            yield self._decoded(found)

    def read_together(self, records: Sequence[FileRecord]) -> Iterator[tuple[FileRecord, bytes]]:
        """Yield those files that can be read, each with its bytes."""
        keys = [record.key[0] for record in records]
        found = dict(self._rows.filter(pk__in=keys).values_list("pk", "content"))
        for record in records:
            key, length = record.key
            content = found.pop(key, None)
            if content is not None and len(content) == length:
                yield record, self._decoded(content)

    def _decoded(self, part: Any) -> bytes:
        # A text column returns text, whatever the model says.
        content = part.encode() if isinstance(part, str) else bytes(part)
        return base64.b64decode(content, validate=True) if self._layout.is_encoded else content

    def _page(self, rows: "models.QuerySet[Any, Any]") -> list[tuple[Any, Any]]:
        """Return the keys of the next rows, with their values or an error."""
        try:
            return [(row["id"], row) for row in page_of(rows, _PAGE_LENGTH)]
        except (ValueError, TypeError, OverflowError):
            # SQLite keeps any text in a column of times. One bad row must not hide the others.
            keys = page_of(rows.values_list("pk", flat=True), _PAGE_LENGTH)
            return [(key, _value_or_error(rows, key)) for key in keys]

    def _record_of(self, key: Any, row: Any) -> FileRecord:
        if isinstance(row, Exception):
            return FileRecord(name=f"row {key}", problem=f"the row can't be read: {row}")
        if not isinstance(row["name"], str) or not isinstance(row["length"], int):
            return FileRecord(name=f"row {key}", problem="the row has no name or no content")
        created, modified = row.get("created"), row.get("modified")
        return FileRecord(
            name=row["name"],
            size=_decoded_length(row["length"], row["end"]) if "end" in row else row["length"],
            is_public=row.get("is_public"),
            created=created and utc(created),
            modified=modified and utc(modified),
            key=(row["id"], row["length"]),
        )


def _decoded_length(length: int, end: str | bytes) -> int:
    """Return how many bytes Base64 stands for.

    :param end: its last two characters.
    """
    padding = end.count("=") if isinstance(end, str) else bytes(end).count(b"=")
    return length // 4 * 3 - padding


def _value_or_error(rows: "models.QuerySet[Any, Any]", key: Any) -> Any:
    try:
        return rows.get(pk=key)
    except (ValueError, TypeError, OverflowError) as error:
        return error


def _check_table(layout: Layout, table: str, using: str) -> None:
    if using not in connections:
        raise LookupError(f"DATABASES has no {using!r}.")
    connection = connections[using]
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor, include_views=True):
            raise LookupError(f"The database {using!r} has no table {table!r}.")
        described = connection.introspection.get_table_description(cursor, table)
    present = {column.name for column in described}
    if missing := sorted(set(layout.columns.values()) - present):
        columns = "column" if len(missing) == 1 else "columns"
        raise LookupError(f"The table {table!r} has no {columns} {', '.join(missing)}.")


def _model(layout: Layout, table: str) -> type[models.Model]:
    """Return a model of the table in a separate registry, hidden from the project."""
    fields: dict[str, Any] = {
        meaning: _FIELDS[meaning](db_column=column, primary_key=meaning == "id")
        for meaning, column in layout.columns.items()
    }
    meta = {"db_table": table, "managed": False, "app_label": "other_tables", "apps": Apps()}
    return type(
        "OtherFile",
        (models.Model,),
        {**fields, "__module__": __name__, "Meta": type("Meta", (), meta)},
    )
