"""The example project, as a process with a database that belongs to one test."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import LOOPBACK, ServerProcess, free_port
from tests.support.sealing import KEY

EXAMPLE = Path(__file__).resolve().parents[2] / "example"
MANAGE = EXAMPLE / "manage.py"
APP = EXAMPLE / "library"


#: The example's settings as they are, and but for signing in, which takes a second of processor.
REAL = "project.settings"
_QUICK = "tests.support.example_settings"


def environment(folder: Path, *, settings: str = _QUICK, **more: str) -> dict[str, str]:
    """Return the environment of an example that belongs to one test."""
    return {
        "DJANGO_SETTINGS_MODULE": settings,
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "SECRET_KEY": "only-for-this-test-and-fifty-characters-in-length!!",
        "FILE_KEYS": KEY,
        "PYTHONPATH": str(EXAMPLE.parent),  # the package itself, installed or not
        "PYTHONUNBUFFERED": "1",
        **more,
    }


def manage(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, MANAGE, *arguments],
        env=os.environ | environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@dataclass(frozen=True)
class Demo:
    """The example as it runs."""

    #: Where it answers.
    address: str
    #: What it has printed.
    log: Path


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Run the command of the example's README, and wait until it answers."""
    port = free_port()
    command = [sys.executable, MANAGE, "demo", f"{LOOPBACK}:{port}"]
    server = ServerProcess(command, log=folder / "demo.log", env=environment(folder))
    try:
        server.wait_until(lambda: server.listens(port))
        yield Demo(f"http://{LOOPBACK}:{port}", server.log)
    finally:
        server.stop()
