"""Usage: what a command refuses before it does anything."""

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, Storage, storages
from django.core.management.base import CommandError

from secure_dbstorage.conf import declared_storages
from secure_dbstorage.storage import DatabaseStorage

#: The exit code of wrong usage.
USAGE = 2


def usage_error(text: str) -> CommandError:
    """Return the error to raise when a command is called with wrong arguments."""
    return CommandError(text, returncode=USAGE)


def unusable(alias: str, error: ImproperlyConfigured) -> CommandError:
    """Return the error to raise for a storage that is not set up correctly."""
    return usage_error(f"The storage {alias!r} can't be used: {error}")


def any_storage(alias: str) -> Storage:
    """Return the storage of an alias in ``STORAGES``.

    :raises CommandError: when there is none, or it is unusable.
    """
    try:
        storage: Storage = storages[alias]
        if isinstance(storage, DatabaseStorage):
            _ = storage.options  # Read them now, so that a wrong one is reported now.
    except InvalidStorageError as error:
        known = ", ".join(sorted(storages.backends))
        raise usage_error(f"{error} STORAGES has: {known}.") from error
    except ImproperlyConfigured as error:
        raise unusable(alias, error) from error
    return storage


def database_storage(alias: str) -> DatabaseStorage:
    """Return the DatabaseStorage of an alias in ``STORAGES``.

    :raises CommandError: when there is none, or it is another kind of storage.
    """
    storage = any_storage(alias)
    if not isinstance(storage, DatabaseStorage):
        raise usage_error(f"The storage {alias!r} is not a DatabaseStorage.")
    return storage


def database_storages() -> dict[str, DatabaseStorage]:
    """Return each DatabaseStorage in ``STORAGES``, by alias.

    :raises CommandError: when there is none, or one is unusable.
    """
    aliases = declared_storages(DatabaseStorage) or ["default"]
    return {alias: database_storage(alias) for alias in aliases}
