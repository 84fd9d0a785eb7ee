"""Unsettled saves: those that may still be rolled back."""

import errno
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from secure_dbstorage.names import canonical_name
from secure_dbstorage.saving import UnsettledName
from secure_dbstorage.storage.base import BaseStorage, Name

#: Names whose saves may still be rolled back, by alias, namespace and name.
_unsettled: WeakValueDictionary[tuple[str, str, str], UnsettledName] = WeakValueDictionary()


def unsettled_name(
    storage: BaseStorage,
    name: str,
    *,
    created: datetime | None,
    save_again: Callable[[], str],
) -> UnsettledName:
    """Return the name of a file that was saved, which can save the file again.

    :param created: when the file was created; None if that is not known.
    :param save_again: called if the save was rolled back.
    """
    unsettled = UnsettledName(
        name, is_there=partial(_is_there, storage, name, created), save_again=save_again
    )
    _unsettled[_identity(storage, name)] = unsettled
    if storage.catalog.is_in_atomic_block:
        storage.catalog.after_commit(unsettled.settler())
    return unsettled


def release(storage: BaseStorage, name: str) -> None:
    """Note that a file was deleted or renamed on purpose, whether its save is settled or not."""
    if (unsettled := _unsettled.pop(_identity(storage, name), None)) is not None:
        unsettled.release()


def rewind(content: Any, name: Name) -> None:
    """Let content be read from its start once more.

    :raises FileNotFoundError: when it can't be.
    """
    try:
        content.seek(0)
    except (AttributeError, OSError, ValueError) as error:
        text = "The save was rolled back and its content can't be read again; assign the file"
        raise FileNotFoundError(errno.ENOENT, text, str(name)) from error


def _is_there(storage: BaseStorage, name: str, created: datetime | None) -> bool:
    """Tell whether a file that was saved is still there, and not another of its name."""
    head = storage.catalog.find(canonical_name(name))
    if head is None or created is None:
        return head is not None
    return head.stat.created == created


def _identity(storage: BaseStorage, name: str) -> tuple[str, str, str]:
    return storage.catalog.writer, storage.options.namespace, name
