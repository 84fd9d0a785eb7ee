"""Memory by a file's size: the growth of a process that saves it, or reads it."""

import io
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import storages

from tests.benchmarks import peers
from tests.benchmarks.environment import Failed, Workspace
from tests.benchmarks.results import Result

MIB = 1024**2

#: The address space of a process that keeps whole files in memory: the machine must survive it.
MOST_ADDRESSES = 12 * 1024 * MIB

#: Aliases of the storages that are compared, by their names in tables.
STORAGES = {
    peers.OURS: "default",
    **{peer.name: peer.name for peer in peers.installed()},
    peers.DISK: peers.DISK,
}

#: What a process does before it is measured: it loads all that it needs.
_SMALL = 600_000


class MadeUp(io.RawIOBase):
    """Content of any size that takes no memory and no disk."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._position = 0
        self._block = os.urandom(MIB)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}
        self._position = origin[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        start = self._position % MIB
        length = min(len(buffer), MIB - start, self.size - self._position)
        buffer[:length] = self._block[start : start + length]
        self._position += length
        return length


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure each storage in processes of its own."""
    found = [
        result
        for mib in ((8, 16) if quick else (64, 1024))
        for name, alias in STORAGES.items()
        for result in _results(workspace, name, alias, mib)
    ]
    return [result for verb in ("save", "read") for result in found if verb in result.case]


def save(alias: str, size: int) -> tuple[str, float]:
    """Save a file, and return its name and the growth in MiB."""
    limit_addresses()
    storage = storages[alias]
    storage.delete(storage.save("small.bin", made_up(_SMALL)))
    before = resting_mib()
    return storage.save("large.bin", made_up(size)), peak_mib() - before


def read(alias: str, name: str) -> float:
    """Read a file, and return the growth in MiB."""
    limit_addresses()
    storage = storages[alias]
    small = storage.save("small.bin", made_up(_SMALL))
    read_pieces(storage, small)
    storage.delete(small)
    before = resting_mib()
    read_pieces(storage, name)
    return peak_mib() - before


def delete(alias: str, name: str) -> None:
    """Delete a file."""
    storages[alias].delete(name)


def read_pieces(storage: Any, name: str) -> int:
    """Read a file as a view or a task does, and return how many bytes there were."""
    with storage.open(name) as file:
        return sum(len(piece) for piece in file.chunks())


def made_up(size: int) -> "File[bytes]":
    """Return a file of so many bytes, all of them random, the same in each MiB."""
    return File(io.BufferedReader(MadeUp(size), 256 * 1024), "made-up.bin")


def limit_addresses() -> None:
    """Let a process fail rather than the machine."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))


def resting_mib() -> float:
    """Return the memory of this process now; where Linux lets it, its peak begins anew."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def peak_mib() -> float:
    """Return the most memory that this process ever had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def _results(workspace: Workspace, name: str, alias: str, mib: int) -> list[Result]:
    """Return what saving and reading take; who can't save can't read."""
    growths: dict[str, float] = {}
    note = ""
    try:
        stored, growths["save"] = workspace.call(save, alias, mib * MIB)
        growths["read"] = workspace.call(read, alias, stored)
        workspace.call(delete, alias, stored)
    except Failed as error:
        note = str(error).splitlines()[-1][:100]
    return [
        Result(
            topic="memory",
            case=f"{verb} {mib} MiB",
            contender=name,
            value=growths.get(verb),
            unit="MiB",
            ratio=growths[verb] / mib if verb in growths else None,
            reference="the size of the file",
            database=workspace.database,
            note="" if verb in growths else note,
        )
        for verb in ("save", "read")
    ]
