"""What a project declares: its storages, their options and databases, and its file fields."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, default_storage, storages
from django.db import connections, router
from django.db.models import FileField, Model
from django.utils.functional import LazyObject

from secure_dbstorage import conf
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.storage import DatabaseStorage


def declared() -> dict[str, Any]:
    """Return the options of each of our storages in STORAGES, as they were given, by alias."""
    return conf.declared_storages(DatabaseStorage)


def usable() -> dict[str, StorageOptions]:
    """Return the options of each storage that are valid."""
    usable = {}
    for alias, given in declared().items():
        try:
            usable[alias] = conf.read_options(given)
        except ImproperlyConfigured:
            continue  # `check_options()` reports it.
    return usable


def database_of(options: StorageOptions) -> str:
    """Return the alias of the database to which a storage writes."""
    return options.using or router.db_for_write(StoredFile)


def databases_of(vendor: str) -> list[str]:
    """Return the databases of this vendor to which a storage writes."""
    aliases = {database_of(options) for options in usable().values()}
    return sorted(alias for alias in aliases if connections[alias].vendor == vendor)


def fields() -> Iterator[tuple[str, type[Model], DatabaseStorage]]:
    """Yield each field with one of our storages: its label, its model and the storage."""
    for label, model, storage in _file_fields():
        if _is_ours(storage):
            yield label, model, storage


def wrapping_fields() -> Iterator[tuple[str, object]]:
    """Yield each field whose storage is another one that holds one of ours: label and storage."""
    for label, _, storage in _file_fields():
        if not _is_ours(storage) and not issubclass(type(storage), LazyObject):
            held = getattr(storage, "__dict__", {}).values()
            if any(map(_is_ours, map(_looked_into, held))):
                yield label, storage


def _file_fields() -> Iterator[tuple[str, type[Model], Any]]:
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, FileField):
                yield f"{model._meta.label}.{field.name}", model, _looked_into(field.storage)


def _is_ours(storage: object) -> bool:
    return issubclass(type(storage), DatabaseStorage)


def _looked_into(storage: object) -> Any:
    """Return a storage; the default one, which is lazy, as what it is."""
    # Looking into it would set it up, or fail.
    return _default_storage() if storage is default_storage else storage


def _default_storage() -> object:
    try:
        return storages["default"]
    except (ImproperlyConfigured, InvalidStorageError):
        return None  # Django or `check_options()` reports it.
