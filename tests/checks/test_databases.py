"""Databases that can't hold files, or hold them badly, are found."""

import re
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker, Settings

from secure_dbstorage.checks import databases as database_checks
from secure_dbstorage.checks import options as option_checks
from secure_dbstorage.models import StoredFile
from tests.support.checks import messages, storages

DATABASE_CHECKS = (
    database_checks.check_sqlite_journal,
    database_checks.check_mysql_packets,
    database_checks.check_pooled_cursors,
    database_checks.check_galera,
)


class TestSQLite:
    """W003 and W007."""

    pytestmark = pytest.mark.usefixtures("_one_storage")

    @pytest.fixture
    def options(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Return the OPTIONS of the SQLite database, which a test may change."""
        options = dict(connections["default"].settings_dict["OPTIONS"])
        monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)
        return options

    @pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
    def test_transactions_that_lock_at_once_are_no_problem(
        self, options: dict[str, Any], mode: str
    ) -> None:
        options["transaction_mode"] = mode
        assert messages(database_checks.check_sqlite_transactions) == []

    @pytest.mark.parametrize("mode", ["DEFERRED", None])
    def test_deferred_transactions_are_a_warning(
        self, options: dict[str, Any], mode: str | None
    ) -> None:
        options["transaction_mode"] = mode
        assert messages(database_checks.check_sqlite_transactions) == ["W003"]
        del options["transaction_mode"]
        assert messages(database_checks.check_sqlite_transactions) == ["W003"]

    def test_a_database_that_no_storage_uses_is_not_looked_at(
        self, settings: Settings, another_database: str, options: dict[str, Any]
    ) -> None:
        options.clear()
        settings.STORAGES = storages(default={"using": another_database})
        assert messages(option_checks.check_options) == []
        assert messages(database_checks.check_sqlite_transactions) == []

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        ("mode", "found"),
        [("wal", []), ("memory", []), ("delete", ["W007"]), ("truncate", ["W007"])],
    )
    def test_a_journal_that_blocks_readers_is_a_warning(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, found: list[str]
    ) -> None:
        ours = connections["default"].settings_dict
        # A database that nobody else has open: only such a one can change its journal.
        database = {**ours, "NAME": tmp_path / "sqlite3", "OPTIONS": {}}
        connection = connections["default"].__class__(database, "default")
        monkeypatch.setattr(database_checks, "connections", {"default": connection})
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(f"PRAGMA journal_mode={mode}")
            assert messages(database_checks.check_sqlite_journal, databases=["default"]) == []
            cursor.execute(f"CREATE TABLE {StoredFile._meta.db_table} (id)")
            assert messages(database_checks.check_sqlite_journal, databases=["default"]) == found

    @pytest.mark.parametrize("databases", [None, [], ["another"]])
    def test_only_the_databases_being_checked_are_queried(
        self, databases: list[str] | None
    ) -> None:
        assert messages(database_checks.check_sqlite_journal, databases=databases) == []


class TestDatabases:
    """E006, W022, W023, and every database check on every database."""

    def test_a_database_with_room_for_a_chunk_raises_no_problem(self, database: str) -> None:
        for check in (*DATABASE_CHECKS, database_checks.check_tables):
            assert messages(check, databases=[database]) == []
        assert messages(database_checks.check_sqlite_transactions) == []

    def test_a_server_that_refuses_a_chunk_is_an_error(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database_checks, "_STATEMENT_OVERHEAD_BYTES", 2**40)
        expected = ["E006"] if database == "mariadb" else []
        assert messages(database_checks.check_mysql_packets, databases=[database]) == expected
        assert messages(database_checks.check_mysql_packets, databases=None) == []

    def test_a_database_without_the_table_is_left_alone(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database_checks, "_STATEMENT_OVERHEAD_BYTES", 2**40)
        monkeypatch.setattr(StoredFile._meta, "db_table", "not_there_yet")
        for check in DATABASE_CHECKS:
            assert messages(check, databases=[database]) == []

    @pytest.mark.parametrize(
        ("variables", "is_found"),
        [
            ({"wsrep_on": "ON", "wsrep_sync_wait": "0"}, True),
            ({"wsrep_on": "ON", "wsrep_sync_wait": "6"}, True),
            ({"wsrep_on": "ON", "wsrep_sync_wait": "1"}, False),
            ({"wsrep_on": "ON", "wsrep_sync_wait": "15"}, False),
            ({"wsrep_on": "OFF", "wsrep_sync_wait": "0"}, False),
            ({}, False),
        ],
    )
    def test_a_node_that_reads_before_it_has_caught_up_is_found(
        self, variables: dict[str, str], *, is_found: bool
    ) -> None:
        assert database_checks.reads_old_rows(variables) == is_found


class Router:
    """Lets nothing but the table of files into another database, or not even that."""

    def __init__(self, *, lets_in: bool) -> None:
        self.lets_in = lets_in

    def allow_migrate(self, db: str, app_label: str, **_: object) -> bool | None:
        return self.lets_in and app_label == "secure_dbstorage" if db == "b2" else None


def migrate(*arguments: str) -> str:
    """Migrate as from a command line, and return what that prints."""
    said = StringIO()
    call_command("migrate", *arguments, skip_checks=False, stdout=said, stderr=said)
    return said.getvalue()


# A check may look into the default database, which has to be the one for tests by then.
@pytest.mark.usefixtures("django_db_setup")
class TestTables:
    """W026."""

    @pytest.fixture(autouse=True)
    def _second_database(
        self,
        settings: Settings,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        django_db_blocker: DjangoDbBlocker,
    ) -> Iterator[None]:
        """Keep the files of a storage in a database that was never migrated."""
        given = {"using": "b2", "namespace": "invoices"}
        settings.STORAGES = storages(default={}, invoices=given)
        database = {**settings.DATABASES["default"], "NAME": str(tmp_path / "b2")}
        monkeypatch.setitem(settings.DATABASES, "b2", database)
        with django_db_blocker.unblock():
            yield
        connections["b2"].close()
        del connections["b2"]

    def found(self) -> list[str]:
        return messages(database_checks.check_tables, databases=["b2"])

    def test_the_first_migration_is_silent_and_creates_the_table(self, settings: Settings) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=True)]
        assert self.found() == []
        assert "W026" not in migrate("--database", "b2")
        assert StoredFile.objects.using("b2").count() == 0
        assert self.found() == []

    @pytest.mark.parametrize("is_recorded", [False, True])
    def test_the_hint_for_a_table_that_a_router_keeps_out_creates_it(
        self, settings: Settings, *, is_recorded: bool
    ) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=False)]
        if is_recorded:
            assert "W026" in migrate("--database", "b2")
        (message,) = database_checks.check_tables(databases=["b2"])
        assert "a router's allow_migrate() keeps it out" in message.msg
        assert "Let allow_migrate() return True for secure_dbstorage" in str(message.hint)
        settings.DATABASE_ROUTERS = [Router(lets_in=True)]
        assert self.found() == (["W026"] if is_recorded else [])
        self.follow(str(message.hint))

    def test_the_hint_for_a_table_that_is_gone_creates_it(self, settings: Settings) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=True)]
        migrate("--database", "b2")
        with connections["b2"].cursor() as cursor:
            cursor.execute(f"DROP TABLE {StoredFile._meta.db_table}")
        (message,) = database_checks.check_tables(databases=["b2"])
        assert "its migration is recorded as applied" in message.msg
        self.follow(str(message.hint))

    def follow(self, hint: str) -> None:
        """Run the commands of a hint, after which nothing is found."""
        for command in re.findall("`manage.py migrate (.*?)`", hint):
            migrate(*command.split())
        assert StoredFile.objects.using("b2").count() == 0
        assert self.found() == []

    @pytest.mark.parametrize("databases", [None, [], ["default"]])
    def test_only_the_databases_being_checked_are_asked(
        self, settings: Settings, databases: list[str] | None
    ) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=False)]
        assert messages(database_checks.check_tables, databases=databases) == []

    def test_a_database_without_files_needs_no_table(self, settings: Settings) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=False)]
        settings.STORAGES = storages(default={})
        assert self.found() == []

    def test_another_way_to_a_table_may_be_closed_to_migrations(self, settings: Settings) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=True)]
        migrate("--database", "b2")
        settings.DATABASE_ROUTERS = [Router(lets_in=False)]
        assert self.found() == []

    def test_a_table_may_be_missing_in_the_schema_that_tenants_share(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.DATABASE_ROUTERS = [Router(lets_in=False)]
        monkeypatch.setattr(connections["b2"], "schema_name", "public", raising=False)
        assert self.found() == []


class TestConnections:
    """W014 and W015."""

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"CONN_MAX_AGE": 0}, ["W014"]),
            ({"CONN_MAX_AGE": 60}, []),
            ({"CONN_MAX_AGE": None}, []),
            ({"CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}, []),
        ],
    )
    def test_a_database_that_is_connected_to_anew_is_named(
        self, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], found: list[str]
    ) -> None:
        for name, value in changes.items():
            monkeypatch.setitem(connections["default"].settings_dict, name, value)
        assert messages(database_checks.check_connections) == found

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": {"prepare_threshold": 5}}, ["W015"]),
            ({"DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": {}}, []),
            ({"OPTIONS": {"prepare_threshold": 5}}, []),
        ],
    )
    def test_statements_are_not_prepared_behind_a_pooler(
        self,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        changes: dict[str, Any],
        found: list[str],
    ) -> None:
        connection = connections["default"]
        monkeypatch.setattr(connection, "vendor", "postgresql")
        for name, value in changes.items():
            monkeypatch.setitem(connection.settings_dict, name, value)
        assert messages(database_checks.check_pgbouncer) == found
