"""Databases, cache and web servers for tests.

A test that takes ``database`` runs on SQLite, PostgreSQL and MariaDB, without another mark; a
transaction of each is rolled back. ``@pytest.mark.django_db(transaction=True)`` commits instead,
so that threads and web servers see what was saved. Servers start after collection, only those
which the chosen tests need. What can't be had skips the test, and fails it in CI.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from django.apps import apps
from django.core.cache import caches
from django.db import connections
from pytest_django import Settings

from tests.faults import report as fault_report
from tests.servers import places
from tests.servers.nginx import NginxServer
from tests.servers.session import NAMES, SessionServers
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.web import Kind, WebServer

# These need apps that no other test should carry: tests/test_integrations.py and
# tests/test_tenants.py run them.
collect_ignore = [
    name for name in ("integrations", "tenants") if not apps.is_installed(f"tests.{name}")
]

ALIASES = {"sqlite": "default", "postgres": "postgres", "mariadb": "mariadb"}

_SERVERS = pytest.StashKey[SessionServers]()
_numbers = count(1)

Server = TypeVar("Server", WebServer, NginxServer)


def pytest_configure(config: pytest.Config) -> None:
    """Own the session's servers, unless another process does."""
    is_worker = hasattr(config, "workerinput")
    config.stash[_SERVERS] = servers = SessionServers(is_owner=not is_worker)
    if not is_worker and config.getoption("numprocesses", None):
        # What pytest-xdist's workers will need is not known here: they collect.
        servers.start(NAMES)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if _SERVERS in config.stash:
        config.stash[_SERVERS].stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the fault tests counted. Here: pytest-xdist's owner loads no other conftest."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    if lines := fault_report.lines_of(reports):
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)


@pytest.hookimpl(tryfirst=True)  # before pytest-django sorts by these marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the database it is parametrised for."""
    for item in items:
        if needs := _database_needs(item):
            item.add_marker(pytest.mark.django_db(**needs), append=False)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers which the chosen tests need, and forget the databases of the others."""
    if session.config.option.collectonly:
        return
    servers = session.config.stash[_SERVERS]
    servers.start({name for item in session.items for name in _servers_of(item)})
    for item in session.items:
        if any(map(servers.reason_against, _servers_of(item))):
            # pytest_runtest_setup says why; pytest-django must not create its database.
            item.add_marker(pytest.mark.django_db(databases=[]), append=False)
    for alias in set(connections) & set(NAMES):
        if servers.reason_against(alias):
            del connections.settings[alias]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose server can't be had."""
    for name in _servers_of(item):
        if reason := item.config.stash[_SERVERS].reason_against(name):
            skip_or_fail(reason)


@pytest.fixture(params=list(ALIASES))
def database(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Return the alias of each database in turn; all database storages use it."""
    alias = ALIASES[request.param]
    settings.STORAGES = {
        name: _using(alias, entry) if "secure_dbstorage" in entry["BACKEND"] else entry
        for name, entry in settings.STORAGES.items()
    }
    return alias


@pytest.fixture
def valkey(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Return the URL of an empty Valkey, which is the default cache during the test."""
    url = request.config.stash[_SERVERS].address("valkey")
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    }
    return url


@pytest.fixture(autouse=True)
def _empty_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test count the requests of another."""
    if "valkey" in request.fixturenames:
        request.getfixturevalue("valkey")
    caches["default"].clear()
    yield
    caches.close_all()


#: The fixture ``nginx``.
StartNginx = Callable[..., NginxServer]


class StartWebServer(Protocol):
    """The fixture ``web_server``."""

    def __call__(
        self,
        kind: Kind,
        *,
        settings: str = "tests.settings",
        env: dict[str, str] | None = None,
        workers: int = 1,
        options: Sequence[str] = (),
    ) -> WebServer:
        """Start a server, see ``WebServer``."""


@pytest.fixture(autouse=True)
def _audience(request: pytest.FixtureRequest) -> None:
    """Sign links so that web servers open them, whose databases have other names."""
    if "web_server" in request.fixturenames:
        request.getfixturevalue("settings").SECURE_DBSTORAGE = {"AUDIENCE": "tests"}


@pytest.fixture
def web_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartWebServer]:
    """Start web servers on the database of this test: on ``database``, or on SQLite.

    The test commits (its mark says ``transaction=True`` by itself), so that a file which it saves
    is there for the server, whose ``default`` is the test's database. With the fixture ``valkey``
    the server counts there, else each of its processes for itself.
    """
    served = "default"
    if "database" in request.fixturenames:
        served = request.getfixturevalue("database")
    ours = {"DBSTORAGE_TEST_SERVED": f"{served}:{connections[served].settings_dict['NAME']}"}
    if "valkey" in request.fixturenames:
        ours["DBSTORAGE_TEST_CACHE"] = request.getfixturevalue("valkey")

    with ExitStack() as running:

        def start(kind: Kind, *, env: dict[str, str] | None = None, **arguments: Any) -> WebServer:
            log = tmp_path / f"{kind}-{next(_numbers)}.log"
            return running.enter_context(
                _available(lambda: WebServer(kind, log=log, env=ours | (env or {}), **arguments))
            )

        yield start


@pytest.fixture
def nginx() -> Iterator[Callable[..., NginxServer]]:
    """Start nginx with a ``server`` block: ``nginx("location / { ... }", http="...")``."""
    with ExitStack() as running:

        def start(server: str, *, http: str = "") -> NginxServer:
            directory = places.DIRECTORY / f"nginx-{next(_numbers)}"
            return running.enter_context(
                _available(lambda: NginxServer(directory, server, http=http))
            )

        yield start


def _available(start: Callable[[], Server]) -> Server:
    try:
        return start()
    except Unavailable as error:
        skip_or_fail(str(error))


def _using(alias: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "OPTIONS": {**entry.get("OPTIONS", {}), "using": alias}}


def _database_needs(item: pytest.Item) -> dict[str, Any]:
    """Return the arguments of the mark ``django_db`` that this test needs beyond its own."""
    fixtures = getattr(item, "fixturenames", ())
    if not {"database", "web_server"} & set(fixtures):
        return {}
    mark = item.get_closest_marker("django_db")
    needs = dict(mark.kwargs) if mark else {}
    alias = ALIASES[_parameter(item) or "sqlite"]
    needs["databases"] = sorted({alias, *(needs.get("databases") or ())})
    if "web_server" in fixtures:
        needs["transaction"] = True
    return needs


def _servers_of(item: pytest.Item) -> list[str]:
    """Return which of the session's servers this test needs."""
    names = [_parameter(item)]
    if "valkey" in getattr(item, "fixturenames", ()):
        names.append("valkey")
    return [name for name in names if name in NAMES]


def _parameter(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("database") if callspec else None
