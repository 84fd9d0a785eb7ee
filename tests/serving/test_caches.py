"""Shared caches in front: nginx and Varnish, as people set them up."""

import time
from collections.abc import Callable, Iterator

import pytest
from django.core.files.storage import storages

from tests.conftest import StartWebServer
from tests.servers import places
from tests.servers.nginx import NginxServer
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.servers.varnish import VarnishServer
from tests.support.http_client import fetch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

#: Asks a site behind a cache, and returns the status and whether the cache had the answer.
Ask = Callable[[str], tuple[int, str]]

_ZONE = "proxy_cache_path {directory}/cache keys_zone=files:1m;"

#: An old entry is sent while a new one is fetched in the background.
_LOCATION = """
location / {{
    proxy_pass http://127.0.0.1:{port};
    proxy_set_header Host $host;
    proxy_cache files;
    proxy_cache_key $request_uri;
    proxy_cache_use_stale updating error timeout;
    proxy_cache_background_update on;
    proxy_cache_lock on;
    add_header X-Cache $upstream_cache_status always;
}}
"""

#: Varnish refreshes in the background unless it is told otherwise.
_VCL = """
sub vcl_deliver {
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; }
}
"""


@pytest.fixture(params=["nginx", "varnish"])
def ask(request: pytest.FixtureRequest, web_server: StartWebServer) -> Iterator[Ask]:
    port = web_server("gunicorn", settings="tests.support.short_lived_settings").port
    try:
        front = _nginx(port) if request.param == "nginx" else _varnish(port)
    except Unavailable as reason:
        skip_or_fail(str(reason))

    def ask(target: str) -> tuple[int, str]:
        answer = fetch(front.port, target)
        return answer.head.status, answer.head["x-cache"]

    with front:
        yield ask


@pytest.mark.sweep
def test_a_cache_forgets_a_file_that_was_made_private(ask: Ask) -> None:
    storage = storages["default"]
    storage.save("a.txt", b"for all")
    storage.set_public("a.txt", public=True)
    assert ask("/files/a.txt") == (200, "MISS")
    assert ask("/files/a.txt") == (200, "HIT")
    storage.set_public("a.txt", public=False)
    time.sleep(1.1)  # Caches have no clock that a test could set.
    wait_until(lambda: ask("/files/a.txt")[0] == 404, timeout_seconds=10)
    assert [ask("/files/a.txt")[0] for _ in range(3)] == [404] * 3
    # It is for a second, and for nobody with a link.
    assert ask(storage.url("a.txt")) == (200, "MISS")
    assert ask(storage.url("a.txt")) == (200, "MISS")
    storage.set_public("a.txt", public=True)
    wait_until(lambda: ask("/files/a.txt")[0] == 200, timeout_seconds=10)
    assert [ask("/files/a.txt")[0] for _ in range(3)] == [200] * 3


def test_a_cache_keeps_nothing_else_that_is_refused(ask: Ask) -> None:
    storage = storages["default"]
    storage.save("a.txt", b"for some")
    for target in ("/files/a.txt?token=bad", "/files/a//b?token=bad"):
        assert [ask(target)[1] for _ in range(2)] == ["MISS", "MISS"]


def _nginx(port: int) -> NginxServer:
    return NginxServer(places.unused("nginx"), _LOCATION.format(port=port), http=_ZONE)


def _varnish(port: int) -> VarnishServer:
    return VarnishServer(places.unused("varnish"), backend_port=port, vcl=_VCL)
