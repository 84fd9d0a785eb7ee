"""How fast ``Storage`` saves, reads and deletes files: beside the floor, peers and the disk."""

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection

from tests.benchmarks import floors
from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import (
    QUICK_SAMPLE_SECONDS,
    SAMPLE_SECONDS,
    Contender,
    ratios,
    take_turns,
)
from tests.benchmarks.memory import MIB, STORAGES, limit_addresses, read_pieces
from tests.benchmarks.results import Result

#: Sizes, how they are called, and rounds.
_QUICK = ((10 * 1024, "10 KiB", 3), (MIB, "1 MiB", 3), (8 * MIB, "8 MiB", 2))
_THOROUGH = (
    (10 * 1024, "10 KiB", 21),
    (100 * 1024, "100 KiB", 21),
    (MIB, "1 MiB", 15),
    (2 * MIB, "2 MiB", 15),
    (5 * MIB, "5 MiB", 9),
    (64 * MIB, "64 MiB", 3),
    (1024 * MIB, "1 GiB", 2),
)

#: What is larger comes from the disk, and nobody reads it as a whole.
_LARGE = 64 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """One that keeps files."""

    name: str
    #: Saves content under a name, and returns the name that it got.
    save: Callable[[str, "File[bytes]"], str]
    delete: Callable[[str], object]
    #: By a case's name: reads a file, and returns how many bytes there were.
    readers: dict[str, Callable[[str], int]]


@dataclass(slots=True)
class Saving:
    """One file that is saved and deleted again and again."""

    keeper: Keeper
    #: Returns a new file object over the same bytes.
    source: Callable[[], "File[bytes]"]
    #: As it was saved.
    name: str = ""

    def save(self) -> None:
        """Save it, and leave no broken connection to the next one."""
        try:
            self.name = self.keeper.save(f"{self.keeper.name}.bin", self.source())
        except BaseException:
            connection.close()
            raise

    def delete(self) -> None:
        """Delete it."""
        self.keeper.delete(self.name)


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure each size in a separate process."""
    sample_seconds = QUICK_SAMPLE_SECONDS if quick else SAMPLE_SECONDS
    found = [
        Result(topic="storage", database=workspace.database, case=f"{case} {called}", **result)
        for size, called, rounds in (_QUICK if quick else _THOROUGH)
        for case, result in workspace.call(compare, size, rounds, sample_seconds)
    ]
    cases = list(dict.fromkeys(_without_size(result) for result in found))
    return sorted(found, key=lambda result: cases.index(_without_size(result)))


def compare(size: int, rounds: int, sample_seconds: float) -> list[tuple[str, dict[str, Any]]]:
    """Return what saving, reading and deleting a file of this size takes everybody, by case."""
    limit_addresses()
    with tempfile.TemporaryFile() as disk:
        source = _source(size, disk)
        savings = [Saving(keeper, source) for keeper in _keepers()]
        contenders = [
            Contender(name=saving.keeper.name, run=saving.save, reset=saving.delete)
            for saving in savings
        ]
        results = _compared("save", contenders, size, rounds, sample_seconds)
        kept = [s for s, c in zip(savings, contenders, strict=True) if not c.failure]
        for saving in kept:
            saving.save()
    for case in ("read", "read whole")[: 2 if size <= _LARGE else 1]:
        results += _compared(case, _reading(case, kept, size), size, rounds, sample_seconds)
    if size < _LARGE:
        deleting = [
            Contender(name=saving.keeper.name, run=saving.delete, reset=saving.save)
            for saving in kept
        ]
        results += _compared("delete", deleting, size, rounds, sample_seconds)
    for saving in kept:
        saving.delete()
    return results


def _source(size: int, disk: IO[bytes]) -> Callable[[], "File[bytes]"]:
    if size <= _LARGE:
        return partial(ContentFile, os.urandom(size))
    block = os.urandom(MIB)
    disk.writelines(block for _ in range(size // MIB))
    return partial(_rewound, disk)


def _rewound(disk: IO[bytes]) -> "File[bytes]":
    # As an upload comes: who reads on from where the last one stopped would save nothing.
    disk.seek(0)
    return File(disk, "source.bin")


def _keepers() -> list[Keeper]:
    """Return the floor first: the others are compared with it."""
    return [_floor(), *(_storage(name, storages[alias]) for name, alias in STORAGES.items())]


def _floor() -> Keeper:
    floor = floors.floor()

    def save(name: str, file: "File[bytes]") -> str:
        file.seek(0)
        floor.save(name, file)
        return name

    return Keeper(
        name=floors.NAME,
        save=save,
        delete=floor.delete,
        readers={
            "read": lambda name: sum(map(len, floor.read(name))),
            "read whole": lambda name: len(b"".join(floor.read(name))),
        },
    )


def _storage(name: str, storage: Any) -> Keeper:
    def read_whole(name: str) -> int:
        with storage.open(name) as file:
            return len(file.read())

    return Keeper(
        name=name,
        save=storage.save,
        delete=storage.delete,
        readers={"read": partial(read_pieces, storage), "read whole": read_whole},
    )


def _reading(case: str, kept: Sequence[Saving], size: int) -> list[Contender]:
    readers = [(saving.keeper.name, saving.keeper.readers[case], saving.name) for saving in kept]
    if case == "read":
        # Not next to the floor, in any turn: the server would still have the same file in memory.
        readers.insert((len(readers) + 1) // 2, (floors.OPEN_QUERY, _read_at_once, kept[0].name))
    return [
        Contender(name=name, run=partial(_read_all, reader, file, size))
        for name, reader, file in readers
    ]


def _read_at_once(name: str) -> int:
    return sum(map(len, floors.floor().read_at_once(name)))


def _read_all(read: Callable[[str], int], name: str, size: int) -> None:
    if (length := read(name)) != size:
        raise ValueError(f"{length} bytes of {size}")


def _compared(
    case: str, contenders: Sequence[Contender], size: int, rounds: int, sample_seconds: float
) -> list[tuple[str, dict[str, Any]]]:
    take_turns(contenders, rounds=rounds, sample_seconds=sample_seconds)
    reference = contenders[0]
    if reference.failure:
        raise RuntimeError(reference.failure)
    return [(case, _result(contender, reference, size)) for contender in contenders]


def _result(contender: Contender, reference: Contender, size: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "contender": contender.name,
        "value": None,
        "unit": "MB/s" if size >= MIB else "files/s",
        "reference": reference.name,
        "note": contender.failure[:100],
    }
    if not contender.failure:
        each = size / 1e6 if size >= MIB else 1
        result["value"] = each / statistics.median(contender.seconds)
        # Speeds, as the values: above 1 is faster than the floor.
        result["ratio"] = ratios(reference.seconds, contender.seconds)
    return result


def _without_size(result: Result) -> str:
    return result.case.rsplit(" ", 2)[0]
