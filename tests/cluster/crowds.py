"""Clients that ask and save all the time, and note how each request ended."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.cluster.running import RunningTwin
from tests.support.waiting import wait_until

#: Three rows, so that large content is sent too.
SIZE = 600_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    began: float
    ended: float
    #: "right", or what was wrong.
    outcome: str


@dataclass(slots=True)
class Crowd:
    """What became of the requests of several clients."""

    requests: list[Asked] = field(default_factory=list)

    def wait_for(self, count: int) -> None:
        """Return when so many more requests have ended."""
        wanted = len(self.requests) + count
        wait_until(lambda: len(self.requests) >= wanted, timeout_seconds=600)

    def failures(self, *, since: float = 0) -> list[Asked]:
        """Return the requests that began after an instant and did not end well."""
        return [each for each in self.requests if each.began >= since and each.outcome != "right"]


@contextmanager
def crowd(
    twin: RunningTwin, ask: Callable[[httpx.Client], str], *, clients: int = 4
) -> Iterator[Crowd]:
    """Let several clients ask all the time meanwhile.

    :param ask: makes one request, and returns how it ended, or raises an ``httpx.HTTPError``.
    """
    seen, end = Crowd(), threading.Event()

    def run() -> None:
        with twin.client() as client:
            while not end.is_set():
                began = time.monotonic()
                try:
                    outcome = ask(client)
                except httpx.HTTPError as error:
                    outcome = repr(error)
                seen.requests.append(Asked(began, time.monotonic(), outcome))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        seen.wait_for(clients)
        yield seen
    finally:
        end.set()
        for thread in threads:
            thread.join()


def reader(url: str, content: bytes) -> Callable[[httpx.Client], str]:
    """Return a function that asks for a file and compares the bytes."""

    def ask(client: httpx.Client) -> str:
        answer = client.get(url)
        if answer.status_code != 200:
            return str(answer.status_code)
        return "right" if answer.content == content else "other bytes"

    return ask


def saver(saved: dict[str, bytes]) -> Callable[[httpx.Client], str]:
    """Return a function that saves a new file, and notes those that were acknowledged."""

    def ask(client: httpx.Client) -> str:
        name, content = f"{os.urandom(8).hex()}.bin", os.urandom(300_000)
        answer = client.post(f"/save/{name}", content=content)
        if answer.status_code != 200:
            return str(answer.status_code)
        saved[name] = content
        return "right"

    return ask


def stored(storage: Any, name: str) -> bytes | None:
    """Return the bytes of a file, or None without it."""
    if not storage.exists(name):
        return None
    with storage.open(name) as file:
        return bytes(file.read())
