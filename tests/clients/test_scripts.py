"""Scripts of pages read files: those of another site where they may, and htmx runs none."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secure_dbstorage.storage import DatabaseStorage
from tests.clients.contents import CARELESS, document
from tests.clients.settings import LIBRARIES
from tests.conftest import StartWebServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sweep]

#: Reads the size of the last page, and draws it.
_PDF = """
async url => {
  const pdf = await import('/libraries/pdfjs-dist/build/pdf.min.mjs');
  pdf.GlobalWorkerOptions.workerSrc = '/libraries/pdfjs-dist/build/pdf.worker.min.mjs';
  const read = await pdf.getDocument(
    {url, disableAutoFetch: true, disableStream: true, rangeChunkSize: 32768}).promise;
  const page = await read.getPage(read.numPages);
  const viewport = page.getViewport({scale: 1});
  const canvas = Object.assign(
    document.createElement('canvas'), {width: viewport.width, height: viewport.height});
  await page.render({canvas, viewport}).promise;
  const [red] = canvas.getContext('2d').getImageData(350, 350, 1, 1).data;
  return [read.numPages, red > 0 && red < 255];
}"""

#: Plays a playlist from its middle.
_HLS = """
async url => {
  await load('/libraries/hls.js/dist/hls.min.js');
  const film = document.body.appendChild(document.createElement('video'));
  const player = new Hls();
  const until = (event, failed) => new Promise((ok, no) => {
    film.addEventListener(event, ok, {once: true}); player.on(Hls.Events.ERROR, no)});
  player.loadSource(url);
  player.attachMedia(film);
  await until('canplay');
  film.currentTime = 2.2;
  await until('seeked');
  return [film.duration > 2.5, film.currentTime];
}"""

_FONT = """
async url => {
  const font = await new FontFace('Ours', `url(${url})`).load();
  document.fonts.add(font);
  return document.fonts.check('12px Ours');
}"""

_LOAD = """
globalThis.load = src => new Promise((onload, onerror) => document.head.append(
  Object.assign(document.createElement('script'), {src, onload, onerror})));
"""


@pytest.fixture
def port(web_server: StartWebServer, libraries: str) -> int:
    env = {LIBRARIES: libraries}
    return web_server("gunicorn", settings="tests.clients.settings", env=env).port


@pytest.fixture
def page(browser: "Browser", port: int) -> Iterator["Page"]:
    """Return a page of another site than that of the files."""
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        context.add_init_script(_LOAD)
        page = context.new_page()
        page.goto(f"http://localhost:{port}/page/")
        yield page


def test_pages_of_another_site_read_what_their_scripts_may(
    page: "Page", port: int, media: dict[str, bytes], storage: DatabaseStorage, libraries: str
) -> None:
    site = f"http://127.0.0.1:{port}"
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status))

    storage.save("a.pdf", document())
    for terms in ({}, {"uses": 1}):
        statuses.clear()
        assert page.evaluate(_PDF, site + storage.url("a.pdf", **terms)) == [2, True]
        assert statuses.count(206) > 2  # It read the parts that it needed.

    for name, content in media.items():
        if name.endswith((".m3u8", ".ts")):
            storage.save(f"films/7/{name}", content)
    playlist = site + storage.folder_url("films/7") + "index.m3u8"
    assert page.evaluate(_HLS, playlist) == [True, 2.2]

    font = Path(libraries, "pdfjs-dist/standard_fonts/LiberationSans-Regular.ttf")
    storage.save("a.ttf", font.read_bytes())
    assert page.evaluate(_FONT, site + storage.url("a.ttf"))
    assert max(statuses) < 400


_SWAP = """
async ([library, url]) => {
  await load(`/libraries/${library}/dist/htmx.min.js`);
  document.body.innerHTML = `<div hx-get="${url}" hx-trigger="load" hx-swap="innerHTML"></div>`;
  htmx.process(document.body);
}"""


def test_htmx_runs_no_file(page: "Page", port: int, storage: DatabaseStorage) -> None:
    storage.save("pages/a.html", CARELESS.encode())
    for library in ("htmx2", "htmx4"):
        # A view of the site's own shows that there is something to stop.
        assert _swap(page, port, library, "/careless/") == (200, True)
        for url in (storage.url("pages/a.html"), storage.folder_url("pages") + "a.html"):
            assert _swap(page, port, library, url) == (403, False)


def _swap(page: "Page", port: int, library: str, url: str) -> tuple[int, bool]:
    """Let htmx put a part into a page, and return the status and whether it ran."""
    page.goto(f"http://127.0.0.1:{port}/page/")
    with page.expect_response(lambda answer: answer.url.endswith(url)) as answer:
        page.evaluate(_SWAP, [library, url])
    page.wait_for_load_state("networkidle")
    return answer.value.status, bool(page.evaluate("globalThis.ran"))
