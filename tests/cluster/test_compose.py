"""What the containers of compose.yaml are given, which no test starts."""

import os
import re
import signal
import socket
import stat
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.running import WEB_SERVERS, RunningTwin
from tests.support.example import EXAMPLE
from tests.support.waiting import wait_until

DEPLOY = EXAMPLE / "deploy"

#: What a value of compose.yaml says in the twin too.
SHARED = ("DEBUG", "TRUSTED_PROXIES", "OFFLOAD", "DATABASE_POOL", "BEHIND_PGBOUNCER")


@pytest.fixture
def services() -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return described


def test_it_has_the_services_of_the_twin(services: dict[str, Any], twin: RunningTwin) -> None:
    # Both run by themselves, the one at the start and the other once a day.
    assert set(services) - {"setup", "prune"} == set(twin.state["services"])


def test_django_has_the_environment_of_the_twin(
    services: dict[str, Any], twin: RunningTwin
) -> None:
    of_the_twin = {"DJANGO_SUPERUSER_PASSWORD", "PYTHONPATH", "SECRET_KEY_FALLBACKS"}
    for name in ("gunicorn-1", "gunicorn-2", "uvicorn", "setup", "prune"):
        env = services[name]["environment"]
        assert set(env) == set(twin.env) - of_the_twin
        assert {key: env[key] for key in SHARED} == {key: twin.env[key] for key in SHARED}


def test_each_web_server_is_drained_where_it_listens(services: dict[str, Any]) -> None:
    for name in WEB_SERVERS:
        sock = f"/run/cloakroom/{name}.sock"
        assert sock in re.split(r"[\s:]", " ".join(services[name]["command"]))
        assert services[name]["pre_stop"] == [{"command": ["sh", "deploy/drain.sh", sock]}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_server_goes_on_if_its_draining_is_interrupted(
    tmp_path: Path, number: signal.Signals
) -> None:
    sock = tmp_path / "a server's.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sock))
        mode = sock.stat().st_mode
        drain = ["/bin/sh", DEPLOY / "drain.sh", sock]
        # A shell can't trap what was ignored when it started, as SIGHUP is below nohup.
        listen = partial(signal.signal, number, signal.SIG_DFL)
        with subprocess.Popen(drain, start_new_session=True, preexec_fn=listen) as draining:  # noqa: PLW1509
            wait_until(lambda: stat.S_IMODE(sock.stat().st_mode) == 0)
            os.killpg(draining.pid, number)
        assert draining.returncode == 1
        assert sock.stat().st_mode == mode


def test_the_standby_begins_its_copy_anew_after_an_interruption(
    services: dict[str, Any], tmp_path: Path
) -> None:
    """Programs stand for PostgreSQL's: the first copy is killed when a part of it is there."""
    *shell, script = services["postgres-2"]["entrypoint"]
    for name, text in {
        "pg_basebackup": """
            [[ ! -e $2 ]] && mkdir "$2" && echo 17 > "$2/PG_VERSION"
            [[ -e killed ]] || { touch killed; kill -KILL $PPID; exit; }
            touch "$2/complete"
        """,
        "postgres": 'cat "$PGDATA/PG_VERSION"; [[ -e $PGDATA/complete ]]',
    }.items():
        (program := tmp_path / name).write_text(f"#!/bin/bash -eu\n{text}\n")
        program.chmod(0o755)
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PGDATA": str(tmp_path / "the data"),
        "CLOAKROOM_PASSWORD": "1",
    }
    command = [*shell, script.replace("$$", "$")]
    codes = [
        subprocess.run(command, env=env, cwd=tmp_path, check=False).returncode for _ in range(3)
    ]
    assert codes == [-signal.SIGKILL, 0, 0]


def test_the_service_of_systemd_is_drained_where_it_listens() -> None:
    unit = (DEPLOY / "cloakroom.service").read_text()
    sock = re.search(r'bind = "unix:(.*)"', (DEPLOY / "gunicorn.conf.py").read_text())
    assert sock is not None
    for line in ("ExecStop=/bin/sh deploy/drain.sh", "ExecStartPre=/bin/rm -f"):
        assert f"# {line} {sock[1]}\n" in unit
    # By default, systemd removes the directory with each service that stops.
    assert "\nRuntimeDirectoryPreserve=yes\n" in unit


def test_the_cache_in_memory_has_twice_the_space_that_nginx_leaves_free(
    services: dict[str, Any],
) -> None:
    # On a full tmpfs, each file that is not yet in the cache would break off.
    (mounted,) = services["nginx"]["tmpfs"]
    size = re.fullmatch(r"/var/cache/nginx:size=(\d+)g", mounted)
    left = re.search(r" min_free=(\d+)g ", (DEPLOY / "nginx-offload.conf").read_text())
    assert size is not None
    assert left is not None
    assert int(size[1]) >= 2 * int(left[1])


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-offload.conf"])
def test_nginx_keeps_no_connection_to_a_web_server(name: str) -> None:
    # Since 1.29.7, it does if no location says otherwise. Then drain.sh turns nothing away.
    locations = re.split(r"^ +location ", (DEPLOY / name).read_text(), flags=re.MULTILINE)
    proxied = [each for each in locations if re.search(r"^ +proxy_pass ", each, re.MULTILINE)]
    assert proxied
    assert all("proxy_set_header Connection close;" in each for each in proxied)


def test_no_secret_is_copied_into_the_image() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    # Nothing but what is named, and then all that git ignores there too.
    assert next(line for line in lines if line and line[0] not in "#!") == "*"
    for ignored in (DEPLOY / ".gitignore", EXAMPLE / ".gitignore"):
        place = ignored.parent.relative_to(EXAMPLE.parent)
        for name in ignored.read_text().split():
            assert f"{place}{name}".rstrip("/") in lines
