"""References: which rows of which models name the files of a storage.

A FileField names one, and so do the earlier versions of a row that django-simple-history,
django-pghistory and django-reversion keep.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.db import connections, router
from django.db.models import FileField, ImageField, Model, Q, QuerySet

from secure_dbstorage.exceptions import ReferencesHidden
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import canonical_name, spellings
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep import revisions, schemas

#: How many names one query asks for.
_NAMES_PER_QUERY = 1000

#: Spelled out, a name with more slashes than this would take too long a list.
_DEEPEST = 8

#: The attributes by which a model of earlier versions names the model that it follows: those of
#: django-simple-history and django-pghistory.
VERSIONS_OF = ("instance_type", "pgh_tracked_model")


class ReferredNames:
    """A snapshot of the names in all FileFields of a storage.

    Only a hash of each name is kept. If two names share a hash, both count as referred to: that
    errs on the safe side.
    """

    def __init__(self, storage: DatabaseStorage, *, ignored_schemas: Collection[str] = ()) -> None:
        """Read all names, a few thousand at a time.

        :param ignored_schemas: schemas that can't be reached and have no references, by name.
        :raises ReferencesHidden: when there may be more, in tables that can't be reached.
        """
        _check_all_reached(storage, ignored_schemas)
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

    :param names: canonical ones. Rows may spell them in other ways; see Note [One name, or many].
    :param using: search this database and the one that the routers choose for a model; None for
        every database that has the model's table.
    """
    wanted, found = sorted(names), set[str]()
    if not wanted:
        return found
    for start in range(0, len(wanted), _NAMES_PER_QUERY):
        part = wanted[start : start + _NAMES_PER_QUERY]
        for column, rows in columns_of(storage, using):
            values = rows.filter(_naming(column, part)).values_list(column, flat=True)
            found.update(map(_canonical, filter(None, values)))
    databases = partial(_databases_of, changed=using)
    kept = revisions.names_in(_fields_by_model(storage), databases, wanted)
    found.update(map(_canonical, kept))
    # A database may take "A.pdf" for "a.pdf".
    return found.intersection(wanted)


# Note [One name, or many]
# With each deleted instance, all referring columns are asked for the name of its file. That must
# use an index where there is one, so the likely spellings of the name are asked for exactly.
# Pruning asks for a thousand names at once, and looks at each row for those in other spellings.
def _naming(column: str, wanted: Sequence[str]) -> Q:
    """Return a condition that is true for each row with one of these names.

    Others may meet it too.
    """
    if len(wanted) == 1 and wanted[0].count("/") <= _DEEPEST:
        return Q(**{f"{column}__in": sorted(spellings(wanted[0]))})
    odd = Q(**{f"{column}__endswith": "/"}) | Q(**{f"{column}__endswith": "/."})
    for part in ("\\", "//", "./"):
        odd |= Q(**{f"{column}__contains": part})
    return Q(**{f"{column}__in": wanted}) | odd


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
    for model, columns in _referring_models(storage):
        for using in _databases_of(model, changed):
            # Not through a manager: a project's manager may hide rows.
            rows: QuerySet[Any] = QuerySet(model=model, using=using)
            yield from ((column, rows.order_by()) for column in columns)


def _referring_models(storage: DatabaseStorage) -> Iterator[tuple[type[Model], list[str]]]:
    """Yield the models whose tables have columns that refer to files of a storage, with these."""
    for model in apps.get_models(include_auto_created=True):
        columns = _file_columns(model, storage)
        if columns and not model._meta.proxy:
            yield model, columns


# Note [Tables that tenants share]
# Each tenant may have a schema of PostgreSQL with the tables of its models, and all of them one
# table of files. Whoever runs as one tenant, or as none, sees no row of the others, and would take
# their files for unreferenced. A schema with a table of files of its own doesn't share ours.
def _check_all_reached(storage: DatabaseStorage, ignored: Collection[str]) -> None:
    """Make sure that no schema out of reach has rows that refer to files of a storage.

    :param ignored: names of schemas that are known to have none.
    :raises ReferencesHidden: when one may have.
    """
    writer = storage.catalog.writer
    files = schemas.tables_of(StoredFile._meta.db_table, using=writer)
    ours = {table.schema for table in files if table.is_reached}
    names = {model: model._meta.db_table for model, _ in _referring_models(storage)}
    names |= {model: model._meta.db_table for model in revisions.models()}
    for model, name in names.items():
        tables = [
            table
            for using in _databases_for(model)
            for table in schemas.tables_of(name, using=using)
        ]
        reached = {table.schema for table in tables if table.is_reached}
        may_share = {
            table.schema for table in tables if not table.is_beside_files or table.schema in ours
        }
        if hidden := {schema.name for schema in may_share - reached}.difference(ignored):
            raise ReferencesHidden(name, sorted(hidden))


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
    """Yield the databases that have a model's table."""
    return (using for using in _databases_for(model, changed) if _has_table(using, model))


def _databases_for(model: type[Model], changed: str | None = None) -> Iterator[str]:
    """Yield the databases that may have a model's table."""
    # Rows are where the routers look for them, whatever they say of migrations: those of a legacy
    # database are often somebody else's.
    chosen = {router.db_for_write(model)}
    if changed is None:
        chosen.add(router.db_for_read(model))
    for using in chosen.union(connections if changed is None else [changed]):
        if using in chosen or router.allow_migrate_model(using, model):
            yield using


def _has_table(using: str, model: type[Model]) -> bool:
    connection, name = connections[using], model._meta.db_table
    if connection.vendor == "postgresql":
        return schemas.is_reached(name, using=using)
    quote = connection.ops.quote_name("")[:1]
    if f"{quote}.{quote}" in name:
        return True  # Of another schema, whose tables introspection doesn't show.
    tables = connection.introspection.table_names(include_views=True)
    # Some databases change a table's case, and find it all the same.
    return name.casefold() in map(str.casefold, tables)


def _canonical(name: str) -> str:
    """Return the name that a storage would open for a field's value."""
    try:
        return canonical_name(name)
    except SuspiciousFileOperation:
        return name
