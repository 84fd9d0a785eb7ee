"""MariaDB, from the machine's own package."""

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.account import give_away, unprivileged
from tests.servers.process import ServerProcess, StartFailed, accepts
from tests.servers.server import Server
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


class MariaDBServer(Server):
    """A private server, reached without a password through ``socket`` in ``directory``."""

    def __init__(
        self,
        directory: Path,
        *,
        data: Path | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Initialise and start a server in this directory, which is made.

        ``data`` is another place for the data; ``options`` are more options of the server.

        Raises:
            Unavailable: MariaDB is not installed, or doesn't start.

        """
        self._server = find_program("mariadbd", package="mariadb-server")
        installer = find_program("mariadb-install-db", package="mariadb-server")
        directory.mkdir()
        give_away(directory)
        self._directory = directory
        self._data = data or directory / "data"
        self._options = dict(options or {})
        _initialise(installer, self._data)
        #: The value of HOST in Django's DATABASES.
        self.host = str(directory / "socket")
        try:
            self.start()
        except StartFailed as error:
            raise Unavailable(f"MariaDB does not start: {error}") from error

    def start(self, **options: object) -> None:
        """Start a server that was killed or stopped, for this time with more options.

        Raises:
            StartFailed: it ends or doesn't answer.

        """
        options = self._options | options
        self._process = ServerProcess(
            [
                self._server,
                "--no-defaults",
                f"--datadir={self._data}",
                f"--tmpdir={self._directory}",
                f"--socket={self.host}",
                f"--pid-file={self._directory / 'pid'}",
                *_OPTIONS,
                *(f"--{name.replace('_', '-')}={value}" for name, value in options.items()),
            ],
            log=self._directory / "log",
            identity=unprivileged(),
            stop_signal=signal.SIGKILL,  # An orderly end takes seconds, for data nobody wants.
        )
        self._process.wait_until(lambda: accepts(Path(self.host)))


def _initialise(installer: Path, data: Path) -> None:
    done = subprocess.run(
        [
            installer,
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            # A server that starts deletes what looks like its temporary tables: in /tmp, those of
            # another one.
            f"--tmpdir={data.parent}",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=data.parent,
        **unprivileged(),
    )
    if done.returncode:
        raise Unavailable(f"mariadb-install-db failed: {(done.stdout + done.stderr).strip()}")
