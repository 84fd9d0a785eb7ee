"""How fast many small files are copied into a DatabaseStorage, from each kind of source."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.benchmarks import floors, peers
from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import Contender, ratios, take_turns
from tests.benchmarks.results import Result

_SIZE, _QUICK_COUNT, _COUNT = 10 * 1024, 200, 10_000

_FILES = "secure_dbstorage_storedfile"

#: A table as that of django-single-table-db-storage, which need not be installed.
_OTHER = "other_files"

#: Files that the floor reads by one query, and saves in one transaction.
_TOGETHER = 100

#: What a source is called, and the command that copies from it.
_COMMANDS = {
    "a folder": ("dbstorage_copy", "--from", peers.DISK),
    "another namespace": ("dbstorage_copy", "--from", "source"),
    "another package's table": ("dbstorage_import", "--table", _OTHER),
}


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure each source beside the floor, in a separate process."""
    count, rounds = (_QUICK_COUNT, 2) if quick else (_COUNT, 5)
    workspace.call(fill, count)
    return [
        Result(topic="copying", database=workspace.database, case=f"from {source}", **result)
        for source in _COMMANDS
        for result in workspace.call(compare, source, count, rounds)
    ]


def fill(count: int) -> None:
    """Put the same files into all sources."""
    floor, folder = floors.floor(), Path(settings.MEDIA_ROOT)
    for start in range(0, count, _TOGETHER):
        numbers = range(start, min(start + _TOGETHER, count))
        files = [(f"{number % 50}/{number:05}.pdf", os.urandom(_SIZE)) for number in numbers]
        floor.save_all(files)
        for name, content in files:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    columns = "name, data AS content, is_public, created AS created_ts, modified AS updated_ts"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {_FILES} SET namespace = 'source'")
        cursor.execute(f"CREATE TABLE {_OTHER} AS SELECT id, {columns} FROM {_FILES}")
        cursor.execute(f"CREATE UNIQUE INDEX other_files_key ON {_OTHER} (id)")
        for table in (_FILES, _OTHER):
            cursor.execute(f"ANALYZE {'TABLE ' * (connection.vendor == 'mysql')}{table}")


def compare(source: str, count: int, rounds: int) -> list[dict[str, Any]]:
    """Return how fast all files of a source are copied, and what that takes."""
    metered = [_Metered(partial(_copy_barely, source)), _Metered(partial(_copy, source, count))]
    contenders = [
        Contender(name=name, run=run, reset=_delete_copies)
        for name, run in zip((floors.NAME, peers.OURS), metered, strict=True)
    ]
    take_turns(contenders, rounds=rounds, sample_seconds=0)
    if failure := next((contender.failure for contender in contenders if contender.failure), ""):
        raise RuntimeError(failure)
    results = [
        {
            "contender": contender.name,
            "value": count / statistics.median(contender.seconds),
            "ratio": ratios(contenders[0].seconds, contender.seconds),
            "note": f"{statistics.median(run.seconds) / count * 1e6:.0f} us of processor a file",
            "unit": "files/s",
            "reference": floors.NAME,
        }
        for contender, run in zip(contenders, metered, strict=True)
    ]
    statements = {
        "contender": "statements",
        "value": _statements(source, count) / count,
        "unit": "a file",
    }
    return [*results, statements]


@dataclass(slots=True)
class _Metered:
    """A copy, and what it takes of this process's processor: other work matters less."""

    copy: Callable[[], object]
    #: One number a call.
    seconds: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        before = time.process_time()
        self.copy()
        self.seconds.append(time.process_time() - before)


def _copy(source: str, count: int, *options: str) -> None:
    told = StringIO()
    command = (*_COMMANDS[source], "--to", "default", "--json", *options)
    call_command(*command, stdout=told, verbosity=0)
    if (copied := json.loads(told.getvalue())["counts"]["copied"]) != count:
        raise RuntimeError(f"{copied} files of {count}")


def _copy_barely(source: str) -> None:
    readers: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
        "a folder": _folder,
        "another namespace": partial(_table, _FILES, "name", "data", "namespace = 'source' AND"),
        "another package's table": partial(_table, _OTHER, "id", "content", ""),
    }
    floor = floors.floor()
    files = readers[source]()
    while group := list(islice(files, _TOGETHER)):
        floor.save_all(group)


def _folder() -> Iterator[tuple[str, bytes]]:
    root = settings.MEDIA_ROOT
    for directory, _, files in os.walk(root):
        prefix = os.path.relpath(directory, root)
        for name in files:
            yield f"{prefix}/{name}", Path(directory, name).read_bytes()


def _table(table: str, key: str, content: str, condition: str) -> Iterator[tuple[str, bytes]]:
    """Yield all files in the order of a key, some by one query."""
    floor = floors.floor()
    query = f"SELECT {key}, name, {content} FROM {table} WHERE {condition} {key} > %s"
    last: Any = "" if key == "name" else 0
    while page := floor.fetch(f"{query} ORDER BY {key} LIMIT {_TOGETHER}", (last,)):
        yield from ((name, data) for _, name, data in page)
        last = page[-1][0]


def _delete_copies() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_FILES} WHERE namespace = ''")


def _statements(source: str, count: int) -> int:
    # Django keeps the last 9,000 only.
    connection.queries_log = type(connection.queries_log)()
    with CaptureQueriesContext(connection) as queries:
        _copy(source, count, "--jobs", "1")
        number = len(queries)
    _delete_copies()
    return number
