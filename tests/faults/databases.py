"""Databases for tests that hurt them: SQLite in both journal modes, PostgreSQL, MariaDB."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.faults.settings import DATABASE_VARIABLE
from tests.servers import mariadb, postgres
from tests.servers.drivers import require_driver
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

NAMES = ("sqlite-wal", "sqlite", "postgres", "mariadb")

#: A crash of the process must not undo a commit. A crash of the machine is another matter, and
#: `fsync` stays off: it would only make the tests slow.
_POSTGRES_SETTINGS = {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "max_connections": 100,
}
_MARIADB_OPTIONS = {
    "innodb-flush-log-at-trx-commit": 2,
    "innodb-doublewrite": 1,
    "max-connections": 100,
}

_SESSIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    "mysql": "SELECT count(*) FROM information_schema.processlist"
    " WHERE id <> connection_id() AND command <> 'Daemon'",
}


class VictimDatabase:
    """One database with our table in it; the tests see it under an alias, processes as default."""

    def __init__(
        self,
        alias: str,
        entry: dict[str, Any],
        server: PostgresServer | MariaDBServer | None = None,
    ) -> None:
        """Take the database of this entry of DATABASES; ``made`` makes the table."""
        #: The tests' own alias.
        self.alias = alias
        #: The server of the database; None for SQLite.
        self.server = server
        self._entry = entry

    def env(self, **changes: object) -> dict[str, str]:
        """Return the environment of a process, with changes to the entry of DATABASES."""
        return {DATABASE_VARIABLE: json.dumps({**self._entry, **changes})}

    def storage(self, **options: Any) -> DatabaseStorage:
        """Return a storage of the tests' process."""
        return DatabaseStorage(using=self.alias, **options)

    def intact(self, name: str, content: bytes) -> bool:
        """Tell whether a file is there and holds exactly this."""
        storage = self.storage()
        if not storage.exists(name):
            return False
        with storage.open(name) as file:
            return bool(file.read() == content)

    def rows(self) -> int:
        """Return how many rows the table has, continuations too."""
        return int(StoredFile.rows.using(self.alias).count())

    def sessions(self) -> int:
        """Return how many others are connected to the server; for SQLite nothing can tell."""
        connection = connections[self.alias]
        if connection.vendor not in _SESSIONS:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(_SESSIONS[connection.vendor])
            return int(cursor.fetchone()[0])

    def settled_sessions(self) -> int:
        """Return how many others are connected, as soon as there are none, or after a while."""
        deadline = time.monotonic() + 60
        while (sessions := self.sessions()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return sessions

    def empty(self) -> None:
        """Delete all rows."""
        connection = connections[self.alias]
        table = StoredFile._meta.db_table
        connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), [table]))

    def settle(self) -> None:
        """Free the room of deleted rows, as the server does in time."""
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"VACUUM {StoredFile._meta.db_table}")
            elif connection.vendor == "mysql":
                cursor.execute("SET GLOBAL innodb_max_purge_lag_wait = 0")

    def table_bytes(self) -> int:
        """Return what the table takes; 0 where only the disk tells."""
        connection = connections[self.alias]
        if connection.vendor != "postgresql":
            return 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_table_size(%s)", [StoredFile._meta.db_table])
            return int(cursor.fetchone()[0])

    def kill(self) -> None:
        """End the database server at once, as a crash does."""
        assert self.server is not None
        self.server.kill()

    def start(self, **settings: object) -> None:
        """Start the killed server, and return when it has recovered."""
        assert self.server is not None
        connections[self.alias].close()
        self.server.start(**settings)

    def restart(self, **settings: object) -> None:
        """Start the server anew, with other settings."""
        assert self.server is not None
        self.server.stop()
        self.start(**settings)


@contextmanager
def made(name: str, directory: Path, **arguments: Any) -> Iterator[VictimDatabase]:
    """Make a database in a directory that is made, and throw its server away at the end.

    :param name: one of ``NAMES``.
    :param arguments: of the server's class.
    :raises Unavailable: the server or its driver is not installed.
    """
    alias = f"faults-{directory.name}"
    if name.startswith("sqlite"):
        # On a disk that is given, else in the directory.
        place = arguments.get("data", directory)
        place.mkdir(exist_ok=True)
        with _connected(
            VictimDatabase(alias, _sqlite(place / "db.sqlite3", wal=name.endswith("wal")))
        ) as g:
            yield g
        return
    with _served(name, directory, arguments) as (entry, server):
        _create(name, entry)
        with _connected(VictimDatabase(alias, entry, server)) as victim:
            yield victim


@contextmanager
def _served(
    name: str, directory: Path, arguments: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], PostgresServer | MariaDBServer]]:
    require_driver(name)
    if name == "postgres":
        settings = {**_POSTGRES_SETTINGS, **arguments.get("settings", {})}
        with PostgresServer(directory, **{**arguments, "settings": settings}) as server:
            yield _entry("postgresql", server.host, postgres.USER), server
    else:
        options = {**_MARIADB_OPTIONS, **arguments.get("settings", {})}
        with MariaDBServer(directory, data=arguments.get("data"), options=options) as mysqld:
            entry = _entry("mysql", mysqld.host, mariadb.USER)
            yield {**entry, "OPTIONS": {"charset": "utf8mb4"}}, mysqld


@contextmanager
def _connected(victim: VictimDatabase) -> Iterator[VictimDatabase]:
    """Let the tests' process know the database, and make the table."""
    settings = connections.settings
    complete = connections.configure_settings({"default": {}, "mine": victim._entry})
    settings[victim.alias] = complete["mine"]
    try:
        call_command("migrate", database=victim.alias, run_syncdb=True, verbosity=0)
        yield victim
    finally:
        connections[victim.alias].close()
        del connections[victim.alias]
        del settings[victim.alias]


def _create(name: str, entry: Mapping[str, Any]) -> None:
    """Create the database itself, as an administrator does."""
    if name == "postgres":
        import psycopg

        with psycopg.connect(
            host=entry["HOST"], user=entry["USER"], dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {entry['NAME']}")
        return
    import MySQLdb

    with MySQLdb.connect(unix_socket=entry["HOST"], user=entry["USER"]) as mysql:
        mysql.cursor().execute(f"CREATE DATABASE {entry['NAME']} CHARACTER SET utf8mb4")


def _entry(engine: str, host: str, user: str) -> dict[str, Any]:
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": "faults",
        "HOST": host,
        "USER": user,
    }


def _sqlite(file: Path, *, wal: bool) -> dict[str, Any]:
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    if wal:
        options["init_command"] = "PRAGMA journal_mode=wal"
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "OPTIONS": options}
