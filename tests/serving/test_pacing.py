"""A body takes more at a time while its client keeps up and all bodies together hold little."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from asgiref.sync import ThreadSensitiveContext

from secure_dbstorage.serving import pacing
from secure_dbstorage.serving.pacing import HOP_BYTES, Pace
from secure_dbstorage.serving.responses import StreamingFileResponse

ROW = 255 * 1024


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        """Begin at no particular time."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing.time, "monotonic", clock)
    return clock


def asked_after(pace: Pace, clock: Clock, seconds: float, row_bytes: int = ROW) -> int:
    """Return the rows that a reader gets who asks again after so many seconds."""
    pace.take()
    clock.now += seconds
    pace.ask(row_bytes)
    return pace.rows_wanted()


def test_a_client_that_keeps_up_gets_twice_as_much_up_to_one_hop(clock: Clock) -> None:
    pace = Pace()
    grown = [pace.rows_wanted(), *(asked_after(pace, clock, 0.2) for _ in range(5))]
    pace.end()
    assert grown == [1, 2, 4, 8, 8, 8]
    assert grown[-1] * ROW <= HOP_BYTES


def test_a_slow_client_gets_one_row_again(clock: Clock) -> None:
    pace = Pace()
    for _ in range(3):
        asked_after(pace, clock, 0.2)
    assert asked_after(pace, clock, 0.3) == 1
    assert asked_after(pace, clock, 0.2) == 2
    pace.end()


def test_rows_longer_than_a_hop_come_one_by_one(clock: Clock) -> None:
    assert asked_after(Pace(), clock, 0.1, row_bytes=4 * 2**20) == 1


def test_all_bodies_together_hold_a_bounded_amount(clock: Clock) -> None:
    paces = [Pace() for _ in range(500)]
    for _ in range(4):
        for pace in paces:
            asked_after(pace, clock, 0.0)
    beyond_one_row = sum(pace.rows_wanted() * ROW for pace in paces if pace.rows_wanted() > 1)
    assert 16 * 2**20 < beyond_one_row <= 32 * 2**20
    for pace in paces:
        pace.end()
    last = Pace()
    assert [asked_after(last, clock, 0.0) for _ in range(3)] == [2, 4, 8]
    last.end()


def test_a_body_that_ends_gives_its_share_back_once(clock: Clock) -> None:
    for _ in range(200):
        pace = Pace()
        for _ in range(3):
            asked_after(pace, clock, 0.0)
        assert pace.rows_wanted() == 8
        pace.end()
        pace.end()


async def test_few_bodies_take_a_hop_at_the_same_time() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def body() -> Iterator[bytes]:
        nonlocal under_way, most
        for _ in range(3):
            with lock:
                under_way += 1
                most = max(most, under_way)
            threading.Event().wait(0.005)
            with lock:
                under_way -= 1
            yield b"x"

    async def read() -> int:
        # Each request has a thread for itself, as under Django's ASGI handler.
        response = StreamingFileResponse(body())
        async with ThreadSensitiveContext():
            return len([piece async for piece in response])

    assert await asyncio.gather(*(read() for _ in range(30))) == [3] * 30
    assert 1 < most <= 4


async def test_a_client_that_leaves_gives_its_share_back(clock: Clock) -> None:
    for _ in range(100):
        response = StreamingFileResponse(iter([b"x" * ROW] * 40))
        pieces = response.__aiter__()
        for _ in range(12):
            await anext(pieces)
        assert response.pace.rows_wanted() > 1
        await pieces.aclose()


def test_loops_that_have_ended_are_let_go() -> None:
    async def crowd() -> None:
        async def hop() -> None:
            async with pacing.hop():
                await asyncio.sleep(0)

        await asyncio.gather(*(hop() for _ in range(20)))

    for _ in range(5):
        asyncio.run(crowd())
    assert len([loop for loop in pacing._hops if loop.is_closed()]) <= 1
