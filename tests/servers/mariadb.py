"""MariaDB, from the machine's own package."""

import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.servers.account import give_away, unprivileged
from tests.servers.process import ServerProcess, StartFailed, accepts
from tests.servers.unavailable import Unavailable, find_program

USER = "root"  # of this server, not of the machine

#: The data is thrown away: nothing needs to survive a crash of the machine.
_OPTIONS = (
    "--skip-networking",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=128M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--max-connections=200",
)


class MariaDBServer:
    """A server of its own, reached through the file ``socket`` in ``directory``, no password."""

    def __init__(self, directory: Path) -> None:
        """Initialise and start a server in this directory, which is made.

        Raises:
            Unavailable: MariaDB is not installed, or doesn't start.

        """
        server = find_program("mariadbd", package="mariadb-server")
        installer = find_program("mariadb-install-db", package="mariadb-server")
        directory.mkdir()
        give_away(directory)
        data = directory / "data"
        _initialise(installer, data)
        #: What goes into HOST of Django's DATABASES.
        self.host = str(directory / "socket")
        self._process = ServerProcess(
            [
                server,
                "--no-defaults",
                f"--datadir={data}",
                f"--tmpdir={directory}",
                f"--socket={self.host}",
                f"--pid-file={directory / 'pid'}",
                *_OPTIONS,
            ],
            log=directory / "log",
            identity=unprivileged(),
            stop_signal=signal.SIGKILL,  # An orderly end takes seconds, for data nobody wants.
        )
        try:
            self._process.wait_until(lambda: accepts(Path(self.host)))
        except StartFailed as error:
            raise Unavailable(f"MariaDB does not start: {error}") from error

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def stop(self) -> None:
        """Stop the server."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _initialise(installer: Path, data: Path) -> None:
    done = subprocess.run(
        [
            installer,
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=data.parent,
        **unprivileged(),
    )
    if done.returncode:
        raise Unavailable(f"mariadb-install-db failed: {(done.stdout + done.stderr).strip()}")
