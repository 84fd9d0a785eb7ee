"""Costs that grow with the size of a file, and with the number of files in the table."""

import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection

from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import Contender, take_turns
from tests.benchmarks.memory import MIB, made_up, peak_mib, read_pieces, resting_mib
from tests.benchmarks.results import Result

_KIB = 1024

#: Sizes of a file, and how often it is saved and read.
_QUICK_SIZES = ((_KIB, 9), (64 * _KIB, 9), (MIB, 5), (16 * MIB, 3))
_SIZES = (
    *((_KIB, 25), (64 * _KIB, 25), (MIB, 15), (16 * MIB, 7)),
    *((64 * MIB, 3), (256 * MIB, 1), (1024 * MIB, 1), (4096 * MIB, 1)),
)

#: Below, a file is no larger than the pieces in which it travels.
_SMALLEST_MEMORY, _SMALLEST_RANGES = 16 * MIB, MIB

#: What a range takes.
_PART = 64 * _KIB

#: Numbers of files in the table, and of the subdirectories of one directory.
_QUICK_COUNTS, _QUICK_WIDTH = (1_000, 10_000), 1_000
_COUNTS, _WIDTH = (1_000, 10_000, 100_000, 1_000_000), 100_000

#: Rows of one statement.
_BATCH = 1_000

_TABLE = "secure_dbstorage_storedfile"
_COLUMNS = (
    "content, position, namespace, name, size, chunk_size, sha256, content_type, is_public,"
    " created, modified, link_epoch, data"
)

#: Of one line: x and the value.
Points = list[tuple[int, float]]


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure ours: first with many files, then with large ones in a table that has few."""
    counts, width = (_QUICK_COUNTS, _QUICK_WIDTH) if quick else (_COUNTS, _WIDTH)
    many = _by_count(workspace, counts, width)
    workspace.call(empty)
    return [*_by_size(workspace, _QUICK_SIZES if quick else _SIZES), *many]


def save(size: int, rounds: int) -> tuple[str, float, float]:
    """Save a file; return its name, the seconds, and the growth of memory in MiB."""
    storage = storages["default"]
    storage.delete(storage.save("small.bin", made_up(600_000)))
    before = resting_mib()
    name = ""
    seconds = []
    for _ in range(rounds):
        if name:
            storage.delete(name)
        began = time.perf_counter()
        name = storage.save("large.bin", made_up(size))
        seconds.append(time.perf_counter() - began)
    return name, statistics.median(seconds), peak_mib() - before


def read(name: str, rounds: int) -> tuple[float, float]:
    """Read a file; return the seconds, and the growth of memory in MiB."""
    storage = storages["default"]
    small = storage.save("small.bin", made_up(600_000))
    read_pieces(storage, small)
    storage.delete(small)
    before = resting_mib()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        read_pieces(storage, name)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), peak_mib() - before


def read_ranges(name: str) -> dict[str, float]:
    """Return the seconds that a part of a file takes, by the place where it begins."""
    storage: Any = storages["default"]
    catalog = storage.catalog
    head = catalog.find(name)
    last = head.content.size - _PART
    # An odd number: a range seldom begins where a row does.
    starts = {"start": 0, "middle": last // 2 | 1, "end": last}

    def take(start: int) -> None:
        if sum(map(len, catalog.stream(head, start, start + _PART))) != _PART:
            raise ValueError(name)

    return _medians({f"64 KiB at its {place}": partial(take, starts[place]) for place in starts})


def fill(first: int, stop: int) -> None:
    """Insert the files of these numbers, 100 in each directory."""
    _insert([f"d{number // 100:06}/f{number % 100:03}.bin" for number in range(first, stop)])


def widen(width: int) -> None:
    """Insert as many subdirectories of one directory, each with a file."""
    _insert([f"wide/d{number:06}/f.bin" for number in range(width)])


def empty() -> None:
    """Delete all files."""
    statement = "DELETE FROM" if connection.vendor == "sqlite" else "TRUNCATE TABLE"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} {_TABLE}")


def look() -> dict[str, float]:
    """Return the seconds of what costs the same in a small table."""
    storage: Any = storages["default"]
    content = secrets.token_bytes(10 * _KIB)
    kept = storage.save("kept/ten.bin", ContentFile(content))
    found = _medians(
        {
            "url()": partial(storage.url, kept),
            "stat()": partial(storage.stat, kept),
            "read 10 KiB": partial(read_pieces, storage, kept),
            "listdir() of 100": partial(storage.listdir, "d000003"),
        }
    )
    saving = Contender(
        name="save 10 KiB",
        run=lambda: storage.save("saved/ten.bin", ContentFile(content)),
        reset=lambda: storage.delete("saved/ten.bin"),
    )
    take_turns([saving], rounds=9)
    storage.delete(kept)
    return found | {saving.name: statistics.median(saving.seconds)}


def list_wide(width: int) -> float:
    """Return the seconds that listing all the subdirectories takes."""
    began = time.perf_counter()
    directories, _ = storages["default"].listdir("wide")
    if len(directories) != width:
        raise ValueError(len(directories))
    return time.perf_counter() - began


def _by_count(workspace: Workspace, counts: Sequence[int], width: int) -> list[Result]:
    lines: dict[str, Points] = {}
    for previous, count in zip((0, *counts), counts, strict=False):
        workspace.call(fill, previous, count)
        for name, seconds in workspace.call(look).items():
            lines.setdefault(name, []).append((count, seconds * 1000))
    workspace.call(widen, width)
    lines["listdir() of as many directories"] = [(width, workspace.call(list_wide, width) * 1000)]
    return _results(workspace, "files in the table", "ms", lines, "{:,} files")


def _by_size(workspace: Workspace, sizes: Sequence[tuple[int, int]]) -> list[Result]:
    times: dict[str, Points] = {"save": [], "read": []}
    memory: dict[str, Points] = {"save": [], "read": []}
    for size, rounds in sizes:
        name, saving, saving_mib = workspace.call(save, size, rounds)
        reading, reading_mib = workspace.call(read, name, rounds)
        times["save"].append((size, saving * 1000))
        times["read"].append((size, reading * 1000))
        if size >= _SMALLEST_MEMORY:
            memory["save"].append((size, saving_mib))
            memory["read"].append((size, reading_mib))
        if size >= _SMALLEST_RANGES:
            for place, seconds in workspace.call(read_ranges, name).items():
                times.setdefault(place, []).append((size, seconds * 1000))
    return [
        *_results(workspace, "bytes of a file", "ms", times, "{:,} bytes"),
        *_results(workspace, "bytes of a file, memory", "MiB", memory, "{:,} bytes"),
    ]


def _results(
    workspace: Workspace, case: str, unit: str, lines: dict[str, Points], note: str
) -> list[Result]:
    return [
        Result(
            topic="growth",
            case=case,
            contender=name,
            value=value,
            unit=unit,
            ratio=value / points[0][1] if points[0][1] else None,
            reference="the smallest",
            database=workspace.database,
            x=x,
            note=note.format(x),
        )
        for name, points in lines.items()
        for x, value in points
    ]


def _medians(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    contenders = [Contender(name=name, run=run) for name, run in runs.items()]
    take_turns(contenders, rounds=9)
    return {contender.name: statistics.median(contender.seconds) for contender in contenders}


def _insert(names: Sequence[str]) -> None:
    """Insert small files by statements of many rows, and let the database count its rows."""
    moment = "2026-01-01 00:00:00" + "+00" * (connection.vendor == "postgresql")
    data = r"'\x736d616c6c'" if connection.vendor == "postgresql" else "x'736d616c6c'"
    rest = f"5, 261120, '{'0' * 64}', 'application/octet-stream', false, '{moment}', '{moment}', 0"
    with connection.cursor() as cursor:
        for start in range(0, len(names), _BATCH):
            rows = ", ".join(
                f"({secrets.randbits(62)}, 0, '', '{name}', {rest}, {data})"
                for name in names[start : start + _BATCH]
            )
            cursor.execute(f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES {rows}")
        cursor.execute(f"ANALYZE {'TABLE ' * (connection.vendor == 'mysql')}{_TABLE}")
