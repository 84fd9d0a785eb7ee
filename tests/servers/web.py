"""Web servers in front of a Django project: the WSGI and ASGI servers that people deploy."""

import http.client
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tests.servers.process import LOOPBACK, ServerProcess, free_port
from tests.servers.server import Server
from tests.servers.unavailable import Unavailable

Kind = Literal["gunicorn", "gunicorn-sync", "uvicorn", "granian-asgi", "granian-wsgi", "hypercorn"]

_ROOT = Path(__file__).parents[2]
_WSGI = "tests.servers.wsgi:application"
_ASGI = "tests.servers.asgi:application"


class WebServer(Server):
    """One running web server. ``url`` is without a slash at the end."""

    def __init__(
        self,
        kind: Kind,
        *,
        log: Path,
        settings: str = "tests.settings",
        env: Mapping[str, str] | None = None,
        workers: int = 1,
        options: Sequence[str] = (),
    ) -> None:
        """Serve the project with these settings, and return when it answers.

        Args:
            kind: The server and how it calls Django.
            log: The file for its output.
            settings: DJANGO_SETTINGS_MODULE, importable from the repository's root.
            env: More environment variables.
            workers: Processes that serve.
            options: More options of its command line, as ``("--timeout", "2")``.

        Raises:
            Unavailable: the server is not installed.
            StartFailed: it ends or says nothing; the text is the end of its log.

        """
        module, arguments = _COMMANDS[kind]
        if importlib.util.find_spec(module) is None:
            raise Unavailable(f"{module} is not installed (pip install '.[test]')")
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._process = ServerProcess(
            [sys.executable, "-m", module, *arguments(self.port, workers), *options],
            log=log,
            cwd=_ROOT,
            env={"DJANGO_SETTINGS_MODULE": settings, **(env or {})},
        )
        self._process.wait_until(self._answers)

    @property
    def log(self) -> Path:
        """The file with all that the server printed."""
        return self._process.log

    def rss(self) -> int:
        """Return the resident memory of the server and its workers, in bytes."""
        return self._process.rss()

    def _answers(self) -> bool:
        # A connection is not enough: gunicorn's master accepts before a worker has loaded Django.
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=20)
        try:
            connection.request("HEAD", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return self._process.listens(self.port)


def _gunicorn(port: int, workers: int) -> list[str]:
    return [
        *(_WSGI, "--bind", f"{LOOPBACK}:{port}", "--workers", str(workers)),
        *("--worker-class", "gthread", "--threads", "4", "--graceful-timeout", "1"),
    ]


def _gunicorn_sync(port: int, workers: int) -> list[str]:
    return [
        *(_WSGI, "--bind", f"{LOOPBACK}:{port}", "--workers", str(workers)),
        *("--worker-class", "sync", "--graceful-timeout", "1"),
    ]


def _uvicorn(port: int, workers: int) -> list[str]:
    return [
        *(_ASGI, "--host", LOOPBACK, "--port", str(port), "--workers", str(workers)),
        *("--lifespan", "off", "--timeout-graceful-shutdown", "1"),
        # See hypercorn_config.
        *("--h11-max-incomplete-event-size", str(128 * 1024)),
    ]


def _granian_wsgi(port: int, workers: int) -> list[str]:
    return [
        *(_WSGI, "--interface", "wsgi", "--host", LOOPBACK, "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", "4", "--workers-kill-timeout", "1"),
    ]


def _granian_asgi(port: int, workers: int) -> list[str]:
    return [
        *(_ASGI, "--interface", "asginl", "--host", LOOPBACK, "--port", str(port)),
        *("--workers", str(workers), "--workers-kill-timeout", "1"),
    ]


def _hypercorn(port: int, workers: int) -> list[str]:
    return [
        *(_ASGI, "--bind", f"{LOOPBACK}:{port}", "--workers", str(workers)),
        *("--graceful-timeout", "1", "--error-logfile", "-"),
        *("--config", "python:tests.servers.hypercorn_config"),
    ]


_COMMANDS: dict[str, tuple[str, Callable[[int, int], list[str]]]] = {
    "gunicorn": ("gunicorn", _gunicorn),
    "gunicorn-sync": ("gunicorn", _gunicorn_sync),
    "uvicorn": ("uvicorn", _uvicorn),
    "granian-asgi": ("granian", _granian_asgi),
    "granian-wsgi": ("granian", _granian_wsgi),
    "hypercorn": ("hypercorn", _hypercorn),
}
