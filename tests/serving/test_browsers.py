"""What a real browser does with files: it runs none, and saves each by its name."""

import unicodedata
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.core.files.storage import storages

from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.support.admin import PNG
from tests.support.chromium import chromium_beside_django
from tests.support.file_names import NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.django_db(transaction=True)

_RUN = b"(globalThis.top || globalThis).ran = 1; globalThis.ran = 1;"

#: Files that would run, or decide what runs, if the site were careless.
ACTIVE = {
    "a.js": _RUN,
    "worker.js": b"postMessage('ran')",
    "shared.js": b"onconnect = event => event.ports[0].postMessage('ran')",
    "worklet.js": b"registerProcessor('ran', class extends AudioWorkletProcessor {})",
    "a.css": b"body { color: rgb(1, 2, 3) }",
    "a.wasm": b"\0asm\1\0\0\0",
    "a.html": b"<i id=fetched>x</i><script>" + _RUN + b"</script>",
    "a.xml": b"<i id='fetched'>x</i>",
    "a.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>" + _RUN + b"</script></svg>",
    "a.webmanifest": b'{"name": "ran"}',
}

#: Ways to run a file, each with the file: scripts that return "ran" or something true if they can.
WAYS = {
    "a script": ("a.js", "await load(tag('script', {src: url}))"),
    "a module": ("a.js", "await load(tag('script', {src: url, type: 'module'}))"),
    "import()": ("a.js", "await import(url); return 'ran'"),
    "a style sheet": (
        "a.css",
        (
            "await load(tag('link', {rel: 'stylesheet', href: url}));"
            "return getComputedStyle(document.body).color == 'rgb(1, 2, 3)'"
        ),
    ),
    "a module of CSS": ("a.css", "await import(url, {with: {type: 'css'}}); return 'ran'"),
    "a worker": ("worker.js", "return await heard(new Worker(url))"),
    "a worker of modules": ("worker.js", "return await heard(new Worker(url, {type: 'module'}))"),
    "a shared worker": (
        "shared.js",
        (
            "const w = new SharedWorker(url); w.port.onerror = w.onerror;"
            "return await new Promise((ok, no) => {"
            "w.port.onmessage = e => ok(e.data); w.onerror = no})"
        ),
    ),
    "a service worker": ("a.js", "await navigator.serviceWorker.register(url); return 'ran'"),
    "a worklet": (
        "worklet.js",
        (
            "const context = new OfflineAudioContext(1, 128, 44100);"
            "await context.audioWorklet.addModule(url); return 'ran'"
        ),
    ),
    "WebAssembly": ("a.wasm", "await WebAssembly.instantiateStreaming(fetch(url)); return 'ran'"),
    "htmx": (
        "a.html",
        (
            "const answer = await fetch(url); if (!answer.ok) throw answer.status;"
            "document.body.innerHTML = await answer.text();"
            "return !!document.getElementById('fetched')"
        ),
    ),
    "a document by XMLHttpRequest": (
        "a.xml",
        (
            "const r = new XMLHttpRequest(); r.responseType = 'document'; r.open('GET', url);"
            "return await new Promise(ok => {"
            "r.onloadend = () => ok(!!(r.response && r.response.getElementById('fetched')));"
            "r.send()})"
        ),
    ),
    "an object": ("a.html", "await load(tag('object', {data: url}))"),
    "an embedded drawing": ("a.svg", "await load(tag('embed', {src: url}))"),
    "a frame": (
        "a.html",
        "tag('iframe', {src: url}); await new Promise(ok => setTimeout(ok, 400))",
    ),
}

_PAGE = """<!doctype html><body><script>
const tag = (name, attributes) =>
  document.body.appendChild(Object.assign(document.createElement(name), attributes));
const load = element => new Promise((ok, no) => {element.onload = ok; element.onerror = no});
const heard = worker => new Promise((ok, no) => {
  worker.onmessage = event => ok(event.data); worker.onerror = no});
</script>"""

#: What the strictest of usual sites says of its own scripts.
_SITE_POLICY = "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'"


@pytest.fixture(scope="module")
def browser(django_db_setup: None) -> Iterator["Browser"]:
    with chromium_beside_django() as browser:
        yield browser


@pytest.fixture
def site(web_server: StartWebServer) -> str:
    return web_server("gunicorn", settings="tests.support.serving_settings").url


@pytest.fixture
def storage() -> DatabaseStorage:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage


@pytest.fixture
def page(browser: "Browser", site: str) -> Iterator["Page"]:
    """Return a page of the site that serves the files, and that may run the site's scripts."""
    with browser.new_context() as context:
        context.set_default_timeout(20_000)
        page = context.new_page()
        headers = {"Content-Type": "text/html", "Content-Security-Policy": _SITE_POLICY}
        page.route(f"{site}/page", lambda route: route.fulfill(body=_PAGE, headers=headers))
        page.goto(f"{site}/page")
        yield page


@pytest.mark.sweep
@pytest.mark.parametrize("tells", [True, False], ids=["sec-fetch", "no-sec-fetch"])
def test_a_page_runs_no_stored_file(
    storage: DatabaseStorage, page: "Page", site: str, *, tells: bool
) -> None:
    for name, content in ACTIVE.items():
        storage.save(name, content)
    if not tells:
        page.context.route("**/files/**", partial(_without_sec_fetch, page))
    ran = {}
    for way, (name, script) in WAYS.items():
        if not tells and way == "htmx":
            continue  # Nothing tells such a request from that of a link.
        page.goto(f"{site}/page")
        ran[way] = page.evaluate(
            "async url => {"
            "const limit = new Promise(ok => setTimeout(ok, 1500));"
            f"const run = async () => {{{script}}};"
            "try { return await Promise.race([run(), limit]) || globalThis.ran }"
            " catch (error) { return globalThis.ran } }",
            storage.url(name),
        )
    assert {way for way, result in ran.items() if result} == set()


def _without_sec_fetch(page: "Page", route: "Route") -> None:
    """Ask as a browser does that has no Sec-Fetch-*."""
    route.fulfill(response=page.context.request.fetch(route.request.url))


def test_what_a_page_may_load_still_works(storage: DatabaseStorage, page: "Page") -> None:
    for name, content in {**ACTIVE, "a.png": PNG, "a.json": b"[1]", "page.html": b"page"}.items():
        storage.save(name, content)
    shown = "async url => { await load(tag('img', {src: url})); return true }"
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    storage.save("drawing.svg", drawing)
    for name in ("a.png", "drawing.svg"):
        assert page.evaluate(shown, storage.url(name))
    fetched = "async url => (await (await fetch(url)).json())[0]"
    assert page.evaluate(fetched, storage.url("a.json")) == 1
    for saving in (
        "url => tag('a', {href: url, download: ''}).click()",
        "url => tag('iframe', {src: url})",
    ):
        with page.expect_download() as download:
            page.evaluate(saving, storage.url("page.html"))
        assert download.value.suggested_filename == "page.html"


def test_a_download_has_the_name_that_is_stored_or_a_safe_one(
    storage: DatabaseStorage, page: "Page"
) -> None:
    wrong = {}
    for name in NAMES:
        storage.save(name, b"x")
        with page.expect_download() as download:
            page.evaluate("url => { location.href = url }", storage.url(name, attachment=True))
        if (saved := download.value.suggested_filename) != _safe(name):
            wrong[name] = saved
    assert wrong == {}


def _safe(name: str) -> str:
    """Return what Chromium makes of a name: it composes, and replaces what file systems refuse."""
    name = unicodedata.normalize("NFC", name)
    for char in '"\\*?<>|:':
        name = name.replace(char, "_")
    return name
