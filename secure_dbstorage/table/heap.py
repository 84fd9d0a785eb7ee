"""The heap: how much freed memory glibc keeps, and when it returns it to the system."""

import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

#: More readers at once are a crowd. Fewer hold too little to be worth a walk through the heap.
_CROWD = 8

#: How long a crowd may go on before its freed memory is returned, in seconds.
_DELAY_SECONDS = 1.0


# Note [A block for glibc]
# glibc returns the free end of its heap to the system once that is more than twice the largest
# block ever freed. Then each run of rows begins with page faults, which take up to three times as
# long as its query. Freeing one large block raises that limit. The block is never written to, so
# it takes no memory.
def raise_trim_threshold(block_bytes: int) -> None:
    """Let glibc keep the memory that one reader frees for its next run of rows."""
    bytes(block_bytes)


# Note [Memory after a crowd]
# With that limit raised, glibc keeps the memory that a crowd of readers frees: 500 of them left
# 300 to 500 MiB behind. So a thread tells it every second, and once after the last reader, to
# return every free page. The thread ends with the crowd. A single reader never starts it.
@dataclass(slots=True)
class _Crowd:
    """The current readers of this process, and whether they have freed memory."""

    readers: int = 0
    is_trimming: bool = False
    has_freed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self) -> None:
        """Note that memory was taken or freed."""
        with self.lock:
            if self.readers <= _CROWD:
                return
            self.has_freed = True
            if self.is_trimming or _malloc_trim is None:
                return
            self.is_trimming = True
        # At the end of the interpreter no thread can be started, and none is needed.
        with suppress(RuntimeError):
            threading.Thread(target=self.trim, name="secure_dbstorage-trim", daemon=True).start()

    def trim(self) -> None:
        """Return free memory until a second has passed in which nothing was freed."""
        is_over = False
        while not is_over:
            time.sleep(_DELAY_SECONDS)
            with self.lock:
                is_over = not self.has_freed
                self.has_freed = False
                self.is_trimming = not is_over
            if _malloc_trim is not None:
                _malloc_trim(0)


def _found() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # Another C library, or Windows.
        return None
    return trim


_malloc_trim = _found()
_crowd = _Crowd()


def note_run() -> None:
    """Note that a reader took another run of rows."""
    _crowd.note()


@contextmanager
def reading() -> Iterator[None]:
    """Count a reader for as long as it reads."""
    with _crowd.lock:
        _crowd.readers += 1
    try:
        yield
    finally:
        _crowd.note()
        with _crowd.lock:
            _crowd.readers -= 1


def _after_fork() -> None:
    """Start afresh in a child: threads and their locks stay with the parent."""
    global _crowd  # noqa: PLW0603 -- one for each process
    _crowd = _Crowd()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
