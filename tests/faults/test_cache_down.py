"""The cache of the rate limits is killed, or freezes, and comes back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Serve
from tests.faults.contents import MIB, content_of, digest_of, finish, open_download
from tests.faults.databases import VictimDatabase
from tests.faults.report import Tally
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.valkey import ValkeyServer
from tests.servers.web import Kind
from tests.support.http_client import fetch


@pytest.fixture
def cache(own_directory: Path, tmp_path: Path) -> Iterator[ValkeyServer]:
    """Return a Valkey that may be killed."""
    try:
        with ValkeyServer(own_directory / f"valkey-{tmp_path.name}") as server:
            yield server
    except Unavailable as error:
        skip_or_fail(str(error))


@pytest.mark.parametrize("_victim", ["sqlite-wal"], indirect=True)
@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_files_wait_for_the_cache_or_do_not_as_the_option_says(
    victim: VictimDatabase, kind: Kind, serve: Serve, cache: ValkeyServer, tally: Tally
) -> None:
    content = content_of(1, 16 * MIB)
    closed, opened = victim.storage(), victim.storage(namespace="open", base_url="/open/")
    for storage in (closed, opened):
        storage.save("a.bin", content)
        storage.save("small.txt", b"small")
    server = serve(kind, env={"DBSTORAGE_TEST_CACHE": cache.url})

    def ask(expected: int) -> None:
        """Ask for a file of each storage, for this status where limits fail closed."""
        for storage, status in ((closed, expected), (opened, 200)):
            answer = fetch(server.port, storage.url("small.txt"))
            assert answer.head.status == status
            tally.add_all([str(status)])
            if status == 200:
                tally.add("lost", answer.body != b"small")
            else:
                assert int(answer.head["retry-after"]) > 0
                tally.add("shown", b"small" in answer.body)

    ask(200)
    with open_download(server.port, closed.url("a.bin")) as download:
        cache.kill()
        ask(503)
        # A download that was allowed goes on.
        tally.add_all([finish(download, [digest_of(content)])])
    cache.start()
    ask(200)
    os.kill(cache.pid, signal.SIGSTOP)
    try:
        ask(503)
    finally:
        os.kill(cache.pid, signal.SIGCONT)
    ask(200)
    tally.expect(tried=11, whole=1, shown=0, **{"200": 8, "503": 2})
