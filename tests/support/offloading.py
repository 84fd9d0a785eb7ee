"""The nginx of the example that sends large files, with its own configuration, before Django."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers import places
from tests.servers.account import give_away
from tests.servers.nginx import NginxServer
from tests.servers.process import LOOPBACK, free_port
from tests.servers.unavailable import find_program
from tests.servers.web import Kind, WebServer
from tests.support.example import EXAMPLE
from tests.support.offload_settings import FETCHES
from tests.support.waiting import wait_until

CONFIGURATION = EXAMPLE / "deploy/nginx-offload.conf"

_LOG = "/var/log/nginx/cloakroom.log"

SETTINGS = "tests.support.offload_settings"


@dataclass(frozen=True, slots=True)
class OffloadSite:
    """A web server, and the nginx in front of it."""

    server: WebServer
    directory: Path
    client: httpx.Client

    def get(self, target: str, *, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask nginx."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, target, headers=sent)

    def ask_django(self, target: str, *, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask the web server, as nginx without a cache does."""
        sent = {"X-Forwarded-Proto": "https", "X-Forwarded-For": LOOPBACK}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"{self.server.url}{target}", headers=sent)

    def fetches(self) -> int:
        """Return how often nginx has fetched something from Django."""
        return self.server.log.read_text().count(FETCHES)

    def logs(self) -> str:
        """Return all that nginx and Django have logged."""
        logs = [self.server.log, *self.directory.glob("*log"), self.directory / "output"]
        return "\n".join(path.read_text() for path in logs)

    def wait_for_log(self, text: str) -> None:
        """Return as soon as a log holds a text."""
        wait_until(lambda: text in self.logs())


@contextmanager
def offload_site(kind: Kind, log: Path, env: dict[str, str]) -> Iterator[OffloadSite]:
    """Start both.

    Raises:
        Unavailable: one of them is not installed.

    """
    options = {"gunicorn": ("--access-logfile", "-"), "uvicorn": ("--no-proxy-headers",)}
    directory = places.unused("nginx")
    with WebServer(kind, log=log, settings=SETTINGS, env=env, options=options[kind]) as server:
        port = free_port()
        certificate = places.unused("certificate")
        certificate.mkdir()
        _make_certificate(certificate)
        written = configuration(server.port, port, certificate)
        # So that a film of a few MiB has several.
        smaller = written.replace("slice 4m;", "slice 1m;")
        assert smaller != written
        with (
            NginxServer(directory, "", http=smaller),
            _client(port) as client,
        ):
            yield OffloadSite(server, directory, client)


def configuration(django_port: int, port: int, certificate: Path) -> str:
    """Return the file with other paths and ports, and nothing else."""
    upstream = f"upstream cloakroom {{ server {LOOPBACK}:{django_port}; }}\n"
    text = upstream + CONFIGURATION.read_text()
    others: dict[str, Any] = {
        "listen 443 ssl;": f"listen {LOOPBACK}:{port} ssl;",
        "listen 80;": f"listen {LOOPBACK}:{free_port()};",
        "/etc/ssl/cloakroom.pem": certificate / "certificate.pem",
        "/etc/ssl/private/cloakroom.key": certificate / "key.pem",
        "/var/cache/nginx/cloakroom": "{directory}/cache",
        "/var/log/nginx/cloakroom-error.log": "{directory}/error.log",
        _LOG: "{directory}/cloakroom.log",
    }
    for written, ours in others.items():
        assert written in text, written
        text = text.replace(written, str(ours))
    return text


def _client(port: int) -> httpx.Client:
    # The certificate is one of our own.
    return httpx.Client(base_url=f"https://{LOOPBACK}:{port}", verify=False, timeout=60)  # noqa: S501


def _make_certificate(directory: Path) -> None:
    subprocess.run(
        [
            *(find_program("openssl", package="openssl"), "req", "-x509", "-nodes"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    for path in (directory, *directory.iterdir()):
        give_away(path)
