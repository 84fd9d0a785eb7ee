"""A browser shows each type that it may, in a tab and on pages, also those of another site."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from secure_dbstorage.parsers.media_types import INLINE_TYPES
from secure_dbstorage.storage import DatabaseStorage
from tests.clients.contents import document
from tests.conftest import StartWebServer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sweep]

#: Shows pictures, and plays films and songs from their middle; returns what it could not.
_SHOW = """
async urls => {
  const until = (element, good) => new Promise(
    ok => { element[good] = () => ok(true); element.onerror = () => ok(false) });
  const show = async ([name, url]) => {
    const kind = /png|jpg|gif|webp|bmp|ico|avif|pdf|txt/.test(name) ? 'img' : 'video';
    const element = document.body.appendChild(document.createElement(kind));
    if (kind === 'img') {
      element.src = url;
      return await until(element, 'onload') && element.naturalWidth > 0;
    }
    element.preload = 'auto';
    element.src = url;
    if (!await until(element, 'oncanplay')) return false;
    element.currentTime = 1.5;
    return await until(element, 'onseeked') && element.currentTime === 1.5;
  };
  const shown = await Promise.all(
    Object.entries(urls).map(async each => [each[0], await show(each)]));
  return shown.filter(([, was]) => !was).map(([name]) => name);
}"""

_FRAME = "src => document.body.append(Object.assign(document.createElement('iframe'), {src}))"

#: What is seen of a document, in a tab or in a frame. Some may run no script, so it is asked for.
_SEEN = """
() => document.images[0]?.naturalWidth > 0
  || document.querySelector('video, audio')?.readyState === 4
  || document.body?.innerText === 'plain'
"""

#: What no element shows but a frame.
_DOCUMENTS = ("a.pdf", "a.txt")

#: One for each policy.
_FRAMED = ("a.png", "a.mp4", "a.txt", "a.pdf")


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


@pytest.fixture
def port(web_server: StartWebServer) -> int:
    return web_server("gunicorn", settings="tests.clients.settings").port


@pytest.fixture
def shown(media: dict[str, bytes], storage: DatabaseStorage) -> list[str]:
    """Save a file of each type that a browser shows, and return the names."""
    files = {**media, "a.pdf": document(), "a.txt": b"plain"}
    files = {name: content for name, content in files.items() if name.startswith("a.")}
    for name, content in files.items():
        storage.save(name, content)
    types = {storage.stat(name).content_type for name in files}
    assert types == INLINE_TYPES
    return list(files)


def test_each_type_is_shown_in_a_tab(
    page: "Page", port: int, shown: list[str], storage: DatabaseStorage
) -> None:
    shown.remove("a.mov")  # Chromium plays it, but not in a tab.
    for url in storage.urls(shown).values():
        page.goto(f"http://127.0.0.1:{port}{url}")
        _wait_until_seen(page, lambda: page.main_frame)


def test_each_type_is_shown_on_pages_of_its_site_and_of_another(
    page: "Page", port: int, shown: list[str], storage: DatabaseStorage
) -> None:
    there = f"http://127.0.0.1:{port}"
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"http://{host}:{port}/page/")
        # For a player or a picture, one use is enough.
        urls = {name: there + storage.url(name, uses=1) for name in shown}
        assert page.evaluate(_SHOW, urls) == list(_DOCUMENTS)
        for name in _FRAMED:
            page.evaluate(_FRAME, there + storage.url(name))
            _wait_until_seen(page, lambda: page.main_frame.child_frames[-1])


def _wait_until_seen(page: "Page", frame: Callable[[], "Frame"]) -> None:
    wait_until(lambda: _is_seen(page, frame()), timeout_seconds=60)


def _is_seen(page: "Page", frame: "Frame") -> bool:
    """Tell whether a frame shows a picture, a player that is ready, our text, or a PDF."""
    page.evaluate("0")  # Lets playwright hear of new frames.
    is_viewer = any(inner.url.startswith("chrome-extension:") for inner in frame.child_frames)
    return is_viewer or bool(frame.evaluate(_SEEN))
