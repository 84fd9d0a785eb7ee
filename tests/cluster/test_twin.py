"""The twin works, outlives its parts, and leaves nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cluster.crowds import SIZE, crowd, reader, saver
from tests.cluster.running import PATIENCE_SECONDS, PROGRAM, RunningTwin
from tests.support.waiting import wait_until

CONTENT = bytes(range(256)) * (SIZE // 256)


def test_nginx_sends_a_large_file_from_its_cache(twin: RunningTwin) -> None:
    with twin.client() as client:
        url = client.post("/save/large.bin", content=CONTENT).text
        for _ in range(2):
            assert client.get(url).content == CONTENT
        part = client.get(url, headers={"Range": "bytes=300000-300009"})
        assert (part.status_code, part.content) == (206, CONTENT[300_000:300_010])
        assert client.get(f"{url}x").status_code == 403
    log = twin.directory / "logs/cloakroom.log"
    wait_until(lambda: "cache=HIT" in log.read_text())
    assert "token" not in log.read_text()


def test_static_files_and_the_admin_are_there(twin: RunningTwin) -> None:
    with twin.client() as client:
        assert client.get("/static/library/cloakroom.css").headers["content-type"] == "text/css"
        assert client.get("/admin/login/").status_code == 200


def test_a_link_counts_once_on_all_servers(twin: RunningTwin) -> None:
    with twin.storage() as storage, twin.client() as client:
        client.post("/save/once.bin", content=CONTENT)
        url = storage.url("once.bin", uses=1)
        assert [client.get(url).status_code for _ in range(6)] == [200, *[403] * 5]


@pytest.mark.parametrize(
    "name", ["gunicorn-1", "uvicorn", "nginx", "pgbouncer", "valkey", "postgres-2"]
)
def test_what_was_killed_comes_back_and_no_byte_is_wrong(twin: RunningTwin, name: str) -> None:
    saved: dict[str, bytes] = {}
    with twin.client() as client:
        url = client.post(f"/save/killed-{name}.bin", content=CONTENT).text
    with (
        crowd(twin, reader(url, CONTENT), clients=2) as readers,
        crowd(twin, saver(saved), clients=2) as savers,
    ):
        killed = psutil.Process(twin.pid(name))
        children = killed.children(recursive=True)
        killed.kill()  # as somebody does who reads the number on the screen
        _, alive = psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
        assert not alive
        twin.wait_for_another(name, killed.pid)
        readers.wait_for(20)
        savers.wait_for(5)
    outcomes = {each.outcome for each in readers.failures() + savers.failures()}
    assert "other bytes" not in outcomes
    with twin.client() as client:
        for _ in range(20):
            assert client.get(url).content == CONTENT
    with twin.storage() as storage:
        for file, content in saved.items():
            with storage.open(file) as opened:
                assert opened.read() == content


def test_a_server_is_named_only_to_restart_it() -> None:
    command = [sys.executable, PROGRAM, "--only", "uvicorn"]
    asked = subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE_SECONDS)
    assert b"--only needs --restart" in asked.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_stops_what_was_started(own_directory: Path, number: signal.Signals) -> None:
    with RunningTwin(own_directory / number.name) as twin:
        services = [psutil.Process(twin.pid(name)) for name in twin.state["services"]]
        family = [each for one in services for each in (one, *one.children(recursive=True))]
        twin.stop(number)
        gone, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
        assert not alive
        assert len(gone) > len(services)
