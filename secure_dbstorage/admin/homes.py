"""Homes: which of the project's storages a row of the table belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.files.storage import storages

from secure_dbstorage.conf import declared_storages
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.storage import DatabaseStorage

#: The most namespaces to look for. Those without a storage are leftovers, and few.
_MAX_NAMESPACES = 50

#: A primary key with more digits may not fit the column.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Home:
    """A storage in ``STORAGES``, and where it keeps its rows."""

    #: The storage's alias in ``STORAGES``.
    alias: str
    storage: DatabaseStorage
    #: Alias of the database that the storage writes to.
    database: str
    namespace: str

    @property
    def files(self) -> StoredFileQuerySet:
        """The head rows of this storage."""
        files: StoredFileQuerySet = StoredFile.objects.using(self.database)
        return files.in_namespace(self.namespace)


def all_homes() -> Iterator[Home]:
    """Yield the project's storages, in the order of ``STORAGES``."""
    for alias in declared_storages(DatabaseStorage):
        storage = storages[alias]
        if isinstance(storage, DatabaseStorage):
            yield Home(alias, storage, storage.catalog.writer, storage.options.namespace)


def home_named(alias: str) -> Home | None:
    """Return the storage with this alias in ``STORAGES``."""
    return next((home for home in all_homes() if home.alias == alias), None)


def home_of(file: StoredFile) -> Home | None:
    """Return the storage that a row belongs to; None if no storage has its namespace."""
    database = file._state.db  # noqa: SLF001 -- public by Django's documentation
    at = database, file.namespace
    return next((home for home in all_homes() if (home.database, home.namespace) == at), None)


def home_database() -> str:
    """Return the alias of the database shown by default: the first storage's."""
    first = next(all_homes(), None)
    return first.database if first else StoredFile.objects.db


def lost_namespaces() -> list[str]:
    """Return the namespaces in the default database that no storage has."""
    database = home_database()
    known = {home.namespace for home in all_homes() if home.database == database}
    return [namespace for namespace in namespaces_in(database) if namespace not in known]


def namespaces_in(database: str) -> list[str]:
    """Return the namespaces that have files in a database, in order.

    Skips from one to the next in the index, however many files they hold.
    """
    found: list[str] = []
    files = StoredFile.objects.using(database).order_by("namespace", "name")
    rest = files.filter(namespace__gte="")
    while len(found) < _MAX_NAMESPACES:
        namespace = rest.values_list("namespace", flat=True).first()
        if namespace is None:
            break
        found.append(namespace)
        rest = files.filter(namespace__gt=namespace)
    return found


def key_of(file: StoredFile) -> str:
    """Return the key that identifies a row in the admin's URLs and log."""
    database = file._state.db  # noqa: SLF001 -- public by Django's documentation
    return str(file.pk) if database == home_database() else f"{database}:{file.pk}"


def is_number(text: str) -> bool:
    """Tell whether a text is the number of a row, in any database."""
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS


def find_by_key(key: str) -> StoredFile | None:
    """Return the head row that a key identifies."""
    database, _, number = key.rpartition(":")
    if not is_number(number):
        return None
    database = database or home_database()
    if database not in {home_database(), *(home.database for home in all_homes())}:
        return None
    file: StoredFile | None = StoredFile.objects.using(database).filter(pk=int(number)).first()
    return file
