"""Caches that keep public files, set up as the pages say: what they show, and for how long."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from secure_dbstorage import signals
from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.servers import places
from tests.servers.nginx import NginxServer
from tests.servers.process import LOOPBACK, free_port
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.varnish import VarnishServer
from tests.support.cdn_settings import AGES_VARIABLE
from tests.support.example import EXAMPLE
from tests.support.http_client import Answer, fetch
from tests.support.pages import DEPLOY, blocks
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

_NGINX, _VCL = EXAMPLE / "deploy/nginx-cdn.conf", EXAMPLE / "deploy/varnish-cdn.vcl"

_DAY = 86_400

#: As nginx's manual shows it; https://nginx.org/en/docs/http/ngx_http_proxy_module.html.
_BY_THE_MANUAL = """
location / {{
    proxy_pass http://127.0.0.1:{port};
    proxy_set_header Host $host;
    proxy_cache files;
    proxy_cache_key $request_uri;
    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
    proxy_cache_lock on;
    add_header X-Cache $upstream_cache_status always;
}}
"""

_TELLS_NGINX = "    add_header X-Cache $upstream_cache_status always;\n"
_TELLS_VARNISH = """
sub vcl_deliver {
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; }
}
"""


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache in front of the site."""

    port: int
    #: Where nginx keeps its entries.
    directory: Path

    def ask(self, target: str, **arguments: Any) -> Answer:
        """Return its answer."""
        return fetch(self.port, target, **arguments)

    def status(self, target: str) -> int:
        """Return the status alone."""
        return self.ask(target).head.status

    def is_hit(self, target: str) -> bool:
        """Ask, and tell whether the cache had a whole answer."""
        head = self.ask(target).head
        return (head.status, head["x-cache"]) == (200, "HIT")

    def entries(self) -> list[Path]:
        """Return nginx's files."""
        return [path for path in self.directory.rglob("*") if path.is_file()]


#: Starts a cache of a kind, before a site with a pair of times for public files.
Start = Callable[..., Cache]


@pytest.fixture
def start(web_server: StartWebServer) -> Iterator[Start]:
    with ExitStack() as running:

        def start(kind: str, *ages: int, **changes: str) -> Cache:
            env = {AGES_VARIABLE: str(list(ages))}
            port = web_server("gunicorn", settings="tests.support.cdn_settings", env=env).port
            directory = places.unused(kind)
            try:
                front = running.enter_context(_FRONTS[kind](directory, port, changes))
            except Unavailable as reason:
                skip_or_fail(str(reason))
            return Cache(front.port, directory / "cache")

        yield start


@pytest.fixture
def storage(start: Start) -> DatabaseStorage:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    storage.save("dir/é a.txt", b"for all")
    storage.set_public("dir/é a.txt", public=True)
    return storage


@pytest.fixture
def receive() -> Iterator[Callable[[str], None]]:
    """Connect the receiver of the page, for the CDN of an address."""
    connected: list[Any] = []
    (block,) = (text for text in blocks(DEPLOY.read_text(), "python") if "def purge(" in text)
    assert '"https://cdn.example.com"' in block

    def connect(address: str) -> None:
        names: dict[str, Any] = {}
        exec(block.replace("https://cdn.example.com", address), names)  # noqa: S102 -- our own
        connected.append(names["purge"])

    yield connect
    for signal in (signals.file_saved, signals.file_deleted, signals.file_changed):
        assert [signal.disconnect(receiver) for receiver in connected] == [True]


PUBLIC = "/files/dir/%C3%A9%20a.txt"

both = pytest.mark.parametrize("kind", ["nginx", "varnish"])


@both
def test_what_is_changed_is_purged(
    kind: str, start: Start, storage: DatabaseStorage, receive: Callable[[str], None]
) -> None:
    cache = start(kind, 60, _DAY)
    receive(f"http://{LOOPBACK}:{cache.port}")

    def keep(content: bytes) -> None:
        """Let the cache have the public file, for a day."""
        wait_until(lambda: cache.is_hit(PUBLIC) and cache.ask(PUBLIC).body == content)
        assert cache.ask(PUBLIC).head["cache-control"] == f"public, max-age=60, s-maxage={_DAY}"

    def forget() -> None:
        # nginx answers the purge, and then replaces what it has.
        wait_until(lambda: cache.status(PUBLIC) == 404)
        assert cache.status(PUBLIC) == 404

    keep(b"for all")
    storage.set_public("dir/é a.txt", public=False)
    forget()
    storage.set_public("dir/é a.txt", public=True)
    keep(b"for all")
    with storage.open("dir/é a.txt", "wb") as file:
        file.write(b"once more")
    keep(b"once more")
    storage.rename("dir/é a.txt", "b.txt")
    forget()
    assert cache.status("/files/b.txt") == 200
    storage.rename("b.txt", "dir/é a.txt")
    keep(b"once more")
    storage.set_expires("dir/é a.txt", timezone.now())
    forget()
    storage.set_expires("dir/é a.txt", None)
    keep(b"once more")
    storage.delete("dir/é a.txt")
    forget()


@both
def test_a_purge_finds_every_spelling(
    kind: str, start: Start, storage: DatabaseStorage, receive: Callable[[str], None]
) -> None:
    cache = start(kind, 60, _DAY)
    receive(f"http://{LOOPBACK}:{cache.port}")
    spelled = [PUBLIC, f"{PUBLIC}?utm_source=mail", f"{PUBLIC}?a&b=/"]
    if kind == "nginx":  # Varnish takes these for other files, and is purged by its own time.
        spelled += ["/files/dir/%C3%A9%20%61.txt", "/files/dir/../dir/%c3%a9%20a.txt"]
    wait_until(lambda: cache.is_hit(PUBLIC))
    assert all(cache.is_hit(each) for each in spelled)
    storage.set_public("dir/é a.txt", public=False)
    wait_until(lambda: cache.status(PUBLIC) == 404)
    assert {cache.status(each) for each in spelled} == {404}


@both
def test_nobody_else_may_purge(kind: str, start: Start, storage: DatabaseStorage) -> None:
    cache = start(kind, 60, _DAY, purger="192.0.2.1")
    wait_until(lambda: cache.is_hit(PUBLIC))
    asked = cache.ask(PUBLIC, method="HEAD", headers=[("X-Purge", "1")])
    assert (asked.head.status, asked.head["x-cache"]) == (200, "HIT")
    assert cache.is_hit(PUBLIC)


@both
def test_an_answer_to_a_link_is_never_kept(
    kind: str, start: Start, storage: DatabaseStorage
) -> None:
    cache = start(kind, 60, _DAY)
    storage.save("dir/secret.bin", b"for some: 7391")
    link, folder = storage.url("dir/secret.bin"), f"{storage.folder_url('dir')}secret.bin"
    quoted = folder.replace("/~", "/%7E", 1)
    for target in (link, folder, quoted, f"{link}&utm_source=mail"):
        answers = [cache.ask(target) for _ in range(2)]
        assert [answer.body for answer in answers] == [b"for some: 7391"] * 2
        assert {answer.head["x-cache"] for answer in answers} <= {"MISS", "BYPASS"}
    # Nor is it shown to anyone without the link, nor the refusal to somebody who has it.
    assert cache.status("/files/dir/secret.bin") == 404
    assert cache.status(link) == 200
    assert cache.status(link[:-1]) == 403
    storage.revoke_urls("dir/secret.bin")
    assert {cache.status(target) for target in (link, folder, quoted)} == {403}
    # Of a public file as well: the link's name for it may be nobody else's business.
    named = f"{storage.folder_url('dir')}{PUBLIC.rpartition('/')[2]}"
    assert [cache.ask(named).head["x-cache"] for _ in range(2)] == ["MISS"] * 2
    assert not any(b"7391" in path.read_bytes() for path in cache.entries())


#: How long a public file may be kept in these tests, in seconds.
_AGE = 1


def let_it_become_too_old(seconds: float) -> None:
    """Wait, since caches have no clock that a test could set."""
    time.sleep(seconds + 0.1)


def test_the_nginx_of_the_page_shows_nothing_beyond_its_time(
    start: Start, storage: DatabaseStorage
) -> None:
    cache = start("nginx", 0, _AGE)
    assert cache.status(PUBLIC) == 200
    storage.set_public("dir/é a.txt", public=False)
    let_it_become_too_old(_AGE + 1)  # nginx counts whole seconds.
    assert cache.status(PUBLIC) == 404


def test_an_nginx_that_refreshes_in_the_background_shows_it_once_while_it_keeps_it(
    start: Start, storage: DatabaseStorage
) -> None:
    cache = start("manual", 0, _AGE, inactive="4s")
    storage.save("b.txt", b"for all")
    storage.set_public("b.txt", public=True)
    assert [cache.status(path) for path in (PUBLIC, "/files/b.txt")] == [200, 200]
    for name in ("dir/é a.txt", "b.txt"):
        storage.set_public(name, public=False)
    let_it_become_too_old(_AGE + 1)
    # The first who asks still gets it, and starts the refreshing.
    assert cache.ask(PUBLIC).head["x-cache"] == "STALE"
    wait_until(lambda: cache.status(PUBLIC) == 404)
    assert cache.status(PUBLIC) == 404
    # What nobody asked for is dropped: there is nothing left to show.
    wait_until(lambda: cache.entries() == [])
    answer = cache.ask("/files/b.txt")
    assert (answer.head.status, answer.head["x-cache"]) == (404, "MISS")


def test_varnish_shows_it_once_within_its_grace(start: Start, storage: DatabaseStorage) -> None:
    cache = start("varnish", 0, _AGE, grace="1s")
    assert cache.status(PUBLIC) == 200
    storage.set_public("dir/é a.txt", public=False)
    let_it_become_too_old(_AGE + 1)
    assert cache.status(PUBLIC) == 404


def test_varnish_refreshes_in_the_background(start: Start, storage: DatabaseStorage) -> None:
    cache = start("varnish", 0, _AGE)
    assert cache.status(PUBLIC) == 200
    storage.set_public("dir/é a.txt", public=False)
    let_it_become_too_old(_AGE)
    wait_until(lambda: cache.status(PUBLIC) == 404)
    assert [cache.status(PUBLIC) for _ in range(3)] == [404] * 3


def _nginx(directory: Path, port: int, changes: dict[str, str]) -> NginxServer:
    """Start the nginx of the page: with other addresses, without TLS, and nothing else changed."""
    ours = {
        "listen 443 ssl;": f"listen {LOOPBACK}:{free_port()};",
        "    ssl_certificate     /etc/ssl/cdn.pem;\n": "",
        "    ssl_certificate_key /etc/ssl/private/cdn.key;\n": "",
        "https://cloakroom.example.com/files/": f"http://{LOOPBACK}:{port}/files/",
        "    127.0.0.1 1;": f"    {changes.get('purger', LOOPBACK)} 1;",
        "/var/cache/nginx/files": "{directory}/cache",
        "/var/log/nginx": "{directory}",
        "        proxy_cache files;\n": f"        proxy_cache files;\n    {_TELLS_NGINX}",
    }
    http = _replaced(_NGINX.read_text(), ours)
    server = NginxServer(directory, "", http=http)
    server.port = int(ours["listen 443 ssl;"].strip(";").rpartition(":")[2])
    return server


def _nginx_by_the_manual(directory: Path, port: int, changes: dict[str, str]) -> NginxServer:
    zone = (
        f"proxy_cache_path {{directory}}/cache keys_zone=files:1m inactive={changes['inactive']};"
    )
    return NginxServer(directory, _BY_THE_MANUAL.format(port=port), http=zone)


def _varnish(directory: Path, port: int, changes: dict[str, str]) -> VarnishServer:
    text = _VCL.read_text()
    assert '    .port = "8000";\n' in text
    ours = {
        '    "127.0.0.1";\n}': f'    "{changes.get("purger", LOOPBACK)}";\n}}',
        "beresp.grace = 10s": f"beresp.grace = {changes.get('grace', '10s')}",
    }
    # The backend is the server's own.
    rules = _replaced(text[text.index("# The machines") :], ours)
    return VarnishServer(directory, backend_port=port, vcl=rules + _TELLS_VARNISH)


def _replaced(text: str, changes: dict[str, str]) -> str:
    for written, ours in changes.items():
        assert written in text, written
        text = text.replace(written, ours)
    return text


_FRONTS: dict[str, Callable[[Path, int, dict[str, str]], NginxServer | VarnishServer]] = {
    "nginx": _nginx,
    "manual": _nginx_by_the_manual,
    "varnish": _varnish,
}
