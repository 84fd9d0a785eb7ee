"""Announcements: the signals about files, sent as soon as a change is committed."""

from functools import partial

from django.dispatch import Signal

from secure_dbstorage.signals import file_changed, file_deleted, file_saved
from secure_dbstorage.storage.base import BaseStorage


def announce_saved(storage: BaseStorage, name: str, *, created: bool) -> None:
    """Send ``file_saved`` as soon as the save is committed.

    :param created: False for an overwrite.
    """
    _announce(file_saved, storage, name=name, created=created)


def announce_deleted(storage: BaseStorage, name: str) -> None:
    """Send ``file_deleted`` as soon as the deletion is committed."""
    _announce(file_deleted, storage, name=name)


def announce_changed(
    storage: BaseStorage, name: str, attribute: str, *, old_name: str | None = None
) -> None:
    """Send ``file_changed`` as soon as the change is committed.

    :param attribute: what has changed, as :class:`~secure_dbstorage.files.FileStat` calls it.
    :param old_name: before a rename.
    """
    _announce(file_changed, storage, name=name, old_name=old_name or name, attribute=attribute)


def _announce(signal: Signal, storage: BaseStorage, **arguments: object) -> None:
    sender = type(storage)
    if signal.has_listeners(sender):
        send = partial(signal.send_robust, sender, storage=storage, **arguments)
        storage.catalog.after_commit(send)
