"""References: which FileFields of which models refer to the files of a storage."""

from collections.abc import Collection, Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import SuspiciousFileOperation
from django.db import connections, router
from django.db.models import FileField, ImageField, Model, QuerySet

from secure_dbstorage.names import canonical_name
from secure_dbstorage.storage import DatabaseStorage

#: How many names one query asks for.
_NAMES_PER_QUERY = 1000


class ReferredNames:
    """A snapshot of the names in all FileFields of a storage.

    Only a hash of each name is kept. If two names share a hash, both count as referred to: that
    errs on the safe side.
    """

    def __init__(self, storage: DatabaseStorage) -> None:
        """Read all names, a few thousand at a time."""
        self._hashes: set[int] = set()
        for field, rows in columns_of(storage):
            names = rows.exclude(**{field.attname: ""}).values_list(field.attname, flat=True)
            for name in names.iterator(chunk_size=2000):
                if name:
                    self._hashes.add(hash(_canonical(name)))

    def __contains__(self, name: str) -> bool:
        return hash(name) in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)


def referred(
    storage: DatabaseStorage, names: Collection[str], *, using: str | None = None
) -> set[str]:
    """Return the canonical names among these that a FileField of the storage holds right now.

    :param using: search this database and the one that the routers choose for a model; None for
        every database that has the model's table.
    """
    wanted, found = sorted(names), set[str]()
    for start in range(0, len(wanted), _NAMES_PER_QUERY):
        part = wanted[start : start + _NAMES_PER_QUERY]
        for field, rows in columns_of(storage, using):
            values = rows.filter(**{f"{field.attname}__in": part})
            found.update(values.values_list(field.attname, flat=True))
    return found


def file_fields(model: type[Model]) -> Iterator[FileField]:
    """Yield the FileFields of a model, inherited ones too, whose storage is one of ours."""
    for field in model._meta.concrete_fields:
        # A lazy storage, such as the default one, is set up here.
        if isinstance(field, FileField) and isinstance(field.storage, DatabaseStorage):
            yield field


def columns_of(
    storage: DatabaseStorage, changed: str | None = None
) -> Iterator[tuple[FileField, QuerySet[Any]]]:
    """Yield each column that refers to files of a storage, with all rows of its table."""
    for model in apps.get_models(include_auto_created=True):
        fields = [
            field
            for field in model._meta.concrete_fields
            if isinstance(field, FileField) and field.model is model and _may_name(field, storage)
        ]
        if fields and not model._meta.proxy:
            for using in _databases_of(model, changed):
                # Not through a manager: a project's manager may hide rows.
                rows: QuerySet[Any] = QuerySet(model=model, using=using)
                yield from ((field, rows.order_by()) for field in fields)


def _may_name(field: FileField, storage: DatabaseStorage) -> bool:
    """Tell whether a field may refer to files of a storage.

    A subclass, such as django-filer's, may choose a storage for each instance whatever the field
    says. Its names therefore count in every storage.
    """
    return type(field) not in (FileField, ImageField) or is_same(field.storage, storage)


def is_same(one: Any, other: DatabaseStorage) -> bool:
    """Tell whether a storage has the same files as another."""
    return isinstance(one, DatabaseStorage) and (one.options.namespace, one.catalog.writer) == (
        other.options.namespace,
        other.catalog.writer,
    )


def _databases_of(model: type[Model], changed: str | None) -> Iterator[str]:
    aliases = connections if changed is None else {changed, router.db_for_write(model)}
    for using in aliases:
        if router.allow_migrate_model(using, model):
            connection = connections[using]
            if model._meta.db_table in connection.introspection.table_names(include_views=True):
                yield using


def _canonical(name: str) -> str:
    """Return the name that a storage would open for a field's value."""
    try:
        return canonical_name(name)
    except SuspiciousFileOperation:
        return name
