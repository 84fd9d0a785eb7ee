"""A stored file is no part of a page that runs: what the type stops, and what is refused."""

from typing import Any

import pytest
from django.test import Client

from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.subresources import may_be_loaded
from tests.support.serving import Store, ask

pytestmark = pytest.mark.django_db

#: Where browsers say that what they ask for will run, or decide what runs.
RUNNING = (
    *("script", "style", "worker", "sharedworker", "serviceworker", "audioworklet"),
    *("paintworklet", "xslt", "manifest", "speculationrules"),
)

FILES = {
    "a.js": b"alert(1)",
    "a.mjs": b"alert(1)",
    "a.css": b"body { color: red }",
    "a.html": b"<script>alert(1)</script>",
    "a.xhtml": b"<html/>",
    "a.xml": b"<a/>",
    "a.xsl": b"<a/>",
    "a.rss": b"<rss/>",
    "a.wasm": b"\0asm",
    "a.webmanifest": b"{}",
}

HARMLESS = {
    "a.svg": "image/svg+xml",
    "a.json": "application/json",
    "a.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "a.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "a.m3u8": "application/vnd.apple.mpegurl",
    "a.vtt": "text/vtt; charset=utf-8",
    "a.csv": "text/csv; charset=utf-8",
    "a.png": "image/png",
}


def fetched(dest: str, mode: str = "no-cors") -> dict[str, Any]:
    return {"headers": {"Sec-Fetch-Dest": dest, "Sec-Fetch-Mode": mode}}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("public", [True, False])
def test_what_would_run_goes_out_as_bytes(
    store: Store, client: Client, name: str, *, public: bool
) -> None:
    storage = store()
    storage.save(name, FILES[name])
    storage.set_public(name, public)
    answer = client.get(storage.url(name))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert storage.stat(name).content_type != "application/octet-stream"


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not_run_keeps_its_type(store: Store, client: Client, name: str) -> None:
    storage = store()
    storage.save(name, b"x")
    assert client.get(storage.url(name))["Content-Type"] == HARMLESS[name]


@pytest.mark.parametrize("dest", RUNNING)
@pytest.mark.parametrize("name", ["public.txt", "private.txt"])
def test_a_request_for_what_runs_is_refused_whatever_the_type(
    store: Store, client: Client, name: str, dest: str
) -> None:
    storage = store()
    answer = client.get(storage.url(name), **fetched(dest))
    assert answer.status_code == 403
    assert "part of a page" in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("dest", ["object", "embed"])
def test_only_what_a_browser_may_show_is_embedded(store: Store, client: Client, dest: str) -> None:
    storage = store()
    for name in ("a.png", "a.html", "a.svg"):
        storage.save(name, b"x")
    assert ask(client, storage.url("a.png"), **fetched(dest))[0] == 200
    assert ask(client, storage.url("a.png", attachment=True), **fetched(dest))[0] == 403
    assert ask(client, storage.url("a.html"), **fetched(dest, "navigate"))[0] == 403
    assert ask(client, storage.url("a.svg"), **fetched(dest, "navigate"))[0] == 403


@pytest.mark.parametrize("name", ["a.html", "a.xhtml"])
def test_a_script_gets_no_page_and_a_download_does(
    store: Store, client: Client, name: str
) -> None:
    storage = store()
    storage.save(name, FILES[name])
    url = storage.url(name)
    for mode in ("cors", "no-cors", "same-origin", ""):
        assert client.get(url, **fetched("empty", mode)).status_code == 403
    assert client.get(url, **fetched("empty", "navigate")).status_code == 200  # <a download>
    assert client.get(url, **fetched("iframe", "navigate")).status_code == 200  # hidden iframes
    assert client.get(url, **fetched("document", "navigate")).status_code == 200
    assert client.get(url).status_code == 200


@pytest.mark.parametrize(
    ("dest", "mode"),
    [
        *(("image", mode) for mode in ("no-cors", "same-origin")),
        *((dest, "cors") for dest in ("empty", "font", "track", "video", "audio", "json")),
        *((dest, "navigate") for dest in ("document", "iframe", "frame", "empty")),
    ],
)
def test_pictures_films_downloads_and_data_are_not_refused(dest: str, mode: str) -> None:
    meta = {"HTTP_SEC_FETCH_DEST": dest, "HTTP_SEC_FETCH_MODE": mode}
    for content_type in ("image/svg+xml", "application/json", "video/mp4", "font/woff2"):
        assert may_be_loaded(meta, content_type, inline=False)


def test_a_refusal_uses_nothing_up(store: Store, client: Client) -> None:
    storage = store()
    storage.save("a.html", b"page")
    url = storage.url("a.html", uses=1)
    for more in (fetched("script"), fetched("object"), fetched("empty", "cors")):
        assert ask(client, url, **more)[0] == 403
    assert not StoredFile.rows.use_marks().exists()
    assert ask(client, url) == (200, b"page")


def test_a_refusal_says_nothing_to_who_has_no_good_link(store: Store, client: Client) -> None:
    storage = store(auth_hooks=[lambda *_: False])
    storage.save("a.html", b"page")
    asked = fetched("empty", "cors")
    answers = [client.get(f"/files/{name}", **asked) for name in ("a.html", "none.html")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert "another account" in client.get(storage.url("a.html"), **asked).content.decode()
    bad = client.get("/files/a.html?token=bad", **fetched("script"))
    assert "link doesn’t work" in bad.content.decode()


def test_a_304_brings_no_type_back(store: Store, client: Client) -> None:
    storage = store()
    storage.save("a.js", b"alert(1)")
    url = storage.url("a.js")
    answer = client.get(url, headers={"If-None-Match": client.get(url)["ETag"]})
    assert answer.status_code == 304
    assert not answer.has_header("Content-Type")
