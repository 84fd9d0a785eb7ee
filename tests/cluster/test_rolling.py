"""Servers are stopped, reloaded and given new keys under traffic, and no request is refused.

The words are those of example/deploy/README.md.
"""

import hashlib
import os
import secrets
import signal
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import psutil
import pytest

from secure_dbstorage.storage import default
from tests.cluster.crowds import SIZE, Crowd, crowd, reader, saver
from tests.cluster.running import PATIENCE_SECONDS, WEB_SERVERS, RunningTwin
from tests.conftest import StartWebServer
from tests.servers.process import LOOPBACK, accepts
from tests.servers.web import Kind
from tests.support.http_client import Download
from tests.support.waiting import wait_until

CONTENT = bytes(range(256)) * (SIZE // 256)
GUNICORNS = [name for name in WEB_SERVERS if name.startswith("gunicorn")]

#: More than all that is under way between a server and a client that doesn't read.
LARGE = 30 * 1024 * 1024

#: How each server is told to let downloads end.
GRACE: dict[Kind, tuple[str, ...]] = {
    "gunicorn": ("--graceful-timeout", "600"),
    "uvicorn": ("--timeout-graceful-shutdown", "600"),
    "granian-asgi": ("--workers-kill-timeout", "600"),
    "granian-wsgi": ("--workers-kill-timeout", "600"),
}


def waiting(sock: Path) -> int:
    """Return how many connections a server has not accepted yet.

    Linux lists them as sockets of their own, in the state "connecting".
    """
    lines = Path("/proc/net/unix").read_text().splitlines()
    connecting = "02"
    return sum(line.endswith(f" {sock}") and line.split()[5] == connecting for line in lines)


@contextmanager
def traffic(twin: RunningTwin, number: str) -> Iterator[Crowd]:
    """Let some read and some save meanwhile; none is refused, and nothing is lost."""
    saved: dict[str, bytes] = {}
    with twin.client() as client:
        url = client.post(f"/save/{number}.bin", content=CONTENT).text
    with (
        crowd(twin, reader(url, CONTENT), clients=4) as readers,
        crowd(twin, saver(saved), clients=2) as savers,
    ):
        yield readers
        readers.wait_for(max(0, 1000 - len(readers.requests)))
    assert readers.failures() == []
    assert savers.failures() == []
    assert "token" not in (twin.directory / "logs/cloakroom-error.log").read_text()
    with twin.storage() as storage:
        assert all(storage.exists(name) for name in saved)


def test_new_code_is_loaded_under_traffic(twin: RunningTwin) -> None:
    with traffic(twin, "reload") as readers:
        for name in GUNICORNS:
            twin.reload(name)
            readers.wait_for(100)


def test_servers_restart_one_after_the_other_under_traffic(twin: RunningTwin) -> None:
    with traffic(twin, "restart") as readers:
        for name in WEB_SERVERS:
            twin.restart(name)
            readers.wait_for(100)


@pytest.mark.parametrize("name", WEB_SERVERS)
def test_what_waits_at_a_server_is_answered_before_it_stops(twin: RunningTwin, name: str) -> None:
    # nginx gives each server a third of them, and repeats no POST that it has sent.
    count = 3 * len(WEB_SERVERS)
    sock = Path(twin.state["services"][name]["address"])

    def save(number: int) -> int:
        with twin.client() as client:
            return client.post(f"/save/{name}-{number}.bin", content=CONTENT).status_code

    with ThreadPoolExecutor(count + 1) as pool:
        with twin.suspended(name):
            saved = [pool.submit(save, number) for number in range(count)]
            wait_until(lambda: waiting(sock) > 0)
            restarted = pool.submit(twin.restart, name)
            wait_until(lambda: stat.S_IMODE(sock.stat().st_mode) == 0)
        assert [each.result() for each in saved] == [200] * count
        restarted.result()


def test_a_server_that_was_killed_while_it_drained_can_be_reached_again(twin: RunningTwin) -> None:
    for name in WEB_SERVERS:
        sock = Path(twin.state["services"][name]["address"])
        sock.chmod(0)
        twin.wait_for_another(name, twin.kill(name))
        assert stat.S_IMODE(sock.stat().st_mode) & stat.S_IWOTH


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_server_goes_on_if_its_restart_is_interrupted(
    twin: RunningTwin, number: signal.Signals
) -> None:
    before = twin.state["services"]["uvicorn"]
    sock = Path(before["address"])
    mode = sock.stat().st_mode
    restarting = twin.begin_restart("uvicorn")
    wait_until(lambda: stat.S_IMODE(sock.stat().st_mode) == 0)
    os.killpg(restarting.pid, number)  # as a terminal does for Ctrl-C, and when it is closed
    assert restarting.wait(PATIENCE_SECONDS) != 0
    assert sock.stat().st_mode == mode
    assert twin.pid("uvicorn") == before["pid"]


@pytest.mark.parametrize("name", ["gunicorn-1", "uvicorn"])
def test_a_restart_ends_at_a_server_that_does_not_start(twin: RunningTwin, name: str) -> None:
    settings = twin.env["DJANGO_SETTINGS_MODULE"]
    pid = twin.pid(name)
    twin.change_env(DJANGO_SETTINGS_MODULE="missing")
    try:
        with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
            twin.restart(name)
    finally:
        twin.change_env(DJANGO_SETTINGS_MODULE=settings)
        twin.wait_for_another(name, pid)


def test_keys_are_rotated_over_three_servers(twin: RunningTwin) -> None:
    old, new = twin.env["SECRET_KEY"], secrets.token_hex(32)

    def save_and_read(client: httpx.Client) -> str:
        """Use a link at any server, whichever has made it."""
        content = secrets.token_bytes(1000)
        made = client.post(f"/save/{secrets.token_hex(8)}.bin", content=content)
        if made.status_code != 200:
            return f"save: {made.status_code}"
        return reader(made.text, content)(client)

    with twin.client() as client:
        earlier = client.post("/save/earlier.bin", content=b"1").text
        with crowd(twin, save_and_read) as asked:
            for keys in ((old, new), (new, old)):
                twin.change_env(SECRET_KEY=keys[0], SECRET_KEY_FALLBACKS=keys[1])
                for name in WEB_SERVERS:
                    twin.restart(name)
                    asked.wait_for(50)
                assert client.get(earlier).status_code == 200
            twin.change_env(SECRET_KEY=new, SECRET_KEY_FALLBACKS="")
            for name in WEB_SERVERS:
                twin.restart(name)
            asked.wait_for(max(0, 500 - len(asked.requests)))
        assert asked.failures() == []
        assert {client.get(earlier).status_code for _ in range(9)} == {403}


@pytest.mark.parametrize("kind", list(GRACE))
def test_a_download_ends_before_its_server_does(web_server: StartWebServer, kind: Kind) -> None:
    content = secrets.token_bytes(LARGE)
    url = default().url(default().save("large.bin", BytesIO(content)))
    server = web_server(kind, options=GRACE[kind])
    with Download(server.port, url, timeout_seconds=PATIENCE_SECONDS) as download:
        first = download.read(4096)
        psutil.Process(server.pid).send_signal(signal.SIGTERM)
        # It takes no more visitors, and still has one.
        wait_until(lambda: not accepts((LOOPBACK, server.port)), timeout_seconds=PATIENCE_SECONDS)
        digest = hashlib.sha256(first)
        for piece in download.pieces():
            digest.update(piece)
    assert digest.digest() == hashlib.sha256(content).digest()
    psutil.Process(server.pid).wait(PATIENCE_SECONDS)
