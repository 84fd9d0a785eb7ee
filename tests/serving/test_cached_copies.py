"""The lines for nginx in the page about going live keep public files, and nothing else."""

from collections.abc import Callable

import pytest
from django.core.files.storage import storages

from tests.conftest import StartWebServer
from tests.servers.nginx import NginxServer
from tests.support.http_client import fetch
from tests.support.pages import DEPLOY, blocks, section
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

_ZONE = "proxy_cache_path {directory}/cache keys_zone=files:1m;"


def test_the_lines_of_the_page_keep_public_files_alone(
    web_server: StartWebServer, nginx: Callable[..., NginxServer]
) -> None:
    settings = "tests.support.short_lived_settings"
    port = web_server("gunicorn", settings=settings).port
    (lines,) = blocks(section(DEPLOY, "Public files"), "nginx")
    lines = lines.replace("127.0.0.1:8000", f"127.0.0.1:{port}").rstrip()
    told = "add_header X-Cache $upstream_cache_status always;"
    cache = nginx(f"{lines.removesuffix('}')}{told}\n}}", http=_ZONE)

    def ask(target: str) -> tuple[int, str]:
        answer = fetch(cache.port, target)
        return answer.head.status, answer.head["x-cache"]

    storage = storages["default"]
    for name in ("public.txt", "private.txt"):
        storage.save(name, b"content")
    storage.set_public("public.txt", public=True)
    # Kept for a second, which may just have ended: so it is asked for until it is answered.
    wait_until(lambda: ask("/files/public.txt") == (200, "HIT"))
    wait_until(lambda: ask("/files/private.txt") == (404, "HIT"))
    link = storage.url("private.txt")
    assert [ask(link) for _ in range(2)] == [(200, "BYPASS")] * 2
    wait_until(lambda: ask("/files/private.txt") == (404, "HIT"))
