"""Checks of the databases that hold files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import connections, router
from django.db.migrations.recorder import MigrationRecorder

from secure_dbstorage.checks.declared import database_of, databases_of, usable
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.storage import named

#: A MySQL statement contains chunks as hexadecimal digits, and little else.
_STATEMENT_OVERHEAD_BYTES = 16 * 1024


def check_sqlite_transactions(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find SQLite databases in which simultaneous writers fail."""
    for alias in databases_of("sqlite"):
        mode = connections[alias].settings_dict.get("OPTIONS", {}).get("transaction_mode")
        if str(mode).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
            yield checks.Warning(
                f"Transactions of DATABASES[{alias!r}] are deferred. One that reads before it "
                "writes fails at once if another is writing, whatever the timeout.",
                hint="Add 'transaction_mode': 'IMMEDIATE' to its OPTIONS.",
                id="secure_dbstorage.W003",
            )


def check_pgbouncer(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find prepared statements beside a pooler: a statement may meet another connection."""
    for alias in databases_of("postgresql"):
        settings = connections[alias].settings_dict
        has_pooler = settings.get("DISABLE_SERVER_SIDE_CURSORS", False)
        if has_pooler and settings.get("OPTIONS", {}).get("prepare_threshold") is not None:
            yield checks.Warning(
                f"DATABASES[{alias!r}] is set up for a pooler (DISABLE_SERVER_SIDE_CURSORS), and "
                "prepares statements. Behind a pooler, a connection may not know a statement that "
                "it is asked to run.",
                hint="Remove prepare_threshold from OPTIONS, or silence this check if your pooler "
                "keeps prepared statements.",
                id="secure_dbstorage.W015",
            )


def check_pooled_cursors(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> Iterator[CheckMessage]:
    """Find a pooler that may hand a cursor's connection to another client."""
    for alias in _migrated("postgresql", databases):
        has_cursors = not connections[alias].settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        if has_cursors and _is_behind_pooler(connections[alias]):
            yield checks.Warning(
                f"DATABASES[{alias!r}] is behind a pooler such as PgBouncer. If the pooler "
                "hands a connection to another client between two transactions, dbstorage_prune "
                "--unreferenced and every iterator() of a queryset may fail.",
                hint="Set DISABLE_SERVER_SIDE_CURSORS to True, or silence this check if your "
                "pooler is in session mode.",
                id="secure_dbstorage.W022",
            )


def check_connections(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find databases that each request connects to anew."""
    for alias in sorted({database_of(options) for options in usable().values()}):
        settings = connections[alias].settings_dict
        if settings["CONN_MAX_AGE"] == 0 and not settings.get("OPTIONS", {}).get("pool"):
            yield checks.Warning(
                f"Each request opens a new connection to DATABASES[{alias!r}]. A small file takes "
                "about twice as long.",
                hint="Set CONN_MAX_AGE to None, or OPTIONS['pool'] with PostgreSQL, or silence "
                "this check.",
                id="secure_dbstorage.W014",
            )


def check_tables(databases: Sequence[str] | None = None, **kwargs: Any) -> Iterator[CheckMessage]:
    """Find databases that lack the table of files, and in which `migrate` doesn't create it."""
    for alias in _without_tenants():
        if alias in (databases or ()) and not _has_table(alias):
            if not router.allow_migrate_model(alias, StoredFile):
                remedy = "Let allow_migrate() return True for secure_dbstorage there. Then run"
                yield _table_warning(alias, "a router's allow_migrate() keeps it out", remedy)
            elif _is_recorded(alias):
                yield _table_warning(alias, "its migration is recorded as applied", "Run")


def check_sqlite_journal(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> Iterator[CheckMessage]:
    """Find SQLite databases in which a large save blocks all readers."""
    for alias in _migrated("sqlite", databases):
        with connections[alias].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            (mode,) = cursor.fetchone()
        if mode not in ("wal", "memory"):
            yield checks.Warning(
                f"The journal of DATABASES[{alias!r}] is in mode {mode}. A large save blocks all "
                "readers.",
                hint="Add 'init_command': 'PRAGMA journal_mode=wal' to its OPTIONS.",
                id="secure_dbstorage.W007",
            )


def check_mysql_packets(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> Iterator[CheckMessage]:
    """Find MySQL servers that refuse the statements of a save."""
    chunk_sizes = (options.chunk_size for options in usable().values())
    needed = 2 * max([STATEMENT_BYTES, *chunk_sizes]) + _STATEMENT_OVERHEAD_BYTES
    for alias in _migrated("mysql", databases):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            (allowed,) = cursor.fetchone()
        if allowed < needed:
            yield Error(
                f"The server of DATABASES[{alias!r}] accepts statements of up to {allowed} bytes. "
                f"A save needs {needed}.",
                hint="Raise max_allowed_packet. A chunk_size above 1 MiB needs more of it.",
                id="secure_dbstorage.E006",
            )


def check_galera(databases: Sequence[str] | None = None, **kwargs: Any) -> Iterator[CheckMessage]:
    """Find a node of a Galera cluster that may not know yet what another one has committed."""
    for alias in _migrated("mysql", databases):
        with connections[alias].cursor() as cursor:
            cursor.execute("SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_sync_wait')")
            variables = dict(cursor.fetchall())
        if reads_old_rows(variables):
            yield checks.Warning(
                f"DATABASES[{alias!r}] is a node of a Galera cluster, and may not see yet what "
                "another node has committed: a link that was revoked there may still work here.",
                hint='Set wsrep_sync_wait to 15, for example with "init_command": "SET SESSION '
                'wsrep_sync_wait=15" in its OPTIONS, or silence this check if all servers use '
                "one node.",
                id="secure_dbstorage.W023",
            )


def reads_old_rows(variables: Mapping[str, str]) -> bool:
    """Tell from MySQL's variables whether a node reads before it has caught up."""
    waits_for_reads = int(variables.get("wsrep_sync_wait", 0)) & 1
    return variables.get("wsrep_on") == "ON" and not waits_for_reads


def _is_behind_pooler(connection: Any) -> bool:
    """Tell whether another process answers than the one that the client was told of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (answering,) = cursor.fetchone()
    return bool(connection.connection.info.backend_pid != answering)


def _without_tenants() -> list[str]:
    """Return the databases of files in which tenants don't have a schema each.

    Of those schemas, the one that a check reaches may rightly lack the table.
    """
    places = {named(alias).catalog.place for alias in usable()}
    return sorted(database for database, schema in places if not schema)


def _table_warning(alias: str, reason: str, remedy: str) -> CheckMessage:
    # Not an error: `migrate` runs the check first, and would not do what the hint says.
    migrate = f"manage.py migrate --database {alias}"
    return checks.Warning(
        f"DATABASES[{alias!r}] lacks the table of files, and `migrate` doesn't create it: "
        f"{reason}.",
        # Without --fake, Django would drop a table that isn't there.
        hint=f"{remedy} `{migrate} --fake secure_dbstorage zero` and `{migrate}`.",
        id="secure_dbstorage.W026",
    )


def _is_recorded(alias: str) -> bool:
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return any(app_label == StoredFile._meta.app_label for app_label, _name in applied)


def _migrated(vendor: str, databases: Sequence[str] | None) -> Iterator[str]:
    """Yield the databases of this vendor that have the table and are being checked."""
    for alias in databases_of(vendor):
        if alias in (databases or ()) and _has_table(alias):
            yield alias


def _has_table(alias: str) -> bool:
    tables = connections[alias].introspection.table_names(include_views=True)
    return StoredFile._meta.db_table in tables
