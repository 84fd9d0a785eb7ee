"""The widget in Chromium: what it sends, what it keeps, and what people see of it."""

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.test import Client

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.servers.process import LOOPBACK
from tests.servers.web import WebServer
from tests.support.axe import axe_script, faults_on
from tests.support.chromium import chromium_beside_django
from tests.support.waiting import wait_until
from tests.testapp.models import Book

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sweep]

MIB = 1024**2
PIECE = 4 * MIB

#: Notes what is sent, and asks before each piece whether to go on: it hangs if not. Pieces grow on
#: a fast network; by this clock, each is.
_WATCH = """
performance.now = () => 0;
const send = window.fetch;
window.fetch = async (url, options) => {
  if (options.method === "PATCH") {
    const offset = options.headers["Upload-Offset"], signal = options.signal;
    const hang = (_, no) => {
      if (signal.aborted) no(signal.reason);  // As fetch does: it came while Python was asked.
      signal.addEventListener("abort", () => no(signal.reason));
    };
    if (!await window.maySend(offset, options.body.byteLength)) await new Promise(hang);
  }
  return send(url, options);
};
"""


#: Drops a file somewhere on the page.
_DROP = """(name) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File(["x"], name));
  const event = { dataTransfer: dropped, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent("drop", event));
}"""


def ours() -> DatabaseStorage:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage


def digests() -> list[str]:
    """Return the digests of the texts of all books."""
    names = Book.objects.order_by("pk").values_list("text", flat=True)
    return [ours().stat(name).sha256 for name in names]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Visitor:
    """Somebody with a browser."""

    context: "BrowserContext"
    url: str
    #: Called with the offset of each piece before it is sent; False makes it hang.
    may_send: Callable[[int], bool] = lambda offset: True
    #: Offset and length of each piece that was sent.
    sent: list[tuple[int, int]] = field(default_factory=list)
    #: What went wrong in a page.
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> "Page":
        """Return a new tab at a page."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._hear)
        page.expose_function("maySend", self._ask)
        page.add_init_script(_WATCH)
        page.goto(f"{self.url}/{path}")
        return page

    def _ask(self, offset: int, length: int) -> bool:
        if not self.may_send(offset):
            return False
        self.sent.append((offset, length))
        return True

    def _hear(self, message: Any) -> None:
        # What axe does has no address.
        if "Content Security Policy" in message.text and message.location["url"]:
            self.problems.append(message.text)


@pytest.fixture(scope="module")
def browser(django_db_setup: None) -> Iterator["Browser"]:
    with chromium_beside_django() as browser:
        yield browser


@pytest.fixture
def server(web_server: StartWebServer) -> WebServer:
    return web_server("gunicorn", settings="tests.forms.settings")


@pytest.fixture
def visitor(browser: "Browser", server: WebServer) -> Iterator[Visitor]:
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        visitor = Visitor(context, server.url)
        yield visitor
        assert visitor.problems == []


def row(page: "Page", name: str) -> "Locator":
    """Return what is shown of a file."""
    return page.locator("dbstorage-upload .dbstorage-file", has_text=name)


def wait_for(page: "Page", name: str, text: str) -> None:
    row(page, name).get_by_text(text).wait_for()


def save(page: "Page") -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved by button").wait_for()


@pytest.mark.cluster
def test_a_large_file_survives_a_killed_server_and_a_closed_tab(
    web_server: StartWebServer, server: WebServer, visitor: Visitor, tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(20 * MIB + 7)
    (file := tmp_path / "large.bin").write_bytes(data)

    def kill_at_a_quarter(offset: int) -> bool:
        if offset >= len(data) // 4:
            server.kill()
        return True

    visitor.may_send = kill_at_a_quarter
    page = visitor.open("book/")
    page.get_by_label("Text").set_input_files(file)
    wait_for(page, "large.bin", "Interrupted")
    visitor.may_send = lambda offset: offset < len(data) // 2
    same = ("--bind", f"{LOOPBACK}:{server.port}")
    web_server("gunicorn", settings="tests.forms.settings", options=same)
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_until(lambda: _moved(page) >= 0.5)
    page.close()

    visitor.may_send = lambda offset: True
    page = visitor.open("book/")
    page.get_by_label("Title").fill("Large")
    page.get_by_label("Text").set_input_files(file)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved by button").wait_for()  # The form has waited for the upload.
    assert digests() == [sha256(data)]
    assert StoredFile.rows.unfinished().count() == 0
    assert sum(length for _, length in visitor.sent) - len(data) <= PIECE
    assert max(length for _, length in visitor.sent) == PIECE


def _moved(page: "Page") -> float:
    return float(page.evaluate("document.querySelector('dbstorage-upload progress').value"))


def test_what_people_do_with_a_file(visitor: Visitor, tmp_path: Path) -> None:
    """One server for all of it: a start takes longer than the rest."""
    _it_stays_beside_an_error_elsewhere(visitor)
    _it_works_in_a_paragraph(visitor)
    _it_is_paused_removed_and_replaced(visitor, tmp_path)
    _an_upload_that_is_gone_begins_again(visitor)
    _it_heeds_a_full_server_and_a_narrow_proxy(visitor, tmp_path)
    _it_is_dropped(visitor, tmp_path)
    _one_of_several_is_refused(visitor, tmp_path)
    _added_forms_have_their_own(visitor)
    _the_admin_takes_it(visitor)
    _the_admins_own_page_sends_it_to_the_chosen_storage(visitor, tmp_path)


def text(name: str, data: bytes) -> Any:
    return {"name": name, "mimeType": "text/plain", "buffer": data}


def _it_stays_beside_an_error_elsewhere(visitor: Visitor) -> None:
    page = visitor.open("book/")
    page.get_by_label("Title").fill("bad")
    page.get_by_label("Text").set_input_files(text("<i>a.txt", b"stays"))
    wait_for(page, "<i>a.txt", "Uploaded")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("That is a bad title").wait_for()
    wait_for(page, "<i>a.txt", "Uploaded")
    page.get_by_label("Text").set_input_files(text("b.txt", b"other"))
    page.get_by_label("Text").set_input_files(text("<i>a.txt", b"stays"))
    assert page.locator("dbstorage-upload .dbstorage-file").count() == 1
    page.get_by_label("Title").fill("good")
    save(page)
    assert digests() == [sha256(b"stays")]
    # The same file again is another upload.
    page.goto(f"{visitor.url}/book/")
    page.get_by_label("Title").fill("again")
    page.get_by_label("Text").set_input_files(text("<i>a.txt", b"stays"))
    save(page)
    assert digests() == [sha256(b"stays")] * 2
    page.close()


def _it_works_in_a_paragraph(visitor: Visitor) -> None:
    page = visitor.open("paragraph/")
    page.get_by_label("Title").fill("bad")
    page.get_by_label("Text").set_input_files(text("p.txt", b"in a paragraph"))
    wait_for(page, "p.txt", "Uploaded")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("That is a bad title").wait_for()
    wait_for(page, "p.txt", "Uploaded")
    page.get_by_label("Title").fill("good")
    save(page)
    assert digests()[-1] == sha256(b"in a paragraph")


def _it_is_paused_removed_and_replaced(visitor: Visitor, directory: Path) -> None:
    (large := directory / "large.bin").write_bytes(data := random.Random(2).randbytes(6 * MIB))
    visitor.may_send = lambda offset: offset == 0
    page = visitor.open("book/")
    page.get_by_label("Title").fill("x")
    page.get_by_label("Text").set_input_files(large)
    wait_until(lambda: _moved(page) > 0)
    page.get_by_role("button", name="Pause: large.bin").press("Enter")
    wait_for(page, "large.bin", "Paused")
    assert page.get_by_role("status").text_content() == "large.bin: Paused"
    page.get_by_role("button", name="Save").click()  # It goes on, and the form waits for it.
    page.locator("dbstorage-upload[data-holds]").wait_for()
    page.get_by_role("button", name="Pause: large.bin").press("Enter")
    page.locator("dbstorage-upload:not([data-holds])").wait_for()
    visitor.may_send, visitor.sent = lambda offset: True, []
    # On a slow network, pieces stay small.
    page.evaluate("(() => { let now = 0; performance.now = () => (now += 2000); })()")
    page.get_by_role("button", name="Resume: large.bin").press("Enter")
    wait_for(page, "large.bin", "Uploaded")
    assert visitor.sent == [(MIB, 2 * MIB), *((number * MIB, MIB) for number in (3, 4, 5))]
    before = StoredFile.rows.unfinished().count()
    page.get_by_label("Text").set_input_files(text("other.txt", b"other"))
    wait_for(page, "other.txt", "Uploaded")
    assert row(page, "large.bin").count() == 0
    wait_until(lambda: StoredFile.rows.unfinished().count() == before)
    page.get_by_role("button", name="Remove: other.txt").click()
    wait_until(lambda: StoredFile.rows.unfinished().count() == before - 1)
    assert page.evaluate("document.activeElement.type") == "file"
    page.get_by_label("Text").set_input_files(large)
    save(page)
    assert digests()[-1] == sha256(data)
    page.close()


def _an_upload_that_is_gone_begins_again(visitor: Visitor) -> None:
    page = visitor.open("book/")
    for number in range(2):  # What the page remembers of the first is of no use to the second.
        page.get_by_label("Text").set_input_files(text("gone.txt", b"gone"))
        wait_for(page, "gone.txt", "Uploaded")
        if number == 0:
            StoredFile.rows.unfinished().delete()
            page.reload()
    page.get_by_label("Title").fill("x")
    save(page)
    assert digests()[-1] == sha256(b"gone")
    page.close()


def _it_heeds_a_full_server_and_a_narrow_proxy(visitor: Visitor, directory: Path) -> None:
    (large := directory / "heeded.bin").write_bytes(data := random.Random(4).randbytes(5 * MIB))
    visitor.sent = []
    statuses = (423, 429, 503)
    refusals = iter([(413, {}), *[(status, {"Retry-After": "1"}) for status in statuses]])

    def refuse_some(route: "Route") -> None:
        offset = route.request.headers.get("upload-offset", "0")
        refusal = None if offset == "0" else next(refusals, None)
        if refusal is None:
            route.continue_()
        else:
            route.fulfill(status=refusal[0], headers=refusal[1])

    page = visitor.open("book/")
    page.route(re.compile(r"/~\?token="), refuse_some)
    page.get_by_label("Title").fill("x")
    page.get_by_label("Text").set_input_files(large)
    wait_for(page, "heeded.bin", "Uploaded")
    # Two MiB were too many for the proxy, so there is never more than one from then on.
    rest = [(number * MIB, MIB) for number in (1, 2, 3, 4)]
    assert visitor.sent == [(0, MIB), (MIB, 2 * MIB), *[(MIB, MIB)] * 3, *rest]
    save(page)
    assert digests()[-1] == sha256(data)
    page.close()


def _it_is_dropped(visitor: Visitor, directory: Path) -> None:
    (file := directory / "dropped.txt").write_bytes(b"dropped")
    page = visitor.open("book/")
    page.get_by_label("Title").fill("x")
    box = page.locator("dbstorage-upload").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"x": box["x"] + 5, "y": box["y"] + 5}
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})
    wait_for(page, "dropped.txt", "Uploaded")
    save(page)
    assert digests()[-1] == sha256(b"dropped")
    page.close()


def _one_of_several_is_refused(visitor: Visitor, directory: Path) -> None:
    (large := directory / "large.txt").write_bytes(bytes(2 * MIB + 1))
    (kind := directory / "a.exe").write_bytes(b"exe")
    names = ["one.txt", "two.txt"]
    for name in names:
        (directory / name).write_text(name)
    page = visitor.open("books/")
    files = [*(directory / name for name in names), large, kind, directory / names[0]]
    page.get_by_label("Texts").set_input_files(files)
    page.get_by_label("Texts").set_input_files(directory / names[0])
    wait_for(page, "large.txt", "The file is too large. The limit is 2.0 MB.")
    wait_for(page, "a.exe", "Files of this type are not accepted here.")
    for name in names:
        wait_for(page, name, "Uploaded")
    assert page.locator("dbstorage-upload .dbstorage-file").count() == 4
    save(page)
    assert digests()[-2:] == [sha256(name.encode()) for name in names]
    page.close()


def _added_forms_have_their_own(visitor: Visitor) -> None:
    page = visitor.open("formset/")
    page.evaluate("""() => {
      const first = document.getElementById("id_form-0-text").closest("dbstorage-upload");
      const added = first.cloneNode(true);
      added.querySelector("input").name = "form-2-text";
      const title = Object.assign(document.createElement("input"), {name: "form-2-title"});
      document.querySelector("form").append(added, title);
      document.getElementById("id_form-TOTAL_FORMS").value = 3;
    }""")
    for number in range(3):
        page.locator(f"[name=form-{number}-title]").fill("x")
        chosen = text(f"{number}.txt", b"%d" % number)
        page.locator(f"[name=form-{number}-text]").set_input_files(chosen)
    save(page)
    assert sorted(digests()[-3:]) == sorted(sha256(b"%d" % number) for number in range(3))
    page.close()


def _the_admin_takes_it(visitor: Visitor) -> None:
    _sign_in(visitor)
    page = visitor.open("admin/testapp/book/add/")
    page.get_by_label("Text").set_input_files(text("admin.txt", b"admin"))
    wait_for(page, "admin.txt", "Uploaded")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was added successfully").wait_for()
    assert digests()[-1] == sha256(b"admin")
    page.get_by_label("Clear").check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("was changed successfully").wait_for()
    assert not Book.objects.latest("pk").text
    page.close()


def _the_admins_own_page_sends_it_to_the_chosen_storage(visitor: Visitor, directory: Path) -> None:
    (large := directory / "own.bin").write_bytes(data := random.Random(5).randbytes(6 * MIB))
    visitor.may_send = lambda offset: offset == 0
    page = visitor.open("admin/secure_dbstorage/storedfile/add/")
    page.get_by_label("Files").set_input_files([large, directory / "dropped.txt"])
    wait_for(page, "dropped.txt", "Uploaded")
    wait_until(lambda: _moved(page) > 0)
    page.close()  # In the middle of a file.
    visitor.may_send, visitor.sent = lambda offset: True, []
    page = visitor.open("admin/secure_dbstorage/storedfile/add/")
    page.get_by_label("Files").set_input_files(large)
    wait_for(page, "own.bin", "Uploaded")
    assert visitor.sent[0][0] == MIB
    page.evaluate(_DROP, "turned\u202efdp.exe")
    wait_for(page, "turned\\u202efdp.exe", "Uploaded")
    assert row(page, "turned").locator("bdi").count() == 1
    page.get_by_role("button", name="Remove: turned\\u202efdp.exe").click()
    page.get_by_label("Storage").select_option("invoices")  # All is sent once more, there.
    wait_for(page, "own.bin", "Uploaded")
    page.get_by_label("Directory").fill("sent")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_text("“sent/own.bin” was uploaded.").wait_for()
    stored = storages["invoices"]
    assert isinstance(stored, DatabaseStorage)
    assert stored.stat("sent/own.bin").sha256 == sha256(data)
    page.close()


def _sign_in(visitor: Visitor) -> None:
    (client := Client()).force_login(User.objects.create_superuser("ada"))
    session = client.cookies["sessionid"].value
    visitor.context.add_cookies([{"name": "sessionid", "value": session, "url": visitor.url}])


def test_without_a_script_the_form_brings_the_file(browser: "Browser", server: WebServer) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{server.url}/book/")
        page.get_by_label("Title").fill("x")
        page.get_by_label("Text").set_input_files(text("a.txt", b"plain"))
        assert page.locator("button").all_text_contents() == ["Save"]
        save(page)
    assert digests() == [sha256(b"plain")]


def test_axe_finds_nothing(visitor: Visitor) -> None:
    axe = axe_script()
    visitor.may_send = lambda offset: False
    page = visitor.open("books/")
    files = [text("a.txt", b"sent"), text("b.txt", b"paused"), text("c.exe", b"refused")]
    page.get_by_label("Texts").set_input_files(files)
    page.get_by_role("button", name="Pause: b.txt").click()
    wait_for(page, "c.exe", "Files of this type are not accepted here.")
    _check(page, axe)
    visitor.may_send = lambda offset: True
    page.get_by_role("button", name="Resume: b.txt").click()
    wait_for(page, "b.txt", "Uploaded")
    _check(page, axe)
    _sign_in(visitor)
    page.goto(f"{visitor.url}/admin/testapp/book/add/")
    page.get_by_label("Text").set_input_files(files[0])
    wait_for(page, "a.txt", "Uploaded")
    _check(page, axe)


def _check(page: "Page", axe: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert faults_on(page, axe) == [], scheme
