"""A process that saves on commands from a pipe, until the pipe closes or it is killed.

Commands and content come as frames on stdin: four bytes with the length, and so many bytes.
It reports in lines on stdout. ``python -m tests.faults.saver``
"""

import json
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import count
from typing import Any

import django
from django.db import DatabaseError, connections, transaction

from tests.faults.contents import content_of

LENGTH = struct.Struct(">I")


class Fed:
    """Content whose pieces are asked for, one at a time, over the pipe."""

    def seekable(self) -> bool:
        """Tell that there is no way back."""
        return False

    def read(self, count: int = -1) -> bytes:
        """Say that all before is in the table, and wait for the next piece."""
        _tell("asked")
        return _frame()


def main() -> None:
    """Obey until there are no more commands."""
    django.setup()
    _tell("ready")
    while command := _frame():
        arguments = json.loads(command)
        _COMMANDS[arguments.pop("do")](**arguments)


def _save(name: str, *, overwrite: bool = False, hold: bool = False) -> None:
    """Save what is fed; with *hold* in a transaction that waits for a frame before its end."""
    try:
        with transaction.atomic() if hold else nullcontext():
            saved = _storage(overwrite).save(name, Fed())
            if hold:
                _tell("held")
                _frame()
    except DatabaseError as error:
        _tell(f"failed {type(error).__name__}")
    else:
        _tell(f"saved {saved}")


def _series(prefix: str, size: int, *, overwrite: bool = False) -> None:
    """Save file after file, or version after version, and tell of each that was saved."""
    storage = _storage(overwrite)
    for number in count(1):
        name = prefix if overwrite else f"{prefix}{number}"
        try:
            storage.save(name, content_of(number, size))
        except DatabaseError as error:
            _tell(f"failed {type(error).__name__}")
            return
        _tell(f"saved {number}")


def _crowd(name: str, first: int, threads: int, size: int, *, overwrite: bool = False) -> None:
    """Save under one name from many threads at one instant."""
    storage = _storage(overwrite)
    contents = [content_of(number, size) for number in range(first, first + threads)]
    start = threading.Barrier(threads)

    def save(content: bytes) -> str | None:
        start.wait(60)
        try:
            saved: str = storage.save(name, content)
        except DatabaseError:
            return None
        else:
            return saved
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        _tell(json.dumps(list(pool.map(save, contents))))


def _storage(overwrite: bool) -> Any:  # noqa: FBT001
    from secure_dbstorage.storage import DatabaseStorage

    return DatabaseStorage(allow_overwrite=overwrite)


def _frame() -> bytes:
    """Return the next frame; nothing at the end."""
    head = sys.stdin.buffer.read(LENGTH.size)
    if not head:
        sys.exit()
    return sys.stdin.buffer.read(LENGTH.unpack(head)[0])


def _tell(line: str) -> None:
    print(line, flush=True)


_COMMANDS: dict[str, Callable[..., None]] = {"save": _save, "series": _series, "crowd": _crowd}

if __name__ == "__main__":
    main()
