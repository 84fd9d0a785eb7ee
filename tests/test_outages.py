"""An outage of the database is told from a change that others get in the way of."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction

from secure_dbstorage.exceptions import ChangeConflict, DatabaseUnavailable, FileBusy
from secure_dbstorage.models import StoredFile
from secure_dbstorage.outages import OutagesTold, alone, reason, repeat
from tests.support.aliases import added_alias
from tests.support.uploads import begin_upload
from tests.support.waiting import wait_until, waiting_sessions

#: What each database is told to fail with, as if it had met it.
POSTGRES = "DO $$ BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = '{}'; END $$"
MARIADB = "BEGIN NOT ATOMIC SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {}; END"

CONFLICTS = [
    *(("postgres", POSTGRES.format(state)) for state in ("40001", "40P01", "55P03")),
    *(("mariadb", MARIADB.format(number)) for number in (1020, 1205, 1213)),
]

#: A server that is shut down, a query that took too long, and a standby that was not yet promoted.
OUTAGES = [
    *(("postgres", POSTGRES.format(state)) for state in ("57P01", "57014", "25006")),
    *(("mariadb", MARIADB.format(number)) for number in (1053, 1969, 1290)),
]


def failing_as_told(database: str, statement: str) -> Callable[[], None]:
    def change() -> None:
        with transaction.atomic(using=database), connections[database].cursor() as cursor:
            cursor.execute(statement)

    return change


@pytest.mark.parametrize(("database", "statement"), CONFLICTS, indirect=["database"])
@pytest.mark.django_db(transaction=True)
def test_a_conflict_is_no_outage(database: str, statement: str) -> None:
    with pytest.raises(ChangeConflict), OutagesTold():
        failing_as_told(database, statement)()
    with pytest.raises(ChangeConflict):
        repeat(failing_as_told(database, statement), database)


@pytest.mark.parametrize(("database", "statement"), OUTAGES, indirect=["database"])
@pytest.mark.django_db(transaction=True)
def test_an_outage_is_no_conflict(database: str, statement: str) -> None:
    with pytest.raises(DatabaseUnavailable) as raised:
        repeat(failing_as_told(database, statement), database)
    assert type(raised.value) is DatabaseUnavailable


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_another_keeps_is_no_outage() -> None:
    with (
        added_alias("impatient", like="default") as impatient,
        transaction.atomic(using="default"),  # Takes SQLite's lock as it begins.
    ):
        with impatient.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(ChangeConflict, match="again and again") as raised:
            repeat(failing_as_told("impatient", "SELECT 1"), "impatient")
    assert "locked" in str(raised.value.__cause__.__cause__)  # type: ignore[union-attr]


@pytest.mark.django_db
def test_a_change_that_met_a_conflict_and_then_an_outage_met_an_outage() -> None:
    errors = [IntegrityError("taken"), IntegrityError("taken"), OperationalError("gone away")]

    def change() -> None:
        raise errors.pop(0)

    with pytest.raises(DatabaseUnavailable) as raised:
        repeat(change, "default")
    assert type(raised.value) is DatabaseUnavailable


@pytest.mark.django_db
def test_a_name_that_is_taken_again_and_again_is_a_conflict() -> None:
    def change() -> None:
        raise IntegrityError("taken")

    with pytest.raises(ChangeConflict):
        repeat(change, "default")


@pytest.mark.parametrize(("database", "statement"), CONFLICTS, indirect=["database"])
@pytest.mark.django_db(transaction=True)
def test_one_of_many_fails_alone_where_others_are_in_the_way(
    database: str, statement: str
) -> None:
    with pytest.raises(FileBusy, match="conflicts with other transactions: "):
        alone(failing_as_told(database, statement), database)


#: A query that took too long, and a server or a standby that takes no changes.
SLOW = [
    ("postgres", POSTGRES.format("57014")),
    ("mariadb", MARIADB.format(1969)),
]
READ_ONLY = [
    ("postgres", POSTGRES.format("25006")),
    *(("mariadb", MARIADB.format(number)) for number in (1047, 1290, 1792, 1836)),
]


@pytest.mark.parametrize(("database", "statement"), SLOW, indirect=["database"])
@pytest.mark.django_db(transaction=True)
def test_one_of_many_fails_alone_that_takes_too_long(database: str, statement: str) -> None:
    with pytest.raises(FileBusy, match="the database refused it: "):
        alone(failing_as_told(database, statement), database)


@pytest.mark.parametrize(("database", "statement"), READ_ONLY, indirect=["database"])
@pytest.mark.django_db(transaction=True)
def test_none_of_many_can_be_changed_in_a_database_that_takes_no_changes(
    database: str, statement: str
) -> None:
    with pytest.raises(DatabaseUnavailable):
        alone(failing_as_told(database, statement), database)


@pytest.mark.django_db
def test_a_fault_in_a_statement_is_not_hidden() -> None:
    with pytest.raises(OperationalError, match="syntax error"):
        alone(failing_as_told("default", "no SQL"), "default")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationalError("deadlock detected\nDETAIL: much more"), "deadlock detected"),
        (OperationalError(1205, "Lock wait timeout"), "(1205, 'Lock wait timeout')"),
    ],
)
@pytest.mark.django_db
def test_the_reason_is_what_the_driver_says_on_one_line(
    error: OperationalError, said: str
) -> None:
    def change() -> None:
        raise error

    with pytest.raises(DatabaseUnavailable) as raised:
        repeat(change, "default")
    assert reason(raised.value) == said


#: Be no victim of a deadlock: on PostgreSQL, that is who first looks for one. On MySQL, it is who
#: has changed less.
PATIENT = {"postgresql": "SET deadlock_timeout = '60s'", "mysql": "DO 0"}
UPDATE = "UPDATE secure_dbstorage_storedfile SET chunk_size = 1 WHERE content = %s"


def update(using: str, key: int) -> None:
    with connections[using].cursor() as cursor:  # A queryset would mark the transaction.
        cursor.execute(UPDATE, [key])


@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_a_callers_transaction_that_a_deadlock_has_rolled_back_does_nothing_more(
    database: str,
) -> None:
    """What it has done before would be lost, and the rest committed."""

    def lock_in_another_order() -> None:
        with added_alias("holder", like=database) as holder, transaction.atomic(using="holder"):
            with holder.cursor() as cursor:
                cursor.execute(PATIENT[holder.vendor])
            for key in range(1000, 1020):
                begin_upload("holder", key=key)
            update("holder", 20)
            held.set()
            wait_until(lambda: waiting_sessions("holder") == 1)
            update("holder", 10)

    @transaction.atomic(using=database)
    def change_all() -> None:
        begin_upload(database, key=30)
        update(database, 10)
        alone(partial(update, database, 20), database)

    held, rows = Event(), StoredFile.rows.using(database)
    for key in (10, 20):
        begin_upload(database, key=key)
    with ThreadPoolExecutor(1) as pool:
        locking = pool.submit(lock_in_another_order)
        assert held.wait(60)
        with pytest.raises(DatabaseError, match="transaction"):
            change_all()
        locking.result()
    assert not rows.filter(content=30).exists()
