"""Freed memory goes back to the system after a crowd, and only then."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from secure_dbstorage.table import heap
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(heap._glibc is None, reason="the C library is not glibc")


class _Told:
    """Notes what glibc is told, and tells it nothing."""

    def __init__(self) -> None:
        self.trims = 0
        self.kept: list[int] = []

    def trim(self) -> None:
        self.trims += 1

    def keep(self, size: int) -> None:
        self.kept.append(size)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Told]:
    """Return what glibc is told, without waiting for it."""
    glibc = _Told()
    monkeypatch.setattr(heap, "_glibc", glibc)
    monkeypatch.setattr(heap, "_crowd", heap._Crowd())
    monkeypatch.setattr(heap, "_DELAY_SECONDS", 0.01)
    yield glibc
    wait_until(lambda: not heap._crowd.is_trimming)


def test_a_crowd_gives_memory_back_while_it_reads_and_when_it_has_left(told: _Told) -> None:
    with ExitStack() as crowd:
        for _ in range(20):
            crowd.enter_context(heap.reading())
        heap.note_run()
        wait_until(lambda: told.trims > 0)
        wait_until(lambda: not heap._crowd.is_trimming)
        before = told.trims
    wait_until(lambda: told.trims > before)


def test_little_is_kept_for_as_long_as_there_is_a_crowd(told: _Told) -> None:
    with ExitStack() as crowd:
        for _ in range(20):
            crowd.enter_context(heap.reading())
        heap.note_run()
        assert told.kept[-1] == 128 * 1024
    wait_until(lambda: not heap._crowd.is_trimming)
    assert told.kept[-1] == 16 * 1024 * 1024


def test_one_reader_starts_no_thread(told: _Told) -> None:
    with heap.reading():
        for _ in range(100):
            heap.note_run()
    assert not heap._crowd.is_trimming
    assert (told.trims, told.kept) == (0, [])


def test_the_thread_ends_with_the_crowd(told: _Told) -> None:
    with ExitStack() as crowd:
        for _ in range(20):
            crowd.enter_context(heap.reading())
    wait_until(lambda: not heap._crowd.is_trimming)
    wait_until(lambda: "secure_dbstorage-trim" not in {t.name for t in threading.enumerate()})
    assert told.trims


def test_a_forked_process_starts_afresh() -> None:
    program = """
import os
from secure_dbstorage.table import heap
from tests.support.waiting import wait_until
heap._crowd.readers, heap._crowd.is_trimming = 50, True
if os.fork() == 0:
    os._exit(heap._crowd.readers + heap._crowd.is_trimming)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0
