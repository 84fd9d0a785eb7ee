"""Renaming: a file gets another name, and so do the rows that name it."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Field, Model, QuerySet

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.references import VERSIONS_OF, columns_of, is_same


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that names a file in one of its columns."""

    row: Model
    field: "Field[Any, Any]"


def rows_naming(storage: DatabaseStorage, name: str) -> Iterator[Reference]:
    """Yield the rows that name a file of this storage, in the databases where rows are written."""
    for column, rows in columns_of(storage, storage.catalog.writer):
        # Some collations take A.txt for a.txt, and then this finds the rows of both.
        for row in rows.filter(**{column: name}):
            value = getattr(row, column)
            # A model may choose the storage for each row.
            at = getattr(value, "storage", None) or _storage_of_origin(row, column, storage)
            if str(value) == name and is_same(at, storage):
                yield Reference(row, row._meta.get_field(column))


def _storage_of_origin(row: Model, column: str, default: DatabaseStorage) -> Any:
    """Return the storage that an earlier version of a row, which has its names as text, had."""
    for attribute in VERSIONS_OF:
        if (origin := getattr(type(row), attribute, None)) is not None:
            return getattr(origin._meta.get_field(column), "storage", default)
    return default


def rename_with_rows(storage: DatabaseStorage, old: str, new: str) -> tuple[str, int]:
    """Rename a file and change the rows that name it, in one transaction.

    Rows in other databases than the file's have a transaction there. No signals are sent for the
    rows.

    :returns: the new name as the storage spells it, and the number of rows.
    :raises ValueError: when the new name is too long for a column.
    """
    with ExitStack() as transactions:
        transactions.enter_context(transaction.atomic(using=storage.catalog.writer))
        new = storage.rename(old, new)
        changed, entered = 0, {storage.catalog.writer}
        for found in list(rows_naming(storage, old)):
            using = str(found.row._state.db)  # noqa: SLF001 -- documented
            if using not in entered:
                entered.add(using)
                transactions.enter_context(transaction.atomic(using=using))
            _check_length(found, new)
            rows: QuerySet[Any] = QuerySet(model=type(found.row), using=using)
            # Unless it was given another file meanwhile.
            row = rows.filter(**{"pk": found.row.pk, found.field.attname: old})
            changed += row.update(**{found.field.attname: new})
        return new, changed


def _check_length(found: Reference, name: str) -> None:
    longest = getattr(found.field, "max_length", None)
    if longest is not None and len(name) > longest:
        label = f"{found.row._meta.verbose_name}.{found.field.name}"
        raise ValueError(f"The name is longer than the {longest} characters of {label}")
