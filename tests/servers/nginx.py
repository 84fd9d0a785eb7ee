"""nginx, from the machine's package, in a private directory."""

from pathlib import Path

from tests.servers.account import give_away, unprivileged
from tests.servers.process import LOOPBACK, ServerProcess, free_port
from tests.servers.server import Server
from tests.servers.unavailable import find_program

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/log warn;
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/client_body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {http}
    server {{
        listen {address}:{port};
        {server}
    }}
}}
"""


class NginxServer(Server):
    """One nginx with one ``server`` block. ``url`` is without a slash at the end."""

    def __init__(self, directory: Path, server: str, *, http: str = "") -> None:
        """Start nginx in this directory, which is made.

        ``server`` goes into the server block (locations), ``http`` before it (upstreams, caches);
        ``{directory}`` in either is this directory.

        Raises:
            Unavailable: nginx is not installed.
            StartFailed: nginx refuses the configuration.

        """
        binary = find_program("nginx", package="nginx")
        directory.mkdir()
        directory.chmod(0o755)
        give_away(directory)
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        configuration = directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=directory,
                address=LOOPBACK,
                port=self.port,
                server=server.replace("{directory}", str(directory)),
                http=http.replace("{directory}", str(directory)),
            )
        )
        self._process = ServerProcess(
            [binary, "-p", directory, "-c", configuration, "-e", "stderr"],
            log=directory / "output",
            identity=unprivileged(),
        )
        self._process.wait_until(lambda: self._process.listens(self.port))
