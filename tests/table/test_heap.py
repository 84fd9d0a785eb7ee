"""Freed memory goes back to the system after a crowd, and only then."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from secure_dbstorage.table import heap
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(
    heap._malloc_trim is None, reason="the C library has no malloc_trim"
)


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count what glibc is told, without waiting for it."""
    calls: list[int] = []
    monkeypatch.setattr(heap, "_malloc_trim", lambda pad: calls.append(pad) or 1)
    monkeypatch.setattr(heap, "_crowd", heap._Crowd())
    monkeypatch.setattr(heap, "_DELAY_SECONDS", 0.01)
    yield calls
    wait_until(lambda: not heap._crowd.is_trimming)


def test_a_crowd_gives_memory_back_while_it_reads_and_when_it_has_left(trims: list[int]) -> None:
    with ExitStack() as crowd:
        for _ in range(20):
            crowd.enter_context(heap.reading())
        heap.note_run()
        wait_until(lambda: bool(trims))
        wait_until(lambda: not heap._crowd.is_trimming)
        before = len(trims)
    wait_until(lambda: len(trims) > before)


def test_one_reader_starts_no_thread(trims: list[int]) -> None:
    with heap.reading():
        for _ in range(100):
            heap.note_run()
    assert not heap._crowd.is_trimming
    assert trims == []


def test_the_thread_ends_with_the_crowd(trims: list[int]) -> None:
    with ExitStack() as crowd:
        for _ in range(20):
            crowd.enter_context(heap.reading())
    wait_until(lambda: not heap._crowd.is_trimming)
    wait_until(lambda: "secure_dbstorage-trim" not in {t.name for t in threading.enumerate()})
    assert trims


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
