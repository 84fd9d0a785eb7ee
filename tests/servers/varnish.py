"""Varnish, from the machine's package, in a private directory."""

from pathlib import Path

from tests.servers.account import give_away, unprivileged
from tests.servers.process import LOOPBACK, ServerProcess, free_port
from tests.servers.server import Server
from tests.servers.unavailable import find_program

_CONFIGURATION = """\
vcl 4.1;
backend default {{ .host = "{address}"; .port = "{port}"; }}
{vcl}
"""


class VarnishServer(Server):
    """One Varnish in front of a port. ``url`` is without a slash at the end."""

    def __init__(self, directory: Path, *, backend_port: int, vcl: str = "") -> None:
        """Start Varnish in this directory, which is made.

        :param vcl: more of its configuration, besides the backend.
        :raises Unavailable: Varnish is not installed.
        :raises StartFailed: it refuses the configuration.
        """
        binary = find_program("varnishd", package="varnish")
        directory.mkdir()
        directory.chmod(0o755)
        give_away(directory)
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        configuration = directory / "default.vcl"
        configuration.write_text(
            _CONFIGURATION.format(address=LOOPBACK, port=backend_port, vcl=vcl)
        )
        self._process = ServerProcess(
            [
                *(binary, "-F", "-j", "none", "-n", directory / "state", "-f", configuration),
                *("-a", f"{LOOPBACK}:{self.port}", "-s", "malloc,16m"),
            ],
            log=directory / "output",
            identity=unprivileged(),
        )
        self._process.wait_until(lambda: self._process.listens(self.port))
