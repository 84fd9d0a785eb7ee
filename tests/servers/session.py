"""The databases and the cache that one test session shares. Each starts when a test needs it."""

import contextlib
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener
from threading import Lock, Thread
from typing import Protocol

from tests.servers import places
from tests.servers.cleanup import cleanup
from tests.servers.drivers import require_driver
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.unavailable import Unavailable
from tests.servers.valkey import ValkeyServer

NAMES = ("postgres", "mariadb", "valkey")


class Server(Protocol):
    """Something that can be stopped."""

    def stop(self) -> None:
        """Stop the server."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The address of a server, or the reason why there is none."""

    #: The host (a socket) of a database, the URL of Valkey.
    address: str = ""
    #: Why this machine can't run it; empty when it runs.
    reason: str = ""


class SessionServers:
    """The servers below ``places.DIRECTORY``, as the process sees them that owns the session.

    pytest-xdist's workers ask it for servers, since only they know what their tests need.
    """

    def __init__(self) -> None:
        """Own the session and its directory."""
        self._running: list[Server] = []
        self._outcomes: dict[str, Outcome] = {}
        self._lock = Lock()
        self._listener: Listener | None = None
        places.DIRECTORY.mkdir(mode=0o755)

    def start(self, names: Iterable[str]) -> dict[str, Outcome]:
        """Start these servers side by side, except those that run, and return the outcome of each.

        Two workers may ask at once: the second waits for the first.
        """
        wanted = list(names)
        with self._lock:
            if new := [name for name in wanted if name not in self._outcomes]:
                cleanup().tell("directory", places.DIRECTORY)
                with ThreadPoolExecutor(len(new)) as pool:
                    self._outcomes |= zip(new, pool.map(self._start_one, new), strict=True)
            return {name: self._outcomes[name] for name in wanted}

    def answer_workers(self) -> None:
        """Start the servers that workers ask for, in a thread."""
        self._listener = Listener(str(places.OWNER_SOCKET), "AF_UNIX")
        Thread(target=self._answer, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Stop all servers and remove their directory."""
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            while self._running:
                self._running.pop().stop()
        shutil.rmtree(places.DIRECTORY, ignore_errors=True)

    def _answer(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError:
                return  # The listener is closed.
            with connection, contextlib.suppress(EOFError, OSError):  # A worker may crash.
                connection.send(self.start(connection.recv()))

    def _start_one(self, name: str) -> Outcome:
        try:
            require_driver(name)
            server, address = _launch(name)
        except Unavailable as error:
            return Outcome(reason=str(error))
        self._running.append(server)
        return Outcome(address)


class OwnersServers:
    """The same servers, as one of pytest-xdist's workers sees them."""

    def start(self, names: Iterable[str]) -> dict[str, Outcome]:
        """Ask the owner for these servers, and return the outcome of each."""
        if not (wanted := list(names)):
            return {}
        with Client(str(places.OWNER_SOCKET), "AF_UNIX") as owner:
            owner.send(wanted)
            outcomes: dict[str, Outcome] = owner.recv()
            return outcomes

    def stop(self) -> None:
        """Leave them to their owner."""


def _launch(name: str) -> tuple[Server, str]:
    if name == "postgres":
        postgres = PostgresServer(places.POSTGRES_DIRECTORY)
        return postgres, postgres.host
    if name == "mariadb":
        mariadb = MariaDBServer(places.MARIADB_DIRECTORY)
        return mariadb, mariadb.host
    valkey = ValkeyServer(places.VALKEY_DIRECTORY)
    return valkey, valkey.url
