"""Shared caches in front: nginx, as people set it up."""

import time
from collections.abc import Callable

import pytest
from django.core.files.storage import storages

from tests.conftest import StartWebServer
from tests.servers.nginx import NginxServer
from tests.support.http_client import fetch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

StartNginx = Callable[..., NginxServer]

_ZONE = "proxy_cache_path {directory}/cache keys_zone=files:1m;"

#: An old entry is sent while a new one is fetched in the background.
_LOCATION = """
location / {{
    proxy_pass http://127.0.0.1:{port};
    proxy_set_header Host $host;
    proxy_cache files;
    proxy_cache_key {key};
    proxy_cache_use_stale updating error timeout;
    proxy_cache_background_update on;
    proxy_cache_lock on;
    add_header X-Cache $upstream_cache_status always;
}}
"""


@pytest.fixture
def ask(web_server: StartWebServer, nginx: StartNginx) -> Callable[[str], tuple[int, str]]:
    """Return a function that asks a site behind a cache, and returns status and X-Cache."""
    settings = "tests.support.short_lived_settings"
    port = web_server("gunicorn", settings=settings).port
    cache = nginx(_LOCATION.format(port=port, key="$request_uri"), http=_ZONE)

    def ask(target: str) -> tuple[int, str]:
        answer = fetch(cache.port, target)
        return answer.head.status, answer.head["x-cache"]

    return ask


def test_nginx_forgets_a_file_that_was_made_private(ask: Callable[[str], tuple[int, str]]) -> None:
    storage = storages["default"]
    storage.save("a.txt", b"for all")
    storage.set_public("a.txt", public=True)
    assert ask("/files/a.txt") == (200, "MISS")
    assert ask("/files/a.txt") == (200, "HIT")
    storage.set_public("a.txt", public=False)
    time.sleep(1.1)  # nginx has no clock that a test could set.
    wait_until(lambda: ask("/files/a.txt")[0] == 404, timeout_seconds=10)
    assert [ask("/files/a.txt")[0] for _ in range(3)] == [404] * 3
    # It is for a second, and for nobody with a link.
    assert ask(storage.url("a.txt")) == (200, "MISS")
    assert ask(storage.url("a.txt")) == (200, "MISS")
    storage.set_public("a.txt", public=True)
    wait_until(lambda: ask("/files/a.txt")[0] == 200, timeout_seconds=10)
    assert [ask("/files/a.txt")[0] for _ in range(3)] == [200] * 3


def test_nginx_keeps_nothing_else_that_is_refused(ask: Callable[[str], tuple[int, str]]) -> None:
    storage = storages["default"]
    storage.save("a.txt", b"for some")
    for target in ("/files/a.txt?token=bad", "/files/a//b?token=bad"):
        assert [ask(target)[1] for _ in range(2)] == ["MISS", "MISS"]
