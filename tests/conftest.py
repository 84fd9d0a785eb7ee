"""Databases, cache and web servers for tests.

A test that takes ``database`` runs on SQLite, PostgreSQL and MariaDB and needs no other mark; each
run is rolled back. ``@pytest.mark.django_db(transaction=True)`` commits instead, so that threads
and web servers see the rows. After collection, only the servers that the chosen tests need are
started. A test whose server or driver is missing is skipped with a reason; in CI it fails.

pytest-xdist's workers share the servers and nothing else: each has databases, a Valkey database,
ports and directories that no other worker uses.
"""

import gc
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from inspect import iscoroutinefunction
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

import hypothesis
import pytest
from django.apps import apps
from django.core.cache import caches
from django.core.management.commands import flush
from django.core.signals import request_finished
from django.db import close_old_connections, connections
from django.http.response import HttpResponseBase
from django.test.client import AsyncClientHandler, ClientHandler
from pytest_django import Settings

from secure_dbstorage.serving import outages
from tests.faults import report as fault_report
from tests.servers import places
from tests.servers.nginx import NginxServer
from tests.servers.session import NAMES, Outcome, OwnersServers, SessionServers
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.web import Kind, WebServer

# These need apps that no other test should carry: tests/test_integrations.py and
# tests/test_tenants.py run them.
collect_ignore = [
    name for name in ("integrations", "tenants") if not apps.is_installed(f"tests.{name}")
]

ALIASES = {"sqlite": "default", "postgres": "postgres", "mariadb": "mariadb"}

#: A test that takes one of these starts a server, a browser or a program.
_SERVER_FIXTURES = {
    *("browser", "filled", "nginx", "process", "s3", "serve", "site", "victim"),
    *("start_savers", "valkey_server", "web_server", "wheel"),
}

_SERVERS = pytest.StashKey[SessionServers | OwnersServers]()
_OUTCOMES = pytest.StashKey[dict[str, Outcome]]()

_numbers = count(1)

Server = TypeVar("Server", WebServer, NginxServer)

# On a busy machine, an example may take any time.
hypothesis.settings.register_profile("ours", deadline=None)
hypothesis.settings.load_profile("ours")

# Here, and not in the package: processes that serve and save import that, and not pytest.
pytest.register_assert_rewrite("tests.support.storage_contract")


def pytest_configure(config: pytest.Config) -> None:
    """Own the session's servers, unless another process does."""
    # Python is started a thousand times, and must not compile everything each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    config.stash[_OUTCOMES] = {}
    if not config.option.markexpr and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.option.markexpr = "not cluster and not sweep"  # Five minutes are long enough.
    if hasattr(config, "workerinput"):
        config.stash[_SERVERS] = OwnersServers()
        return
    config.stash[_SERVERS] = servers = SessionServers()
    if config.getoption("numprocesses", None):
        servers.answer_workers()


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores: tests wait for the servers that they start."""
    return (os.cpu_count() or 1) + 1


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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Give each test the database it is parametrised for, and ``servers`` to those that need one.

    Tests that start programs are the longest. Each worker begins with its share of them, so that
    nobody waits for a last one.
    """
    starters = {item for item in items if _starts_programs(item)}
    for item in items:
        if needs := _database_needs(item):
            item.add_marker(pytest.mark.django_db(**needs), append=False)
        if item in starters or _servers_of(item):
            item.add_marker(pytest.mark.servers)
    yield  # pytest-django sorts by its marks, and -m chooses by ours.
    # pytest-xdist gives each worker an equal part of the list; who is done steals from others.
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest = [item for item in items if item in starters]
    others = [item for item in items if item not in starters]
    items[:] = [
        item
        for number in range(workers)
        for part in (longest, others)
        for item in _part(part, number, workers)
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers which the chosen tests need, and forget the databases of the others."""
    if session.config.option.collectonly:
        return
    # What was collected stays to the end. Tests that look for garbage need not search all of it.
    gc.collect()
    gc.freeze()
    needed = {name for item in session.items for name in _servers_of(item)}
    outcomes = session.config.stash[_SERVERS].start(sorted(needed))
    session.config.stash[_OUTCOMES] = outcomes
    for item in session.items:
        if any(outcomes[name].reason for name in _servers_of(item)):
            # pytest_runtest_setup says why; pytest-django must not create its database.
            item.add_marker(pytest.mark.django_db(databases=[]), append=False)
    for alias in set(connections) & set(NAMES):
        if alias not in outcomes or outcomes[alias].reason:
            del connections.settings[alias]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose server can't be had."""
    for name in _servers_of(item):
        if reason := item.config.stash[_OUTCOMES][name].reason:
            skip_or_fail(reason)


@pytest.fixture(autouse=True)
def _answers_end_with_their_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the answers that a test did not read, as they are recorded when they are closed.

    Closed whenever they happen to be collected, they would be taken for another test's.
    """
    answers: WeakSet[HttpResponseBase] = WeakSet()
    for handler in (ClientHandler, AsyncClientHandler):
        monkeypatch.setattr(handler, "get_response", _noting(handler.get_response, answers))
        monkeypatch.setattr(
            handler, "get_response_async", _noting(handler.get_response_async, answers)
        )
    yield
    request_finished.disconnect(close_old_connections)
    for answer in list(answers):
        if answer.streaming and not answer.closed:
            answer.close()
    request_finished.connect(close_old_connections)


def _noting(ask: Callable[..., Any], answers: "WeakSet[HttpResponseBase]") -> Callable[..., Any]:
    """Return a method of a handler that notes each answer."""

    def asked(self: Any, request: Any) -> Any:
        answer = ask(self, request)
        answers.add(answer)
        return answer

    async def asked_async(self: Any, request: Any) -> Any:
        answer = await ask(self, request)
        answers.add(answer)
        return answer

    return asked_async if iscoroutinefunction(ask) else asked


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Make sure that nothing is connected yet: Django would keep a connection to memory."""
    assert connections["default"].connection is None, "a test without the database has used it"


@pytest.fixture(autouse=True, scope="session")
def _quick_flushes() -> Iterator[None]:
    """Restore what Django keeps in an emptied database; sessions with other apps do it slowly."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ["DJANGO_SETTINGS_MODULE"] == "tests.settings":
            from tests.support.emptying import quick_restore

            patch.setattr(flush, "emit_post_migrate_signal", quick_restore())
        yield


@pytest.fixture(autouse=True)
def _everything_was_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test know of another's outage."""
    monkeypatch.setattr(outages, "_down", set())


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
    # Each of pytest-xdist's workers has a database for itself: "gw3" the one of number 3.
    number = getattr(request.config, "workerinput", {"workerid": "gw0"})["workerid"][2:]
    outcome = request.config.stash[_OUTCOMES]["valkey"]
    url: str = outcome.address.removesuffix("0") + number
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

    The test is marked with ``transaction=True``, so that the server sees the files it saves. The
    server's ``default`` is the test's database. With the fixture ``valkey`` the server counts
    requests there; without it, each of its processes counts alone.
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
            directory = places.unused("nginx")
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
    """Return which of the session's servers this test needs, its mark's databases included."""
    mark = item.get_closest_marker("django_db")
    names = {_parameter(item), *((mark.kwargs.get("databases") or ()) if mark else ())}
    if "valkey" in getattr(item, "fixturenames", ()):
        names.add("valkey")
    return [name for name in NAMES if name in names]


def _starts_programs(item: pytest.Item) -> bool:
    """Tell whether this test says so itself, or by its fixtures."""
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("servers")) or bool(_SERVER_FIXTURES & fixtures)


def _part(items: list[pytest.Item], number: int, parts: int) -> list[pytest.Item]:
    """Return one of the equal parts of a list. Neighbours share servers, and stay together."""
    return items[len(items) * number // parts : len(items) * (number + 1) // parts]


def _parameter(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("database") if callspec else None
