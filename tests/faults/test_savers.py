"""Fifty savers of one name, in several processes, at one instant."""

import json
from collections.abc import Callable

import pytest

from tests.faults.contents import CHUNK, content_of
from tests.faults.grounds import Ground
from tests.faults.report import Tally
from tests.faults.savers import SaverProcess

_PROCESSES, _THREADS = 5, 10
_SAVERS = _PROCESSES * _THREADS

#: Three rows each.
_SIZE = 2 * CHUNK + 7


@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
def test_fifty_savers_of_one_name_make_fifty_files(
    ground: Ground, start_savers: Callable[[int], list[SaverProcess]], tally: Tally, *, taken: bool
) -> None:
    if taken:
        ground.storage().save("a.bin", b"first")
    names = _save_at_once(start_savers(_PROCESSES), tally, overwrite=False)
    tally.add("names", len(set(names) - {None}))
    for number, name in enumerate(names):
        tally.add("lost", name is None or not ground.intact(name, content_of(number, _SIZE)))
    tally.add("lost", taken and not ground.intact("a.bin", b"first"))
    tally.add("left", ground.rows() - 3 * _SAVERS - taken)
    tally.expect(tried=_SAVERS, names=_SAVERS)


@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
def test_of_fifty_overwriters_of_one_name_one_is_the_last(
    ground: Ground, start_savers: Callable[[int], list[SaverProcess]], tally: Tally, *, taken: bool
) -> None:
    if taken:
        ground.storage().save("a.bin", b"first")
    names = _save_at_once(start_savers(_PROCESSES), tally, overwrite=True)
    tally.add("refused", names.count(None))
    tally.add("names", len(set(names) - {None}))
    with ground.storage().open("a.bin") as file:
        content = file.read()
    tally.add("mixed", content not in [content_of(number, _SIZE) for number in range(_SAVERS)])
    tally.add("left", ground.rows() - 3)
    tally.expect(tried=_SAVERS, names=1, refused=0)


def _save_at_once(
    savers: list[SaverProcess], tally: Tally, *, overwrite: bool
) -> list[str | None]:
    """Return the name that each content got, by its number; None for an error."""
    for number, saver in enumerate(savers):
        saver.do(
            "crowd",
            name="a.bin",
            first=number * _THREADS,
            threads=_THREADS,
            size=_SIZE,
            overwrite=overwrite,
        )
    names: list[str | None] = [name for saver in savers for name in json.loads(saver.line())]
    tally.add("tried", len(names))
    return names
