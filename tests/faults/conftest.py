"""Each test's database, its processes and its counts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.faults import databases
from tests.faults.databases import VictimDatabase
from tests.faults.report import PROPERTY, Tally
from tests.faults.savers import SaverProcess
from tests.servers import places
from tests.servers.cleanup import cleanup
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.web import Kind, WebServer

#: The databases that have a server.
SERVED = ("postgres", "mariadb")

#: For tests that no journal matters to.
ONE_SQLITE = ("sqlite-wal", *SERVED)

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark crowds and kills, and give them the time that they take on a busy machine."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(600))
            item.add_marker(pytest.mark.servers)
            item.add_marker(pytest.mark.cluster)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count what happens in this test; the counts are in the table at the session's end."""
    counted = Tally()
    request.node.user_properties.append((PROPERTY, counted.counts))
    return counted


@pytest.fixture(scope="session")
def own_directory() -> Path:
    """Return a directory that servers of another account can reach."""
    directory = places.unused("faults")
    directory.mkdir(mode=0o755)
    cleanup().tell("directory", directory)
    return directory


@pytest.fixture(scope="session", params=databases.NAMES)
def _victim(
    request: pytest.FixtureRequest, own_directory: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[VictimDatabase]:
    directory = own_directory / f"{request.param}-{next(_numbers)}"
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            try:
                victim = stack.enter_context(databases.made(request.param, directory))
            except Unavailable as error:
                skip_or_fail(str(error))
        yield victim


@pytest.fixture
def victim(
    _victim: VictimDatabase, django_db_blocker: DjangoDbBlocker
) -> Iterator[VictimDatabase]:
    """Return an empty database that is there for these tests alone: each kind in turn.

    ``pytest.mark.parametrize("_victim", SERVED, indirect=True)`` leaves SQLite out.
    """
    with django_db_blocker.unblock():
        if _victim.server is not None and not _victim.server.is_running:
            _victim.start()  # The test before failed between a kill and a start.
        _victim.empty()
        yield _victim
        connections[_victim.alias].close()


@pytest.fixture
def start_savers(victim: VictimDatabase) -> Iterator[Callable[[int], list[SaverProcess]]]:
    """Start so many processes that save, side by side."""
    with ExitStack() as running:

        def start(number: int) -> list[SaverProcess]:
            savers = [running.enter_context(SaverProcess(victim.env())) for _ in range(number)]
            return [saver.is_ready() for saver in savers]

        yield start


class Serve(Protocol):
    """The fixture ``serve``."""

    def __call__(
        self,
        kind: Kind,
        *,
        options: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        **changes: Any,
    ) -> WebServer:
        """Start a web server; *changes* are to the entry of DATABASES."""


@pytest.fixture
def serve(victim: VictimDatabase, tmp_path: Path) -> Iterator[Serve]:
    """Start web servers on the database."""
    with ExitStack() as running:

        def start(
            kind: Kind,
            *,
            options: tuple[str, ...] = (),
            env: dict[str, str] | None = None,
            **changes: Any,
        ) -> WebServer:
            return running.enter_context(
                WebServer(
                    kind,
                    log=tmp_path / f"{kind}-{next(_numbers)}.log",
                    settings="tests.faults.settings",
                    env=victim.env(**changes) | (env or {}),
                    options=options,
                )
            )

        yield start
