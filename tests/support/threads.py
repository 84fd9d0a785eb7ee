"""Threads that begin together, each with its own connections."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each task in a thread; return their results, an OSError where one was raised."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        try:
            start.wait(30)
            return task()
        except OSError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))
