"""References: which FileFields of which models name the files of a storage."""

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
    """The names in all FileFields of a storage, as they were when this was made.

    Keeps a hash of each: two names that share one both count as referred to, which is the safe way
    to err.
    """

    def __init__(self, storage: DatabaseStorage) -> None:
        """Read all names, some thousand at a time."""
        self._hashes: set[int] = set()
        for field, rows in _columns_of(storage):
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
    """Return those of some canonical names that a FileField of the storage holds right now.

    :param using: ask this database and the one that the routers name for a model; None for every
        database that has its table.
    """
    wanted, found = sorted(names), set[str]()
    for start in range(0, len(wanted), _NAMES_PER_QUERY):
        part = wanted[start : start + _NAMES_PER_QUERY]
        for field, rows in _columns_of(storage, using):
            values = rows.filter(**{f"{field.attname}__in": part})
            found.update(values.values_list(field.attname, flat=True))
    return found


def file_fields(model: type[Model]) -> Iterator[FileField]:
    """Yield the FileFields of a model, inherited ones too, whose storage is one of ours."""
    for field in model._meta.concrete_fields:
        # A lazy storage, as the default one, is set up here.
        if isinstance(field, FileField) and isinstance(field.storage, DatabaseStorage):
            yield field


def _columns_of(
    storage: DatabaseStorage, changed: str | None = None
) -> Iterator[tuple[FileField, QuerySet[Any]]]:
    """Yield each column that names files of a storage, with all rows of its table."""
    for model in apps.get_models(include_auto_created=True):
        fields = [
            field
            for field in model._meta.concrete_fields
            if isinstance(field, FileField) and field.model is model and _may_name(field, storage)
        ]
        if fields and not model._meta.proxy:
            for using in _databases_of(model, changed):
                # No manager: one of the project's own may leave rows out.
                rows: QuerySet[Any] = QuerySet(model=model, using=using)
                yield from ((field, rows.order_by()) for field in fields)


def _may_name(field: FileField, storage: DatabaseStorage) -> bool:
    """Tell whether the names in a field may be those of a storage's files.

    A subclass may have another storage for each instance, as that of django-filer has, whatever
    the field says: its names count in all storages.
    """
    return type(field) not in (FileField, ImageField) or _is_same(field.storage, storage)


def _is_same(one: Any, other: DatabaseStorage) -> bool:
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
    """Return the name that a storage would open for what a field holds."""
    try:
        return canonical_name(name)
    except SuspiciousFileOperation:
        return name
