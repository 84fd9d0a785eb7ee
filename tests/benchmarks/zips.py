"""One zip of many files: how fast the view sends it, and how much memory that takes."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.files.storage import storages
from django.db import transaction
from django.test import RequestFactory
from zipstream import ZipStream

from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import Contender, ratios, take_turns
from tests.benchmarks.memory import made_up, peak_mib, resting_mib
from tests.benchmarks.results import Result

_KIB, _MIB = 1024, 1024 * 1024

_FILE = "one file"


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure the view, in one process without a web server."""
    total, rounds, many = (8 * _MIB, 3, 1_000) if quick else (64 * _MIB, 9, 10_000)
    found = workspace.call(speeds, total, rounds)
    workspace.call(save, "many", many, 2 * _KIB)
    growth = workspace.call(memory, "many")
    found.append(
        {"case": "memory", "contender": f"{many:,} files", "value": growth, "unit": "MiB"}
    )
    return [Result(topic="zip", database=workspace.database, **result) for result in found]


def speeds(total: int, rounds: int) -> list[dict[str, Any]]:
    """Return how fast the same bytes go as one file, and as archives of smaller ones."""
    storage: Any = storages["default"]
    storage.save("one.bin", made_up(total))
    runs: dict[str, Callable[[], None]] = {_FILE: partial(ask, partial(storage.url, "one.bin"))}
    for size in (_MIB, 100 * _KIB, 10 * _KIB):
        count, directory = total // size, str(size)
        save(directory, count, size)
        files = f"{count:,} files of {size // _KIB:,} KiB"
        runs[f"zip of {files}"] = partial(ask, partial(storage.zip_url, prefix=directory))
        runs[f"zipstream-ng alone, {files}"] = partial(pack, count, os.urandom(size))
    case = f"{total // _MIB} MiB"
    return [
        *_taken(runs, case, total, rounds, time.perf_counter),
        *_taken(runs, f"{case}, by processor time", total, rounds, time.process_time),
    ]


def _taken(
    runs: dict[str, Callable[[], None]],
    case: str,
    total: int,
    rounds: int,
    clock: Callable[[], float],
) -> list[dict[str, Any]]:
    contenders = [Contender(name=name, run=run) for name, run in runs.items()]
    take_turns(contenders, rounds=rounds, clock=clock)
    return [
        {
            "case": case,
            "contender": contender.name,
            "value": total / 1e6 / sorted(contender.seconds)[len(contender.seconds) // 2],
            "unit": "MB/s",
            "ratio": ratios(contenders[0].seconds, contender.seconds),
            "reference": _FILE,
            "note": contender.failure,
        }
        for contender in contenders
    ]


def memory(directory: str) -> float:
    """Return by how many MiB a process grows that sends one archive."""
    storage: Any = storages["default"]
    save("warm", 3, 600_000)
    ask(partial(storage.zip_url, prefix="warm"))
    before = resting_mib()
    ask(partial(storage.zip_url, prefix=directory))
    return peak_mib() - before


def save(directory: str, count: int, size: int) -> None:
    """Save files of so many bytes below a directory."""
    storage: Any = storages["default"]
    content = os.urandom(size)
    with transaction.atomic():
        for number in range(count):
            # Past the search for free names, which takes longer than all else.
            storage.saves.add(f"{directory}/{number % 50}/{number:05}.pdf", [content])


def pack(count: int, content: bytes) -> None:
    """Make an archive of bytes that are in memory: what the library takes, without files."""
    stream = ZipStream(sized=True)
    for number in range(count):
        stream.add([content], f"{number % 50}/{number:05}.pdf", size=len(content))
    if sum(map(len, stream)) != len(stream):
        raise RuntimeError("The archive is shorter than it said")


def ask(make_url: Callable[[], str]) -> None:
    """Follow a new link through the view, and take all that it sends."""
    from secure_dbstorage.serving.views import serve  # It needs models.

    url = make_url()
    path = url.partition("?")[0].removeprefix("/files/")
    answer: Any = serve(RequestFactory().get(url), path)
    length = sum(map(len, answer))
    if answer.status_code != 200 or length != int(answer["Content-Length"]):
        raise RuntimeError(f"{answer.status_code}, {length} bytes")
