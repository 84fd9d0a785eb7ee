"""The database server is killed in the middle of uploads, and comes back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from secure_dbstorage.upkeep.pruning import prune_unfinished
from tests.faults.conftest import SERVED, Serve
from tests.faults.contents import CHUNK, PATIENCE_SECONDS, content_of
from tests.faults.databases import VictimDatabase
from tests.faults.report import Tally
from tests.faults.stops import ROW, halted, remove_stops, set_stops
from tests.servers.web import WebServer
from tests.support.uploads import PAST, PIECE
from tests.support.waiting import wait_until

#: Halted in the middle of a row's transaction, after one with other rows was committed (at most
#: 4.5 MiB are); and halted between the last row and the name.
_SIZES = ((ROW + 1) * CHUNK + 7, 3 * CHUNK + 7)

#: What was received before, in the middle of a row.
_FIRST = 2 * CHUNK + 100


@dataclass(slots=True)
class _Client:
    """One upload, by PUT or by tus."""

    base: str
    name: str
    content: bytes
    #: Where to PUT, and to begin; with tus then where to go on.
    url: str

    @property
    def size(self) -> int:
        return len(self.content)

    def begin(self) -> None:
        """Begin with tus, and send the first piece."""
        fields = {"Upload-Length": str(self.size), "Content-Type": PIECE}
        answer = self._ask("POST", self.content[:_FIRST], **fields)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(_FIRST))
        self.url = answer.headers["Location"]

    def put(self) -> httpx.Response:
        return self._ask("PUT", self.content)

    def go_on(self, offset: int) -> httpx.Response:
        fields = {"Upload-Offset": str(offset), "Content-Type": PIECE}
        return self._ask("PATCH", self.content[offset:], **fields)

    def ask(self) -> httpx.Response:
        return self._ask("HEAD")

    def _ask(self, method: str, content: bytes | None = None, **fields: str) -> httpx.Response:
        headers = {"Tus-Resumable": "1.0.0", **fields}
        url = self.base + self.url
        return httpx.request(
            method, url, content=content, headers=headers, timeout=PATIENCE_SECONDS
        )


@pytest.mark.parametrize("_victim", SERVED, indirect=True)
def test_uploads_whose_database_is_killed_go_on(
    victim: VictimDatabase, serve: Serve, tally: Tally
) -> None:
    storage = victim.storage()
    servers = [serve("gunicorn"), serve("uvicorn")]
    puts, parts = _clients(victim, servers, "put"), _clients(victim, servers, "tus")
    for part in parts:
        part.begin()
    set_stops(victim)
    with ThreadPoolExecutor(len(puts) + len(parts)) as pool:
        answers = [pool.submit(put.put) for put in puts]
        answers += [pool.submit(part.go_on, _FIRST) for part in parts]
        wait_until(lambda: halted(victim) == len(answers))
        victim.kill()
        for answer in answers:
            _check_refused(answer.result())
    for part in parts:
        _check_refused(part.ask())
    victim.start()
    remove_stops(victim)
    for part in parts:
        tally.add_all([_finish(part)])
    tally.add_all(str(put.put().status_code) for put in puts)
    for client in (*puts, *parts):
        tally.add("lost", not victim.intact(client.name, client.content))
    # Of the broken PUTs, the large ones could not be taken back while the database was down. The
    # small ones come as a whole, or not at all.
    large = [put for put in puts if put.size == max(_SIZES)]
    assert storage.inbox.unfinished().update(expires=PAST) == len(large)
    assert len(list(prune_unfinished(storage, dry_run=False))) == len(large)
    tally.add("left", victim.rows() - sum(-(-each.size // CHUNK) for each in (*puts, *parts)))
    tally.expect(tried=8, **{"201": 4, "went on": 2, "was whole": 2})


def _clients(victim: VictimDatabase, servers: list[WebServer], prefix: str) -> list[_Client]:
    """Return a client for each server and each size."""
    storage, clients = victim.storage(), list[_Client]()
    for server in servers:
        for number, size in enumerate(_SIZES):
            name = f"{prefix}-{server.port}-{size}.bin"
            url = storage.upload_url(name, max_size=size)
            clients.append(_Client(server.url, name, content_of(number, size), url))
    return clients


def _check_refused(answer: httpx.Response) -> None:
    """Check that a client learns to come again, and nothing that it could take for success."""
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Upload-Offset" not in answer.headers


def _finish(part: _Client) -> str:
    """Send what is missing, and return how it was."""
    answer = part.ask()
    assert answer.status_code == 200
    offset = int(answer.headers["Upload-Offset"])
    if offset == part.size:
        return "was whole"
    # Of the piece that broke, what was committed is there.
    assert _FIRST < offset < part.size
    answer = part.go_on(offset)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(part.size))
    return "went on"
