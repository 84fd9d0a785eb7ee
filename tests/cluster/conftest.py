"""The twin, started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.cluster.running import RunningTwin
from tests.servers import places
from tests.servers.cleanup import cleanup
from tests.servers.unavailable import Unavailable, skip_or_fail

#: Python before 3.13 leaves the socket open if the server resets it before the TLS handshake.
UNCLOSED = "ignore:unclosed <ssl.SSLSocket:ResourceWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests out of the usual run, and give them the time that they take.

    Their clients meet servers that are killed.
    """
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.servers)
            item.add_marker(pytest.mark.timeout(1200))
            item.add_marker(pytest.mark.filterwarnings(UNCLOSED))


@pytest.fixture(scope="session")
def own_directory() -> Path:
    """Return a directory that servers of another account can reach."""
    directory = places.unused("cluster")
    directory.mkdir(mode=0o755, parents=True)
    cleanup().tell("directory", directory)
    return directory


@pytest.fixture(scope="session")
def twin(own_directory: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[RunningTwin]:
    """Return the twin. Tests share it, and leave it in good health."""
    with django_db_blocker.unblock():
        try:
            running = RunningTwin(own_directory / "twin")
        except Unavailable as error:
            skip_or_fail(str(error))
        with running:
            yield running
