"""Outages: the database can't be asked now, or a change can't be made now."""

from collections.abc import Callable
from typing import TypeVar

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
)

from secure_dbstorage.exceptions import ChangeConflict, DatabaseUnavailable

Result = TypeVar("Result")

#: How often a change is tried that conflicts with others.
_MAX_REPEATS = 3

#: PostgreSQL: serialization_failure, deadlock_detected and lock_not_available.
_CONFLICT_STATES = {"40001", "40P01", "55P03"}

#: PostgreSQL's read_only_sql_transaction: in the place of the primary is a standby that was not
#: promoted yet. psycopg counts that among its internal errors.
_STANDBY_STATE = "25006"

#: MySQL: ER_CHECKREAD, ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK. MariaDB says the first one when
#: a row has changed since the snapshot of the transaction.
_CONFLICT_NUMBERS = {1020, 1205, 1213}

#: SQLITE_BUSY and SQLITE_LOCKED: another connection has kept the lock for all of the timeout.
_CONFLICT_CODES = {5, 6}

#: Above these bits of SQLite's code is a more precise one.
_PRIMARY_CODE = 0xFF


class OutagesTold:
    """Tells an outage of the database from a fault in a statement.

    A generator would take 2.6 times as long.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raise another error in place of one that tells of an outage."""
        if not isinstance(error, DatabaseError | InterfaceError) or _is_fault(error):
            return
        if _is_conflict(error):
            raise ChangeConflict("The change conflicts with another") from error
        raise DatabaseUnavailable("The database can't be asked now") from error


def repeat(change: Callable[[], Result], *, using: str) -> Result:
    """Make a change in one transaction, and try again if it conflicts with another.

    :param using: alias of the database.
    :raises ChangeConflict: when it conflicts three times.
    :raises DatabaseUnavailable: when it fails three times.
    """
    for _ in range(_MAX_REPEATS):
        try:
            with OutagesTold():
                return change()
        except (DatabaseUnavailable, IntegrityError) as error:  # Such as a deadlock.
            met = error
            _drop_broken_connection(using)
    if isinstance(met, ChangeConflict | IntegrityError):
        raise ChangeConflict("The change conflicts with others again and again") from met
    raise met


def _is_fault(error: Exception) -> bool:
    """Tell whether an error of ``django.db`` comes of the statement."""
    if "no such" in str(error):  # SQLite's word for a table that was not migrated.
        return True
    is_usual = isinstance(error, OperationalError | InterfaceError)
    return not is_usual and _state(error) != _STANDBY_STATE


def _is_conflict(error: Exception) -> bool:
    """Tell whether an error of ``django.db`` comes of what others do, on a database that is up.

    The first argument of MySQL's is a number. The others' codes are with the driver's error.
    """
    number = error.args[0] if error.args else None
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & _PRIMARY_CODE
    state = _state(error)
    return state in _CONFLICT_STATES or number in _CONFLICT_NUMBERS or code in _CONFLICT_CODES


def _state(error: Exception) -> str | None:
    """Return the SQLSTATE of PostgreSQL's errors."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)  # Of psycopg2.


def _drop_broken_connection(using: str) -> None:
    """Let the next statement connect anew, if the server has closed the connection."""
    connection = connections[using]
    is_ours = connection.connection is not None and not connection.in_atomic_block
    if is_ours and not connection.is_usable():
        connection.close()
