"""Fifty savers of one name, in several processes, at one instant."""

import json
from collections.abc import Callable

from tests.faults.contents import CHUNK, content_of
from tests.faults.databases import VictimDatabase
from tests.faults.report import Tally
from tests.faults.savers import SaverProcess

_PROCESSES, _THREADS = 5, 10
_SAVERS = _PROCESSES * _THREADS

#: Three rows each.
_SIZE = 2 * CHUNK + 7


def test_fifty_savers_of_one_name_make_fifty_files(
    victim: VictimDatabase, start_savers: Callable[[int], list[SaverProcess]], tally: Tally
) -> None:
    savers = start_savers(_PROCESSES)
    # First the name is free, then it is taken.
    names = _save_at_once(savers, tally, first=0) + _save_at_once(savers, tally, first=_SAVERS)
    tally.add("names", len(set(names) - {None}))
    for number, name in enumerate(names):
        tally.add("lost", name is None or not victim.intact(name, content_of(number, _SIZE)))
    tally.add("left", victim.rows() - 3 * 2 * _SAVERS)
    tally.expect(tried=2 * _SAVERS, names=2 * _SAVERS)


def test_of_fifty_overwriters_of_one_name_one_is_the_last(
    victim: VictimDatabase, start_savers: Callable[[int], list[SaverProcess]], tally: Tally
) -> None:
    savers = start_savers(_PROCESSES)
    for first in (0, _SAVERS):  # First the name is free, then it is taken.
        names = _save_at_once(savers, tally, first=first, overwrite=True)
        tally.add("refused", names.count(None))
        assert set(names) - {None} == {"a.bin"}
        with victim.storage().open("a.bin") as file:
            content = file.read()
        possible = [content_of(number, _SIZE) for number in range(first, first + _SAVERS)]
        tally.add("mixed", content not in possible)
        tally.add("left", victim.rows() - 3)
    tally.expect(tried=2 * _SAVERS, refused=0)


def _save_at_once(
    savers: list[SaverProcess], tally: Tally, *, first: int, overwrite: bool = False
) -> list[str | None]:
    """Return the name that each content got, the first of this number; None for an error."""
    for number, saver in enumerate(savers):
        saver.do(
            "crowd",
            name="a.bin",
            first=first + number * _THREADS,
            threads=_THREADS,
            size=_SIZE,
            overwrite=overwrite,
        )
    names: list[str | None] = [name for saver in savers for name in json.loads(saver.line())]
    tally.add("tried", len(names))
    return names
