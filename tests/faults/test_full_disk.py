"""The disk of the database is full: a save is an error, and saved files are intact."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from tests.faults import databases
from tests.faults.contents import CHUNK, MIB, content_of
from tests.faults.databases import VictimDatabase
from tests.faults.report import Tally
from tests.servers.drivers import require_mysqlclient
from tests.servers.small_disk import SmallDisk
from tests.servers.unavailable import Unavailable, skip_or_fail

_SIZE = 4 * MIB
_ROWS = -(-_SIZE // CHUNK)

#: The MiB of each disk, room for some files beside an empty database; and the MiB that are added
#: before anything works again, a `delete()` included. PostgreSQL's log grows for a while by as
#: much as is deleted.
_DISKS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "sqlite-wal": (40, 24, {}),
    "sqlite": (40, 24, {}),
    "postgres": (
        90,
        128,
        {"log_segment_mib": 1, "settings": {"max_wal_size": "8MB", "min_wal_size": "2MB"}},
    ),
    "mariadb": (150, 24, {"settings": {"innodb-log-file-size": "8M"}}),
}

#: How many files are deleted then, and saved: more than 24 MiB hold.
_ANEW = 7


@pytest.fixture(params=_DISKS)
def filled(
    request: pytest.FixtureRequest, own_directory: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[VictimDatabase, SmallDisk]]:
    """Return a database that has a small disk for itself, and the disk."""
    mib, _, arguments = _DISKS[request.param]
    place = own_directory / f"small-{request.param}"
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        try:
            if request.param == "mariadb":
                require_mysqlclient()  # The server goes away, and PyMySQL leaves its socket open.
            disk = stack.enter_context(SmallDisk(place, mib=mib))
            victim = stack.enter_context(
                databases.made(
                    request.param,
                    own_directory / f"beside-{request.param}",
                    data=disk.path / "data",
                    **arguments,
                )
            )
        except Unavailable as error:
            skip_or_fail(str(error))
        yield victim, disk


def test_a_full_disk_is_an_error_and_loses_nothing(
    filled: tuple[VictimDatabase, SmallDisk], request: pytest.FixtureRequest, tally: Tally
) -> None:
    victim, disk = filled
    _, more_mib, _ = _DISKS[request.node.callspec.params["filled"]]
    storage = victim.storage()
    saved = list(itertools.takewhile(lambda number: _saves(victim, number, tally), range(50)))
    assert 5 <= len(saved) < 50
    refused = [len(saved)]
    for number in (50, 51):  # PostgreSQL may have found some room in its log meanwhile.
        (saved if _saves(victim, number, tally) else refused).append(number)
    if victim.server is None:
        tally.add("lost", _lost(victim, saved))  # Reading needs no room.
    else:
        # A server without room for its log may go down. That is not our fault, and worth a count.
        tally.add("server down", not _answers(victim))
    disk.enlarge(mib=more_mib)
    if victim.server is not None:
        victim.restart()
    tally.add("lost", _lost(victim, saved))
    tally.add("visible", sum(storage.exists(_name(number)) for number in refused))
    tally.add("left", victim.rows() - _ROWS * len(saved))
    # Deleting makes room: the table hardly grows, or there would be too little of it.
    for number in saved[:_ANEW]:
        storage.delete(_name(number))
    victim.settle()
    length = victim.table_bytes()
    anew = [number for number in range(100, 100 + _ANEW) if _saves(victim, number, tally)]
    tally.add("saved anew", len(anew))
    assert victim.table_bytes() < length + _SIZE
    tally.add("lost", _lost(victim, [*saved[_ANEW:], *anew]))
    tally.expect(**{"error": len(refused), "visible": 0, "saved anew": _ANEW})


def _saves(victim: VictimDatabase, number: int, tally: Tally) -> bool:
    """Save a file, and tell whether that was no error."""
    try:
        victim.storage().save(_name(number), content_of(number, _SIZE))
    except OperationalError:
        tally.add_all(["error"])
        return False
    tally.add_all(["saved"])
    return True


def _lost(victim: VictimDatabase, numbers: list[int]) -> int:
    return sum(not victim.intact(_name(number), content_of(number, _SIZE)) for number in numbers)


def _answers(victim: VictimDatabase) -> bool:
    try:
        victim.rows()
    except OperationalError:
        return False
    return True


def _name(number: int) -> str:
    return f"{number}.bin"
