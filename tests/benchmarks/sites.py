"""Sites: one file with everybody, and the servers where it is fetched."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from django.core.files.base import File
from django.core.files.storage import storages

from tests.benchmarks import peers
from tests.benchmarks.environment import Failed, Workspace
from tests.benchmarks.peers import OURS
from tests.servers.nginx import NginxServer
from tests.servers.web import Kind, WebServer

FLOOR = "floor"
PRIVATE_STORAGE = "django-private-storage"
SIGNED_IN = "django-private-storage, signed in"
WHITENOISE = "WhiteNoise"
NGINX = "nginx"

SETTINGS = "tests.benchmarks.serving_settings"

#: Who serves from the disk, and what must be installed for it.
_ON_DISK = {
    PRIVATE_STORAGE: "private_storage",
    SIGNED_IN: "private_storage",
    WHITENOISE: "whitenoise",
    NGINX: "",
}

#: The contenders whose Django has more settings, and so a server of its own, and which these are.
_OWN_ENV = {
    WHITENOISE: {"DBSTORAGE_BENCHMARK_WHITENOISE": "1"},
    SIGNED_IN: {"DBSTORAGE_BENCHMARK_SIGNED_IN": "1"},
}

_BLOCK = os.urandom(1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a contender serves the file."""

    name: str
    #: Only the path and the query until the servers are up.
    url: str = ""
    #: Length of the file in bytes.
    size: int
    #: What a visitor sends who may have the file.
    cookie: str = ""
    #: Why this contender can't hold the file.
    failure: str = ""
    #: The process to which its server's workers belong.
    pid: int = 0


#: An async view that does nothing: what any request takes of Django under ASGI.
EMPTY = Site(name="empty view", size=0, url="/nothing/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A web server as somebody runs it."""

    kind: Kind
    #: How tables call it.
    name: str
    options: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def setups(workspace: Workspace, *, threads: int = 4) -> list[Setup]:
    """Return the servers to measure on a database, all with one process.

    Under ASGI each request of Django has a thread of its own, and with it a connection of its
    own, whatever CONN_MAX_AGE says: what helps is Django's pool, for PostgreSQL alone.
    """
    gunicorn = Setup(
        kind="gunicorn",
        name="gunicorn" if threads == 4 else f"gunicorn, {threads} threads",
        options=("--threads", str(threads)),
    )
    uvicorn = Setup(
        kind="uvicorn",
        name="uvicorn",
        options=("--no-access-log",),  # gunicorn writes none unless told to.
        env={"DBSTORAGE_BENCHMARK_ASGI": "1"},
    )
    if workspace.database != "postgres":
        return [gunicorn, uvicorn]
    pool = {"DBSTORAGE_BENCHMARK_POOL": "16"}
    return [gunicorn, uvicorn, replace(uvicorn, name="uvicorn, pool of 16", env=pool)]


def prepared_setups(workspace: Workspace) -> list[Setup]:
    """Return the servers whose Django prepares its statements on a database, which it can do."""
    if workspace.database != "postgres":
        return []
    gunicorn = setups(workspace)[0]
    name = f"{gunicorn.name}, prepared statements"
    return [replace(gunicorn, name=name, env={"DBSTORAGE_BENCHMARK_PREPARE": "5"})]


def keep(workspace: Workspace, size: int, *, names: Sequence[str] = ()) -> list[Site]:
    """Save a file of *size* random bytes with all contenders, or with those of these names."""
    sites = [Site(name=peer.name, size=size) for peer in peers.installed()]
    # Between peers: the floor has the rows of ours. Next to each other, the second would find them
    # in the server's memory.
    sites.insert((len(sites) + 1) // 2, Site(name=FLOOR, size=size))
    sites.insert(0, Site(name=OURS, size=size))
    sites += [
        Site(name=name, size=size) for name, app in _ON_DISK.items() if not app or find_spec(app)
    ]
    return [_kept(workspace, site) for site in sites if not names or site.name in names]


@contextmanager
def open_sites(workspace: Workspace, setup: Setup, sites: Sequence[Site]) -> Iterator[list[Site]]:
    """Start the servers that these sites need, and return them with whole URLs.

    WhiteNoise has a server of its own, since it would look at the requests of all others too. So
    has the peer that looks for a user.
    """
    able = [site for site in sites if not site.failure]
    with ExitStack() as stack:
        servers = {
            key: _server(workspace, setup, key, stack) for key in set(map(_server_key, able))
        }
        yield [
            site if site.failure else _opened(site, servers[_server_key(site)]) for site in sites
        ]


def file_name(size: int) -> str:
    """Return the name of the file of so many bytes."""
    return f"invoices/2026/q3-{size}.bin"


def save(name: str, size: int) -> str:
    """Save a file with one contender, and return the path of its URL."""
    file: Any = File(_Noise(size), name="noise")
    file.size = size
    if name == OURS:
        storage: Any = storages["default"]
        saved = storage.save(file_name(size), file)
        return str(storage.url(saved, expires_in=86_400))
    if name == FLOOR:  # Serves the rows of ours.
        return f"/floor/{file_name(size)}"
    if name in _ON_DISK:
        path = file_name(size)
        if not storages[peers.DISK].exists(path):
            storages[peers.DISK].save(path, file)
        return f"/{path}" if name in (WHITENOISE, NGINX) else f"/private/{path}"
    # Another name than on the disk: one of them looks there first.
    saved = storages[name].save(f"table/{file_name(size)}", file)
    return str(storages[name].url(saved))


def sign_in() -> str:
    """Make a user with a session in the database, and return the cookie of it."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    user, _ = User.objects.get_or_create(username="visitor")
    visitor = Client()
    visitor.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={visitor.cookies[name].value}"


class _Noise(BytesIO):
    """Random bytes, which no database compresses, without the memory for all of them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._rest = size

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._rest if size is None or size < 0 else min(size, self._rest)
        self._rest -= wanted
        return (_BLOCK * -(-wanted // len(_BLOCK)))[:wanted]

    def seek(self, offset: int, whence: int = 0) -> int:
        self._rest = self._size - offset
        return offset


def _kept(workspace: Workspace, site: Site) -> Site:
    try:
        env = {"DJANGO_SETTINGS_MODULE": SETTINGS, **_OWN_ENV.get(site.name, {})}
        path = workspace.call(save, site.name, site.size, **env)
        cookie = workspace.call(sign_in, **env) if site.name == SIGNED_IN else ""
    except Failed as error:
        return replace(site, failure=f"can't hold it: {str(error).splitlines()[-1]}"[:120])
    return replace(site, url=path, cookie=cookie)


def _server_key(site: Site) -> str:
    return site.name if site.name in (*_OWN_ENV, NGINX) else ""


def _opened(site: Site, server: WebServer | NginxServer) -> Site:
    return replace(site, url=server.url + site.url, pid=server.pid)


def _server(
    workspace: Workspace, setup: Setup, key: str, stack: ExitStack
) -> WebServer | NginxServer:
    place = workspace.directory.parent / f"{setup.kind}{key}-{os.urandom(4).hex()}"
    if key == NGINX:
        root = f"access_log off; location / {{ root {workspace.directory}; }}"
        http = "sendfile on; tcp_nopush on;"
        return stack.enter_context(NginxServer(place, root, http=http))
    env = {
        name: value for name, value in workspace.env.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    env |= {**setup.env, **_OWN_ENV.get(key, {})}
    server = WebServer(
        setup.kind,
        log=place.with_suffix(".log"),
        settings=SETTINGS,
        env=env,
        options=setup.options,
    )
    return stack.enter_context(server)
