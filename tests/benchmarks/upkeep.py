"""What it takes PostgreSQL to keep a gigabyte: to save, dump, restore, delete and vacuum it."""

import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.core.files.storage import storages

from tests.benchmarks.environment import Workspace
from tests.benchmarks.growth import empty
from tests.benchmarks.memory import made_up
from tests.benchmarks.results import Result
from tests.servers import postgres
from tests.servers.postgres import PostgresServer

TABLE = "secure_dbstorage_storedfile"

_NAME = "kept/large.bin"
_MIB = 1024 * 1024

#: As in production: the servers of tests don't wait for the disk.
_SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


#: The size of the file: as much as is saved in about so many seconds, within these limits.
_SECONDS, _LEAST_MIB, _MOST_MIB = 20, 64, 1024


def measure(workspace: Workspace, server: PostgresServer, *, quick: bool) -> list[Result]:
    """Save a large file, dump and restore everything, delete the file, and vacuum."""
    server.stop()
    server.start(**_SETTINGS)
    mib = _LEAST_MIB if quick else _size(workspace)
    workspace.call(empty)
    dump = workspace.directory / "dump"
    run = partial(_run, server)
    steps: dict[str, Callable[[], object]] = {
        "save": lambda: workspace.call(save, mib * _MIB),
        "pg_dump": lambda: run("pg_dump", "-Fc", "--compress", "0", "--file", dump),
        "pg_restore": lambda: run("pg_restore", "--no-owner", dump, database="restored"),
        "delete": lambda: workspace.call(delete),
        "VACUUM": lambda: run("psql", "--command", f"VACUUM {TABLE}"),
    }
    run("psql", "--command", "CREATE DATABASE restored")
    return [
        Result(
            topic="load",
            case="PostgreSQL, a file of 1 GB",
            contender=name,
            value=_seconds(step) / (mib * _MIB) * 1e9,
            unit="s",
            database=workspace.database,
            note=f"measured with {mib} MiB",
        )
        for name, step in steps.items()
    ]


def save(size: int) -> float:
    """Save the file; return the seconds."""
    began = time.perf_counter()
    storages["default"].save(_NAME, made_up(size))
    return time.perf_counter() - began


def delete() -> float:
    """Delete the file; return the seconds."""
    began = time.perf_counter()
    storages["default"].delete(_NAME)
    return time.perf_counter() - began


def _size(workspace: Workspace) -> int:
    """Return how many MiB this machine can be asked to keep."""
    seconds: float = workspace.call(save, _LEAST_MIB * _MIB)
    return min(_MOST_MIB, max(_LEAST_MIB, round(_LEAST_MIB * _SECONDS / seconds)))


def _seconds(step: Callable[[], object]) -> float:
    """Return how long a step took: it says so itself, or is timed."""
    began = time.perf_counter()
    said = step()
    return said if isinstance(said, float) else time.perf_counter() - began


def _run(
    server: PostgresServer, program: str, *arguments: str | Path, database: str = "benchmarks"
) -> None:
    address = ("--host", server.host, "--username", postgres.USER, "--dbname", database)
    subprocess.run(
        [server.program(program), *address, *arguments], check=True, stdout=subprocess.DEVNULL
    )
