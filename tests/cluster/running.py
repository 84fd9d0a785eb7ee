"""The twin of compose.yaml as a process, and what tests do to it."""

import json
import runpy
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from secure_dbstorage.storage import DatabaseStorage
from tests.cluster.databases import connected
from tests.servers.process import LOOPBACK, ServerProcess, accepts
from tests.servers.unavailable import find_program
from tests.support.example import EXAMPLE
from tests.support.waiting import wait_until

#: For whatever starts, stops or takes over, on a busy machine.
PATIENCE_SECONDS = 240

PROGRAM = EXAMPLE / "deploy/twin.py"
_names = runpy.run_path(str(PROGRAM))
WEB_SERVERS: tuple[str, ...] = _names["WEB_SERVERS"]
_answers = _names["answers"]


class RunningTwin:
    """The twin, started by its one command."""

    def __init__(self, directory: Path, **env: str) -> None:
        """Start it in a directory that is made, and return when it answers.

        Raises:
            Unavailable: a program is not installed.
            StartFailed: it did not start; the text is the end of what it printed.

        """
        for name in ("nginx", "pgbouncer", "openssl"):
            find_program(name, package=name)
        #: Where it keeps everything.
        self.directory = directory
        root = EXAMPLE.parent
        self.process = ServerProcess(
            [sys.executable, PROGRAM, "--no-fsync", "--directory", directory],
            log=directory.with_suffix(".log"),
            cwd=root,
            env={
                "DJANGO_SETTINGS_MODULE": "tests.cluster.settings",
                "PYTHONPATH": str(root),
                **env,
            },
        )
        self.process.wait_until(self._is_complete, timeout_seconds=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to end, and return when it has."""
        if self.process.is_running:
            psutil.Process(self.process.pid).send_signal(number)
            wait_until(lambda: not self.process.is_running, timeout_seconds=PATIENCE_SECONDS)
        self.process.stop()

    @property
    def state(self) -> dict[str, Any]:
        """What it says of itself."""
        state: dict[str, Any] = json.loads((self.directory / "twin.json").read_text())
        return state

    @property
    def env(self) -> dict[str, str]:
        """The environment of its web servers."""
        lines = (self.directory / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def logs(self) -> str:
        """Return all that the web servers have printed."""
        return "".join((self.directory / "logs" / name).read_text() for name in WEB_SERVERS)

    def change_env(self, **changes: str) -> None:
        """Change the environment of the web servers that start from now on."""
        lines = (f"{name}={value}\n" for name, value in (self.env | changes).items())
        (self.directory / "environment").write_text("".join(lines))

    def pid(self, name: str) -> int:
        """Return the process of a service, as of now."""
        return int(self.state["services"][name]["pid"])

    def kill(self, name: str) -> int:
        """End a service and all its children at once, and return its id."""
        parent, *children = self._family(name)
        for process in (parent, *children):
            process.kill()
        psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
        return int(parent.pid)

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """Let a service and its children do nothing meanwhile."""
        family = self._family(name)
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()

    def restart(self, name: str) -> None:
        """Restart a web server as README.md says, and return when it answers."""
        self._command("--restart", self.directory, "--only", name)

    def begin_restart(self, name: str) -> "subprocess.Popen[bytes]":
        """Start that, as the first process of a group."""
        command = [sys.executable, PROGRAM, "--restart", self.directory, "--only", name]
        # A shell lets what it runs in the background ignore Ctrl-C, and children inherit that.
        listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        return subprocess.Popen(command, start_new_session=True, preexec_fn=listen)  # noqa: PLW1509

    def reload(self, name: str) -> None:
        """Let gunicorn load new code, and return when the old workers have ended."""
        parent = psutil.Process(self.pid(name))
        old = parent.children()
        parent.send_signal(signal.SIGHUP)
        _, alive = psutil.wait_procs(old, timeout=PATIENCE_SECONDS)
        assert not alive

    def wait_for_another(self, name: str, pid: int) -> None:
        """Return when a service has another process, which answers."""
        wait_until(lambda: self.pid(name) != pid, timeout_seconds=PATIENCE_SECONDS)
        wait_until(lambda: self._answers(name), timeout_seconds=PATIENCE_SECONDS)

    def entry(self, **changes: Any) -> dict[str, Any]:
        """Return the database as DATABASES has it, both servers without a pooler."""
        ports = self.state["ports"]
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "cloakroom",
            "USER": "cloakroom",
            "PASSWORD": self._password,
            "HOST": f"{LOOPBACK},{LOOPBACK}",
            "PORT": f"{ports['postgres-1']},{ports['postgres-2']}",
            "OPTIONS": {"target_session_attrs": "read-write"},
            **changes,
        }

    def client(self) -> httpx.Client:
        """Return a client of nginx, which trusts its certificate."""
        trusted = ssl.create_default_context(cafile=self.directory / "certificates/cloakroom.pem")
        url = self.state["url"]
        return httpx.Client(base_url=url, verify=trusted, timeout=PATIENCE_SECONDS)

    @contextmanager
    def storage(self, **changes: Any) -> Iterator[DatabaseStorage]:
        """Yield the storage that the web servers have, for the tests' process."""
        with connected(self.entry(**changes)) as alias:
            yield DatabaseStorage(
                using=alias,
                namespace="cluster",
                audience="cluster",
                base_url="/cluster/",
                signing_keys=[self.env["SECRET_KEY"]],
            )

    def promote(self) -> None:
        """Let the standby take the place of the primary."""
        self._command("--promote", self.directory)

    def _command(self, *arguments: str | Path) -> None:
        command = [sys.executable, PROGRAM, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)

    def _family(self, name: str) -> list[psutil.Process]:
        """Return the process of a service, and all that it has started."""
        parent = psutil.Process(self.pid(name))
        return [parent, *parent.children(recursive=True)]

    @property
    def _password(self) -> str:
        return str(httpx.URL(self.env["DATABASE_URL"]).password)

    def _is_complete(self) -> bool:
        return "Ctrl-C" in self.process.log.read_text()

    def _answers(self, name: str) -> bool:
        if name not in WEB_SERVERS:
            return accepts((LOOPBACK, self.state["ports"][name]))
        return bool(_answers(Path(self.state["services"][name]["address"])))
