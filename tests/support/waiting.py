"""Waiting for something to happen, on machines of any speed."""

import time
from collections.abc import Callable


def wait_until(is_true: Callable[[], bool], *, timeout_seconds: float = 60) -> None:
    """Return as soon as something is true; fail if it never is."""
    deadline = time.monotonic() + timeout_seconds
    while not is_true():
        assert time.monotonic() < deadline, "It did not become true in time."
        time.sleep(0.01)
