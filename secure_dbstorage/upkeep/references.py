"""References: which rows of which models name the files of a storage.

A FileField names one, and so do the earlier versions of a row that django-simple-history,
django-pghistory and django-reversion keep.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.db import connections, router
from django.db.models import FileField, ImageField, Model, QuerySet

from secure_dbstorage.names import canonical_name
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep import revisions

#: How many names one query asks for.
_NAMES_PER_QUERY = 1000

#: The attributes by which a model of earlier versions names the model that it follows: those of
#: django-simple-history and django-pghistory.
VERSIONS_OF = ("instance_type", "pgh_tracked_model")


class ReferredNames:
    """A snapshot of the names in all FileFields of a storage.

    Only a hash of each name is kept. If two names share a hash, both count as referred to: that
    errs on the safe side.
    """

    def __init__(self, storage: DatabaseStorage) -> None:
        """Read all names, a few thousand at a time."""
        self._hashes: set[int] = set()
        for column, rows in columns_of(storage):
            names = rows.exclude(**{column: ""}).values_list(column, flat=True)
            self._add(names.iterator(chunk_size=2000))
        self._add(revisions.names_in(_fields_by_model(storage), _databases_of))

    def _add(self, names: Iterable[str | None]) -> None:
        self._hashes.update(hash(_canonical(name)) for name in names if name)

    def __contains__(self, name: str) -> bool:
        return hash(name) in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)


def referred(
    storage: DatabaseStorage, names: Collection[str], *, using: str | None = None
) -> set[str]:
    """Return the names among these that a row holds right now, in any version of it.

    :param using: search this database and the one that the routers choose for a model; None for
        every database that has the model's table.
    """
    wanted, found = sorted(names), set[str]()
    if not wanted:
        return found
    for start in range(0, len(wanted), _NAMES_PER_QUERY):
        part = wanted[start : start + _NAMES_PER_QUERY]
        for column, rows in columns_of(storage, using):
            values = rows.filter(**{f"{column}__in": part})
            found.update(values.values_list(column, flat=True))
    databases = partial(_databases_of, changed=using)
    found.update(revisions.names_in(_fields_by_model(storage), databases, wanted))
    # A database may take "A.pdf" for "a.pdf".
    return found.intersection(wanted)


def file_fields(model: type[Model]) -> Iterator[FileField]:
    """Yield the FileFields of a model, inherited ones too, whose storage is one of ours."""
    for field in model._meta.concrete_fields:
        # A lazy storage, such as the default one, is set up here.
        if isinstance(field, FileField) and isinstance(field.storage, DatabaseStorage):
            yield field


def columns_of(
    storage: DatabaseStorage, changed: str | None = None
) -> Iterator[tuple[str, QuerySet[Any]]]:
    """Yield each column that refers to files of a storage, with all rows of its table."""
    for model in apps.get_models(include_auto_created=True):
        columns = _file_columns(model, storage)
        if columns and not model._meta.proxy:
            for using in _databases_of(model, changed):
                # Not through a manager: a project's manager may hide rows.
                rows: QuerySet[Any] = QuerySet(model=model, using=using)
                yield from ((column, rows.order_by()) for column in columns)


def _file_columns(model: type[Model], storage: DatabaseStorage) -> list[str]:
    """Return the columns of a model's own table that refer to files of a storage.

    A model of earlier versions has them as text, under the names of the fields they come from.
    """
    columns = set(_file_fields_of(model, storage))
    for attribute in VERSIONS_OF:
        origin = getattr(model, attribute, None)
        if isinstance(origin, type) and issubclass(origin, Model):
            columns.update(_file_fields_of(origin, storage))
    fields = model._meta.concrete_fields
    return [field.attname for field in fields if field.model is model and field.attname in columns]


def _file_fields_of(model: type[Model], storage: DatabaseStorage) -> list[str]:
    """Return the names of a model's FileFields, inherited ones too, that may name its files."""
    return [
        field.attname
        for field in model._meta.concrete_fields
        if isinstance(field, FileField) and _may_name(field, storage)
    ]


def _fields_by_model(storage: DatabaseStorage) -> dict[str, list[str]]:
    """Return the names of the FileFields that may name a storage's files, by model label."""
    models = apps.get_models(include_auto_created=True)
    fields = {model._meta.label_lower: _file_fields_of(model, storage) for model in models}
    return {label: names for label, names in fields.items() if names}


def _may_name(field: FileField, storage: DatabaseStorage) -> bool:
    """Tell whether a field may refer to files of a storage.

    A subclass, such as django-filer's, may choose a storage for each instance whatever the field
    says, and a storage of another package may pass its files on to ours. Their names therefore
    count in every storage.
    """
    if type(field) not in (FileField, ImageField):
        return True
    is_known = isinstance(field.storage, DatabaseStorage | FileSystemStorage | InMemoryStorage)
    return not is_known or is_same(field.storage, storage)


def is_same(one: Any, other: DatabaseStorage) -> bool:
    """Tell whether a storage has the same files as another."""
    return isinstance(one, DatabaseStorage) and (one.options.namespace, one.catalog.writer) == (
        other.options.namespace,
        other.catalog.writer,
    )


def _databases_of(model: type[Model], changed: str | None = None) -> Iterator[str]:
    # Rows are where the routers look for them, whatever they say of migrations: those of a legacy
    # database are often somebody else's.
    chosen = {router.db_for_write(model)}
    if changed is None:
        chosen.add(router.db_for_read(model))
    for using in chosen.union(connections if changed is None else [changed]):
        if using in chosen or router.allow_migrate_model(using, model):
            tables = connections[using].introspection.table_names(include_views=True)
            # Some databases change a table's case, and find it all the same.
            if model._meta.db_table.casefold() in map(str.casefold, tables):
                yield using


def _canonical(name: str) -> str:
    """Return the name that a storage would open for a field's value."""
    try:
        return canonical_name(name)
    except SuspiciousFileOperation:
        return name
