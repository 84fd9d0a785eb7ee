"""The databases and the cache that one test session shares, each started when first needed."""

import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from tests.servers import places
from tests.servers.cleanup import cleanup
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.unavailable import Unavailable
from tests.servers.valkey import ValkeyServer

NAMES = ("postgres", "mariadb", "valkey")


class Server(Protocol):
    """What can be stopped."""

    def stop(self) -> None:
        """Stop the server."""


class SessionServers:
    """The servers below ``places.DIRECTORY``.

    Only the process that owns the session starts and stops them. What it learned, an address or
    the reason why there is none, is in its environment, where pytest-xdist's workers read it.
    """

    def __init__(self, *, is_owner: bool) -> None:
        """Own the session and its directory, or share the owner's."""
        self._is_owner = is_owner
        self._running: list[Server] = []
        if is_owner:
            places.DIRECTORY.mkdir(mode=0o755)

    def start(self, names: Iterable[str]) -> None:
        """Start these servers side by side, but those that were started before."""
        if new := [name for name in names if _address_variable(name) not in os.environ]:
            assert self._is_owner, "the owner starts all servers before its workers"
            cleanup().tell("directory", places.DIRECTORY)
            with ThreadPoolExecutor(len(new)) as pool:
                list(pool.map(self._start_one, new))

    def reason_against(self, name: str) -> str | None:
        """Return why this server can't be had; None when it runs."""
        if _address_variable(name) not in os.environ:
            return f"{name} was not started"
        return os.environ.get(_reason_variable(name)) or None

    def address(self, name: str) -> str:
        """Return the host (a socket) of a database, the URL of Valkey."""
        return os.environ[_address_variable(name)]

    def stop(self) -> None:
        """Stop all servers and remove their directory."""
        while self._running:
            self._running.pop().stop()
        if self._is_owner:
            shutil.rmtree(places.DIRECTORY, ignore_errors=True)

    def _start_one(self, name: str) -> None:
        address = reason = ""
        try:
            server, address = _launch(name)
            self._running.append(server)
        except Unavailable as error:
            reason = str(error)
        os.environ[_reason_variable(name)] = reason
        os.environ[_address_variable(name)] = address


def _launch(name: str) -> tuple[Server, str]:
    if name == "postgres":
        postgres = PostgresServer(places.POSTGRES_DIRECTORY)
        return postgres, postgres.host
    if name == "mariadb":
        mariadb = MariaDBServer(places.MARIADB_DIRECTORY)
        return mariadb, mariadb.host
    valkey = ValkeyServer(places.VALKEY_DIRECTORY)
    return valkey, valkey.url


def _address_variable(name: str) -> str:
    return f"DBSTORAGE_TEST_{name.upper()}"


def _reason_variable(name: str) -> str:
    return f"{_address_variable(name)}_UNAVAILABLE"
