"""Pacing: how much of a body the event loop takes from the table at a time."""

import asyncio
import threading
import time
from weakref import WeakKeyDictionary

#: A client that asks for more within this many seconds keeps up.
_KEEPS_UP_SECONDS = 0.25

#: The most bytes that one hop to another thread takes, unless a row is longer: what one query
#: fetches, which is eight rows of the default length.
HOP_BYTES = 2 * 1024 * 1024

#: The most bytes that all bodies of a process may hold together, beyond one row each.
_SHARED_BYTES = 32 * 1024 * 1024

#: The most hops at the same time. More would only compete with the event loop for the interpreter.
_HOPS = 4

_hops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


# Note [Slow readers]
# An operating system accepts megabytes for a client that reads nothing, so every body looks fast
# at first. If each grew to 2 MiB, 500 stalled clients would hold a gigabyte. So a body holds one
# row, and doubles that only while its client keeps up and all bodies together hold little. Only a
# few hops run at the same time: otherwise 500 bodies that start together would fetch together.
class Pace:
    """How many rows one body takes at a time."""

    __slots__ = ("_reserved", "_taken", "rows")

    def __init__(self) -> None:
        """Begin with one row: the first byte should not wait for more."""
        self.rows = 1
        self._reserved = 0
        self._taken = 0.0

    def rows_wanted(self) -> int:
        """Return how many rows to take next."""
        return self.rows

    def take(self) -> None:
        """Note that a hop has taken rows, which are being sent now."""
        self._taken = time.monotonic()

    def ask(self, row_bytes: int) -> None:
        """Decide how much to take next, now that the client asks for more.

        :param row_bytes: the length of a row.
        """
        _budget.give_back(self._reserved)
        keeps_up = time.monotonic() - self._taken < _KEEPS_UP_SECONDS
        rows = max(1, min(2 * self.rows, HOP_BYTES // row_bytes)) if keeps_up else 1
        self._reserved = rows * row_bytes if rows > 1 else 0
        if not _budget.reserve(self._reserved):
            rows, self._reserved = 1, 0
        self.rows = rows

    def end(self) -> None:
        """Note that nothing more will be taken."""
        _budget.give_back(self._reserved)
        self._reserved = 0


class _Budget:
    """Bytes that all bodies of this process share."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()  # A process may have several event loops.

    def reserve(self, size: int) -> bool:
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._left += size


_budget = _Budget(_SHARED_BYTES)


def hop() -> asyncio.Semaphore:
    """Return the semaphore that a hop of the running event loop waits for."""
    loop = asyncio.get_running_loop()
    if (semaphore := _hops.get(loop)) is None:
        # A semaphore that was waited for refers to its loop, and would keep it for good.
        for closed in [known for known in _hops if known.is_closed()]:
            del _hops[closed]
        semaphore = _hops[loop] = asyncio.Semaphore(_HOPS)
    return semaphore
