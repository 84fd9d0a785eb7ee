"""Stops: places where the database halts each upload, in the middle of a transaction."""

from django.db import connections

from secure_dbstorage.models import StoredFile
from tests.faults.databases import VictimDatabase

#: The row before which an upload is halted; a shorter one is halted before it gets its name.
ROW = 24

_TABLE = StoredFile._meta.db_table

# Who sets the stops holds a lock, and each upload waits for it in a trigger.
_SET = {
    "postgresql": (
        (
            "CREATE OR REPLACE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END'"
        ),
        (
            f"CREATE TRIGGER stop_row BEFORE INSERT ON {_TABLE} FOR EACH ROW"
            f" WHEN (NEW.position = {ROW} OR NEW.name IS NOT NULL) EXECUTE FUNCTION stop()"
        ),
        (
            f"CREATE TRIGGER stop_name BEFORE UPDATE ON {_TABLE} FOR EACH ROW"
            " WHEN (OLD.name IS NULL AND NEW.name IS NOT NULL) EXECUTE FUNCTION stop()"
        ),
        "SELECT pg_advisory_lock(1)",
    ),
    "mysql": (
        (
            f"CREATE TRIGGER stop_row BEFORE INSERT ON {_TABLE} FOR EACH ROW"
            f" IF NEW.position = {ROW} OR NEW.name IS NOT NULL"
            " THEN DO GET_LOCK('stop', 600), RELEASE_LOCK('stop'); END IF"
        ),
        (
            f"CREATE TRIGGER stop_name BEFORE UPDATE ON {_TABLE} FOR EACH ROW"
            " IF OLD.name IS NULL AND NEW.name IS NOT NULL"
            " THEN DO GET_LOCK('stop', 600), RELEASE_LOCK('stop'); END IF"
        ),
        "DO GET_LOCK('stop', 600)",
    ),
}
_REMOVE = {
    "postgresql": ("DROP FUNCTION IF EXISTS stop CASCADE",),
    "mysql": ("DROP TRIGGER IF EXISTS stop_row", "DROP TRIGGER IF EXISTS stop_name"),
}
_HALTED = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE state = 'User lock'",
}


def set_stops(victim: VictimDatabase) -> None:
    """Halt every upload from now on, until the database is killed or we disconnect."""
    remove_stops(victim)
    _execute(victim, _SET)


def remove_stops(victim: VictimDatabase) -> None:
    """Take the stops away, if there are any."""
    _execute(victim, _REMOVE)


def halted(victim: VictimDatabase) -> int:
    """Return how many uploads are halted."""
    connection = connections[victim.alias]
    with connection.cursor() as cursor:
        cursor.execute(_HALTED[connection.vendor])
        return int(cursor.fetchone()[0])


def _execute(victim: VictimDatabase, statements: dict[str, tuple[str, ...]]) -> None:
    connection = connections[victim.alias]
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
