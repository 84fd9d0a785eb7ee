"""The heap: how much freed memory glibc keeps, and when it returns it to the system."""

import ctypes
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

#: More readers at once are a crowd. Fewer hold too little to be worth a walk through the heap.
_CROWD = 8

#: How long a crowd may go on before its freed memory is returned, in seconds.
_DELAY_SECONDS = 1.0


#: `M_TRIM_THRESHOLD` of glibc's `mallopt`, and its default value in bytes.
_TRIM_THRESHOLD = -1
_DEFAULT_THRESHOLD = 128 * 1024

#: The limit that :func:`raise_trim_threshold` has set, in bytes.
_raised = _DEFAULT_THRESHOLD


# Note [A block for glibc]
# glibc returns the free end of a heap to the system once that is more than twice the largest
# block ever freed. Then each run of rows begins with page faults, which take up to three times as
# long as its query. Freeing one large block raises that limit. The block is never written to, so
# it takes no memory.
def raise_trim_threshold(block_bytes: int) -> None:
    """Let glibc keep the memory that one reader frees for its next run of rows."""
    global _raised  # noqa: PLW0603 -- one for each process
    bytes(block_bytes)
    _raised = 2 * block_bytes


# Note [Memory after a crowd]
# With that limit raised, glibc keeps the memory that a crowd of readers frees: 500 of them left
# 300 to 500 MiB behind. So a thread tells it every second, and once after the last reader, to
# return every free page. That leaves out the end of each heap but the first one, up to 16 MiB in
# each of 16 heaps, so for a crowd the limit is what it was. The thread ends with the crowd, and
# raises it again. A single reader never starts it.
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
            if self.is_trimming or _glibc is None:
                return
            self.is_trimming = True
            _glibc.keep(_DEFAULT_THRESHOLD)
        # At the end of the interpreter no thread can be started, and none is needed.
        with suppress(RuntimeError):
            threading.Thread(
                target=self.trim, args=(_glibc,), name="secure_dbstorage-trim", daemon=True
            ).start()

    def trim(self, glibc: "_Glibc") -> None:
        """Return free memory until a second has passed in which nothing was freed."""
        while self.is_trimming:
            time.sleep(_DELAY_SECONDS)
            glibc.trim()
            with self.lock:
                self.is_trimming = self.has_freed
                self.has_freed = False
                if not self.is_trimming:
                    glibc.keep(_raised)


class _Glibc:
    """What glibc is told about memory.

    :raises AttributeError, OSError, TypeError: for another C library, and on Windows.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._trim = library.malloc_trim
        self._set = library.mallopt

    def trim(self) -> None:
        """Return every free page to the system, but for the end of each heap."""
        self._trim(0)

    def keep(self, size: int) -> None:
        """Set how many free bytes the end of a heap may keep."""
        self._set(_TRIM_THRESHOLD, size)


def _found() -> _Glibc | None:
    try:
        return _Glibc()
    except (AttributeError, OSError, TypeError):
        return None


_glibc = _found()
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
