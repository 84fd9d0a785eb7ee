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

from secure_dbstorage.exceptions import ChangeConflict, DatabaseUnavailable, FileBusy

Result = TypeVar("Result")

#: How often a change is tried that conflicts with others.
_MAX_REPEATS = 3

#: PostgreSQL's read_only_sql_transaction: in the place of the primary is a standby that was not
#: promoted yet. psycopg counts that among its internal errors.
_STANDBY_STATE = "25006"

#: PostgreSQL: serialization_failure, deadlock_detected and lock_not_available.
#: MySQL: ER_CHECKREAD, ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK. MariaDB says the first one when
#: a row has changed since the snapshot of the transaction.
#: SQLite: SQLITE_BUSY and SQLITE_LOCKED. Another connection has kept the lock for all of the
#: timeout.
_CONFLICTS: set[object] = {"40001", "40P01", "55P03", 1020, 1205, 1213, 5, 6}

#: Those of MySQL with which it rolls back the whole transaction, and not the statement alone.
_ROLLED_BACK: set[object] = {1020, 1213}

#: What a database says that answers, and refuses all changes. MySQL: ER_UNKNOWN_COM_ERROR, of a
#: node of Galera that has lost the others, ER_OPTION_PREVENTS_STATEMENT,
#: ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION and ER_READ_ONLY_MODE. SQLite: SQLITE_READONLY.
_READ_ONLY: set[object] = {_STANDBY_STATE, 1047, 1290, 1792, 1836, 8}

#: SQLite's code of a wrong statement, such as one for a table that was not migrated.
_SQLITE_ERROR = 1

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


def repeat(change: Callable[[], Result], *databases: str) -> Result:
    """Make a change in one transaction, and try again if it conflicts with another.

    :param databases: aliases of those that it asks.
    :raises ChangeConflict: when it conflicts three times.
    :raises DatabaseUnavailable: when it fails three times.
    """
    for _ in range(_MAX_REPEATS):
        try:
            with OutagesTold():
                return change()
        except (DatabaseUnavailable, IntegrityError) as error:  # Such as a deadlock.
            met = error
            for using in databases:
                _drop_broken_connection(using)
                _give_up_lost_transaction(using, error)
    if isinstance(met, ChangeConflict | IntegrityError):
        raise ChangeConflict("The change conflicts with others again and again") from met
    raise met


def alone(task: Callable[[], Result], *databases: str) -> Result:
    """Do one of many tasks. The others can be done even if this one can't.

    It is tried again as :func:`repeat` does.

    :param databases: aliases of those that it asks.
    :raises FileBusy: when this task can't be done now.
    :raises DatabaseUnavailable: when no other can be done either: a database does not answer, or
        refuses all changes.
    """
    try:
        return repeat(task, *databases)
    except ChangeConflict as error:
        raise FileBusy(f"it conflicts with other transactions: {reason(error)}") from error
    except DatabaseUnavailable as error:
        if _codes(error.__cause__) & _READ_ONLY or not all(map(_answers, databases)):
            raise
        # One query may take longer than the database lets it.
        raise FileBusy(f"the database refused it: {reason(error)}") from error


def reason(error: DatabaseUnavailable) -> str:
    """Return what the database or its driver has said, on one line."""
    said: BaseException = error
    while isinstance(said, DatabaseUnavailable) and said.__cause__ is not None:
        said = said.__cause__
    return str(said).partition("\n")[0]


def _is_fault(error: Exception) -> bool:
    """Tell whether an error of ``django.db`` comes of the statement."""
    if _sqlite_code(error) == _SQLITE_ERROR:
        return True
    is_usual = isinstance(error, OperationalError | InterfaceError)
    return not is_usual and _state(error) != _STANDBY_STATE


def _is_conflict(error: Exception) -> bool:
    """Tell whether an error of ``django.db`` comes of what others do, on a database that is up."""
    return bool(_codes(error) & _CONFLICTS)


def _codes(error: BaseException | None) -> set[object]:
    """Return the codes of an error of ``django.db``.

    The first argument of MySQL's is a number. The others' codes are with the driver's error.
    """
    if error is None:
        return set()
    return {_state(error), *error.args[:1], _sqlite_code(error)}


def _sqlite_code(error: BaseException) -> int:
    code: int = getattr(error.__cause__, "sqlite_errorcode", 0)
    return code & _PRIMARY_CODE


def _state(error: BaseException) -> str | None:
    """Return the SQLSTATE of PostgreSQL's errors."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)  # Of psycopg2.


def _drop_broken_connection(using: str) -> None:
    """Let the next statement connect anew, if the server has closed the connection."""
    connection = connections[using]
    is_ours = connection.connection is not None and not connection.in_atomic_block
    if is_ours and not connection.is_usable():
        connection.close()


def _give_up_lost_transaction(using: str, error: Exception) -> None:
    """Let a caller's transaction do nothing more, if the error has rolled it back.

    Another try would succeed, and what the caller has done before would be lost without a word.
    """
    connection = connections[using]
    is_mysqls = connection.in_atomic_block and connection.vendor == "mysql"
    if is_mysqls and _codes(error.__cause__) & _ROLLED_BACK:
        connection.set_rollback(True)


def _answers(using: str) -> bool:
    """Tell whether a database answers. In a caller's transaction, it must do so in that."""
    connection = connections[using]
    try:
        connection.ensure_connection()
    except (DatabaseError, InterfaceError):
        return False
    return connection.is_usable()
