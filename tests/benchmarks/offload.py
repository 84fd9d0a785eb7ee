"""Hot large files from nginx's cache, beside nginx with a file on the disk."""

import os
import re
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import Contender, ratios, take_turns
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import NGINX, SETTINGS, Site, keep
from tests.servers.nginx import NginxServer
from tests.servers.process import LOOPBACK, free_port
from tests.servers.web import WebServer
from tests.support.offloading import configuration

_MIB = 1024 * 1024

_DISK = "disk after auth_request"

#: The contenders, and where nginx serves them.
_PREFIXES = {OURS: "/files/", _DISK: "/disk/", "through Django": "/streamed/"}

#: The same Django checks the same link before the file on the disk is sent, and answers no body.
_LOCATIONS = """
    location ~ ^/disk/(?<disk_file>.+)$ {
        set $link_args $args;
        auth_request /auth;
        alias %(files)s/$disk_file;
    }
    location = /auth {
        internal;
        proxy_pass http://cloakroom/files/$disk_file?$link_args;
        proxy_method HEAD;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
    }
    location /streamed/ {
        proxy_pass http://cloakroom/files/;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
    }
"""


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure a file of 1 MiB and one of 40, in turns."""
    kept = [keep(workspace, size * _MIB, names=(OURS, NGINX)) for size in (1, 40)]
    place = workspace.directory.parent / f"offload-{os.urandom(4).hex()}"
    env = {name: value for name, value in workspace.env.items() if "SETTINGS" not in name}
    port = free_port()
    with (
        WebServer("gunicorn", log=place.with_suffix(".log"), settings=SETTINGS, env=env) as server,
        NginxServer(place, "", http=configured(server.port, port, workspace.directory)),
    ):
        return [
            result
            for ours, _ in kept
            for result in _compared(workspace, ours, port, rounds=1 if quick else 5)
        ]


def _compared(workspace: Workspace, site: Site, port: int, *, rounds: int) -> list[Result]:
    """Return the throughput of one client that fetches a hot file."""
    url = f"http://{LOOPBACK}:{port}"
    contenders = [
        Contender(
            name=name,
            run=partial(load.fetch, url + site.url.replace("/files/", prefix, 1), site.size),
        )
        for name, prefix in _PREFIXES.items()
    ]
    take_turns(contenders, rounds=rounds, sample_seconds=0.5)
    able = {each.name: each.seconds for each in contenders if not each.failure}
    return [
        Result(
            topic="offload",
            case=f"{site.size // _MIB} MiB, hot, one client",
            contender=each.name,
            value=site.size / median(each.seconds) / 1e6 if each.name in able else None,
            unit="MB/s",
            ratio=ratios(able[_DISK], each.seconds) if {each.name, _DISK} <= able.keys() else None,
            reference=_DISK,
            database=workspace.database,
            note=each.failure,
        )
        for each in contenders
    ]


def configured(django_port: int, port: int, files: Path) -> str:
    """Return the configuration of the example without TLS, and more locations."""
    text = configuration(django_port, port, files).replace(f":{port} ssl;", f":{port};")
    text = re.sub(r" +ssl_certificate.*;\n", "", text)
    return text.replace(
        "    location /static/", f"{_LOCATIONS % {'files': files}}    location /static/"
    )
