"""Clients in JavaScript: tus-js-client in node, and Uppy in Chromium, beside kills."""

import hashlib
import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from django.core.files.storage import storages

from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.servers import npm
from tests.servers.process import LOOPBACK
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail
from tests.servers.web import WebServer
from tests.support.chromium import chromium_beside_django
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1024**2
CONTENT = random.Random(3).randbytes(8 * MIB + 7)
SHA256 = hashlib.sha256(CONTENT).hexdigest()

#: Sends a file, and writes how far it is after each piece.
_NODE = """
const fs = require("fs"), tus = require("tus-js-client");
const [endpoint, path, memory] = process.argv.slice(1);
const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint, chunkSize: 2 ** 20, metadata: {filename: "node.bin"},
  urlStorage: new tus.FileUrlStorage(memory), fingerprint: async () => "a file",
  retryDelays: Array(600).fill(100),
  onChunkComplete: (length, offset) => console.log(JSON.stringify([offset - length, offset])),
  onError: (error) => { console.error(error); process.exit(1); },
});
upload.findPreviousUploads().then(([previous]) => {
  if (previous) upload.resumeFromPreviousUpload(previous);
  upload.start();
});
"""

_UPPY = """<!doctype html><title>Uppy</title><input type="file"><p></p>
<script src="/uppy.js"></script><script>
const shown = document.querySelector("p");
const uppy = new Uppy.Uppy({autoProceed: true})
  .use(Uppy.Tus, {endpoint: "%s", chunkSize: 2 ** 20})
  .on("upload-success", () => { shown.textContent = "done"; });
document.querySelector("input").onchange = ({target: {files: [file]}}) =>
  uppy.addFile({name: file.name, type: file.type, data: file});
</script>"""


def ours() -> DatabaseStorage:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage


@pytest.fixture
def server(web_server: StartWebServer) -> WebServer:
    return web_server("gunicorn")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (path := tmp_path / "sent.bin").write_bytes(CONTENT)
    return path


def test_tus_js_client_goes_on_after_kills_of_client_and_server(
    web_server: StartWebServer, server: WebServer, file: Path
) -> None:
    endpoint = server.url + ours().upload_url("node.bin", max_size=len(CONTENT))
    with node(endpoint, file) as (client, output):
        first = pieces_until(output, len(CONTENT) // 4)
        client.kill()
    with node(endpoint, file) as (client, output):
        second = pieces_until(output, len(CONTENT) // 2)
        server.kill()
        web_server("gunicorn", options=("--bind", f"{LOOPBACK}:{server.port}"))
        second += pieces_until(output, len(CONTENT))
        assert client.wait(60) == 0
    assert second[0][0] >= first[-1][1] > 0
    assert ours().stat("node.bin").sha256 == SHA256
    assert sum(end - start for start, end in first + second) - len(CONTENT) <= MIB


@contextmanager
def node(endpoint: str, file: Path) -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """Start tus-js-client, and give it with what it prints."""
    try:
        program = find_program("node", package="nodejs")
        packages = npm.install("tus-js-client@4.3.1")
    except Unavailable as reason:
        skip_or_fail(str(reason))
    client = subprocess.Popen(
        [program, "-e", _NODE, endpoint, file, file.with_name("memory")],
        env=os.environ | {"NODE_PATH": str(packages)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout
        yield client, client.stdout
    finally:
        client.kill()
        client.wait()
        client.stdout.close()


def pieces_until(output: IO[str], offset: int) -> list[tuple[int, int]]:
    """Return where each piece began and ended, up to the one that reaches an offset."""
    pieces: list[tuple[int, int]] = []
    while not pieces or pieces[-1][1] < offset:
        line = output.readline()
        assert line, "The client has ended."
        start, end = json.loads(line)
        pieces.append((start, end))
    return pieces


@pytest.fixture(scope="module")
def browser(django_db_setup: None) -> Iterator["Browser"]:
    with chromium_beside_django() as browser:
        yield browser


@pytest.fixture(scope="module")
def uppy() -> Path:
    try:
        return npm.unpack("uppy@6.0.1") / "dist" / "uppy.min.js"
    except Unavailable as reason:
        skip_or_fail(str(reason))


def test_uppy_goes_on_after_its_tab_was_closed(
    browser: "Browser", server: WebServer, file: Path, uppy: Path
) -> None:
    endpoint = ours().upload_url(prefix="uppy", max_size=len(CONTENT))
    asked: list[tuple[str, int]] = []
    limits = [5 * MIB]

    def watch(route: "Route") -> None:
        offset = int(route.request.headers.get("upload-offset", "0"))
        asked.append((route.request.method, offset))
        if offset < limits[0]:  # From there on a request hangs, as in a tunnel.
            route.continue_()

    def opened() -> "Page":
        page = context.new_page()
        page.route(f"{server.url}/page", lambda route: route.fulfill(body=html, headers=kind))
        page.route(f"{server.url}/uppy.js", lambda route: route.fulfill(path=uppy))
        page.route(re.compile(r"/uppy/\?token="), watch)
        page.goto(f"{server.url}/page")
        page.locator("input").set_input_files(file)
        return page

    html, kind = _UPPY % endpoint, {"Content-Type": "text/html"}
    with browser.new_context() as context:
        page = opened()
        wait_until(lambda: bool(page.title()) and asked[-1:] == [("PATCH", 5 * MIB)])
        page.close()
        limits[0], before = len(CONTENT), len(asked)
        page = opened()
        page.get_by_text("done").wait_for(timeout=60_000)
    (first, _), (second, offset) = asked[before : before + 2]
    assert (first, second) == ("HEAD", "PATCH")
    assert offset >= 5 * MIB  # Of the request that hung, Chromium may have sent something.
    assert ours().stat("uppy/sent.bin").sha256 == SHA256
