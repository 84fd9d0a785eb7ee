"""Where benchmarks run: a separate database, and fresh processes that use it."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import django

from tests.benchmarks.results import Database
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

DATABASES: tuple[Database, ...] = ("sqlite", "postgres", "mariadb")

SETTINGS = "tests.benchmarks.settings"

_ROOT = Path(__file__).parents[2]


class Failed(Exception):
    """Raised when a function that ran in a process of its own did not return."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A database with everybody's tables, and a directory for files."""

    database: Database
    directory: Path
    #: Tells ``tests.benchmarks.settings`` where these are.
    env: Mapping[str, str]
    #: The server, where the database is PostgreSQL.
    postgres: PostgresServer | None = None

    def call(self, function: Any, *arguments: Any, **env: str) -> Any:
        """Call a module's function in a fresh process whose Django uses this workspace.

        Arguments and the result travel as JSON.

        Raises:
            Failed: it raised, or was killed; the text is the end of what it printed.

        """
        target = f"{function.__module__}:{function.__name__}"
        done = subprocess.run(
            [sys.executable, "-m", __name__, target, json.dumps(arguments)],
            check=False,
            capture_output=True,
            text=True,
            cwd=_ROOT,
            env=os.environ | dict(self.env) | env,
        )
        if done.returncode:
            raise Failed(done.stderr.strip()[-1000:] or f"exit code {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def ground_of(database: Database, directory: Path) -> Iterator[Workspace]:
    """Start a database below *directory*, make everybody's tables, and stop it in the end.

    Raises:
        Unavailable: the server can't be had.

    """
    place = directory / database
    if database == "postgres":
        with PostgresServer(place) as postgres:
            yield replace(_prepared(database, directory, postgres.host), postgres=postgres)
    elif database == "mariadb":
        with MariaDBServer(place) as mariadb:
            yield _prepared(database, directory, mariadb.host)
    else:
        place.mkdir()
        yield _prepared(database, directory, str(place / "db.sqlite3"))


def create_tables() -> None:
    """Make the database, where it is on a server, and the tables of every installed app."""
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor != "sqlite":
        name = connection.settings_dict["NAME"]
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)}")
    call_command("migrate", verbosity=0)


def _prepared(database: Database, directory: Path, address: str) -> Workspace:
    files = directory / f"{database}-files"
    files.mkdir()
    env = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DBSTORAGE_BENCHMARK_DATABASE": f"{database}:{address}",
        "DBSTORAGE_BENCHMARK_FILES": str(files),
    }
    workspace = Workspace(database, files, env)
    workspace.call(create_tables)
    return workspace


def _main() -> None:
    django.setup()
    target, arguments = sys.argv[1:]
    module, _, name = target.partition(":")
    print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(arguments))))


if __name__ == "__main__":
    _main()
