"""The admin and the example fit their windows, and axe finds nothing on any of their pages.

There are a thousand files in two storages, and names of 255 characters.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.axe import axe_script, faults_on
from tests.support.chromium import chromium
from tests.support.example import manage, running_demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.servers, pytest.mark.sweep]

LIST = "/admin/secure_dbstorage/storedfile/"

#: Width in pixels, scheme, and whether axe looks too: once in each scheme and at each width.
WINDOWS = [
    (1280, "light", True),
    (1280, "dark", False),
    (390, "light", False),
    (390, "dark", True),
]

#: Adds files to the demo's.
FILL = """
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import transaction
from library.demo import FOLDER
from secure_dbstorage.models import StoredFile
picture = (FOLDER / "weave.png").read_bytes()
names = ["x" * 251, "long name with words " * 11 + "and an end, at 255 c", "short"]
with transaction.atomic():
    for alias in ("default", "pictures"):
        for name in names:
            for suffix in (".png", ".docx"):
                storages[alias].save(name + suffix, ContentFile(picture))
    for name in names:
        for _ in range(2):
            deleted = storages["default"].save(f"gone/{name}.png", ContentFile(picture))
            storages["default"].delete(deleted)
    model = StoredFile.objects.filter(content_type="image/png").first()
    given = {field.attname: getattr(model, field.attname)
             for field in StoredFile._meta.concrete_fields if field.attname not in ("id", "data")}
    StoredFile.rows.bulk_create([
        StoredFile(**given | {"content": 10**9 + number, "name": f"many/{number:04}.png",
                              "size": 0, "data": b""})
        for number in range(1000)], batch_size=100)
print(StoredFile.objects.count())
"""


#: Drops two files on a page, as somebody does.
DROP = """() => {
    const dropped = new DataTransfer();
    for (const name of ["one.txt", "two.txt"]) dropped.items.add(new File([name], name));
    const event = { dataTransfer: dropped, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent("dragover", event));
    document.body.dispatchEvent(new DragEvent("drop", event));
}"""


@dataclass(frozen=True)
class Screen:
    """A browser window, and how to look at what it shows."""

    page: "Page"
    site: str
    script: str

    def look(self, name: str) -> None:
        """Look at the page as it is now, in each window."""
        for width, scheme, with_axe in WINDOWS:
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.wait_for_load_state()  # A page without its style sheets is wider.
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, name
            if with_axe:
                assert faults_on(self.page, self.script) == [], f"{name}, {width} pixels, {scheme}"
        self.page.set_viewport_size({"width": 1280, "height": 900})

    def open(self, name: str, path: str) -> None:
        """Open a page and look at it."""
        self.page.goto(self.site + path)
        assert self.page.url == self.site + path or name == "door"  # nobody has led us elsewhere
        self.look(name)

    def press(self, button: str) -> None:
        """Press a button, and wait for the page that it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).first.click()

    def open_file(self, name: str, look_at: str) -> str:
        """Open the page of a file by the beginning of its name; return its path."""
        self.page.goto(f"{self.site}{LIST}?q={name}")
        self.page.locator(".field-full_name a").first.click()
        self.page.get_by_role("heading", name="Details").wait_for()
        self.look(look_at)
        return self.page.url.removeprefix(self.site).partition("change/")[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("screens")
    for arguments in (["demo", "--no-serve"], ["shell", "-v", "0", "-c", FILL]):
        made = manage(folder, *arguments)
        assert made.returncode == 0, made.stderr
    assert int(made.stdout) > 1000
    with running_demo(folder) as demo:
        yield demo.address


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def screen(browser: "Browser", site: str) -> Iterator[Screen]:
    script = axe_script()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    yield Screen(context.new_page(), site, script)
    context.close()


@pytest.fixture
def keeper(screen: Screen) -> Screen:
    """Return a window in which the keeper is signed in."""
    screen.page.goto(f"{screen.site}/admin/login/?next=/admin/")
    screen.page.get_by_label("Username").fill("keeper")
    screen.page.get_by_label("Password").fill("nine-hundred-coats")
    screen.press("Log in")
    return screen


def test_that_axe_would_find_something(screen: Screen) -> None:
    screen.page.set_content("<html lang='en'><title>A</title><main><h1>A</h1><img src='/a.png'>")
    assert "image-alt" in faults_on(screen.page, screen.script)[0]


def test_the_example(screen: Screen) -> None:
    page = screen.page
    screen.open("door", "/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password", exact=True).fill("wrong")
    screen.press("Sign in")
    screen.look("door-wrong")
    screen.press("Enter as Ada")
    page.set_viewport_size({"width": 390, "height": 600})
    page.get_by_role("button", name="10 seconds").first.click()
    ticket = page.locator("article.ticket")
    ticket.wait_for()
    page.wait_for_function(
        """() => {
            const ticket = document.querySelector("article.ticket").getBoundingClientRect();
            return ticket.top >= 0 && ticket.bottom <= innerHeight;
        }"""
    )
    screen.look("room")
    ticket.get_by_text("Expired").wait_for()
    screen.look("room-expired")
    form = page.locator("#pictures form.upload")
    fake = {"name": "fake.png", "mimeType": "image/png", "buffer": b"not a picture"}
    form.locator("input[type=file]").set_input_files(fake)
    form.get_by_label("What does it show?").fill("Nothing")
    form.get_by_role("button", name="Hang picture").click()
    page.locator("#pictures .error").wait_for()
    screen.look("room-error")
    refused = page.locator("#others").get_by_role("link", name="Try to open").first
    answer = page.request.get(screen.site + refused.get_attribute("href"))
    invitation = page.get_by_role("link", name="this page").get_attribute("href")
    page.goto("about:blank")  # axe can't run in the sandbox of a refusal.
    page.set_content(answer.text())
    screen.look("refused")
    screen.open("send", invitation)
    long = {"name": "word " * 38 + ".txt", "mimeType": "text/plain", "buffer": b"words"}
    page.locator("input[type=file]").set_input_files(long)
    page.get_by_text("Uploaded", exact=True).wait_for()
    screen.look("send-chosen")
    page.get_by_role("button", name="Send files").click()
    page.get_by_text("was sent.").wait_for()
    screen.look("sent")
    screen.open("too-late", "/send/x/")


def test_the_lists_of_the_admin(keeper: Screen) -> None:
    keeper.open("list", LIST)
    last = keeper.page.locator(".field-added").first
    box, results = last.bounding_box(), keeper.page.locator(".results").bounding_box()
    assert box["x"] + box["width"] <= results["x"] + results["width"] + 1
    keeper.open("filtered", f"{LIST}?storage=pictures&visibility=public&type=image")
    keeper.open("found", f"{LIST}?q=many/&p=5")
    keeper.open("nothing", f"{LIST}?type=audio&size=empty")
    keeper.open("storages", f"{LIST}browse/")
    keeper.open("directory", f"{LIST}browse/default/")
    keeper.open("long-directory", f"{LIST}browse/pictures/")


def test_the_previews_of_files_in_the_admin(keeper: Screen) -> None:
    for name in ("grace/Logbook", "grace/Morning", "ada/Harmonograph", "ada/Weaving"):
        keeper.open_file(name, re.sub(r"\W", "-", name))
    keeper.open_file("long name", "words")


def test_the_questions_about_a_file_in_the_admin(keeper: Screen) -> None:
    path = keeper.open_file("x" * 200, "long")
    for which in ("history", "delete"):
        keeper.open(which, f"{path}{which}/")
    keeper.page.goto(f"{keeper.site}{path}change/")
    keeper.press("Create link")
    keeper.look("link")
    keeper.page.goto(f"{keeper.site}{path}change/")
    keeper.press("Make public")
    keeper.look("ask-public")
    keeper.page.goto(f"{keeper.site}{path}change/")
    keeper.page.get_by_label("New name").fill("../up")
    keeper.press("Rename")
    keeper.look("rename-error")
    keeper.open_file("ada/Loom", "table")
    keeper.page.get_by_label("New name").fill("ada/Other.csv")
    keeper.press("Rename")  # A document names it.
    keeper.look("ask-rename")


def test_uploads_and_questions_in_the_admin(keeper: Screen) -> None:
    page = keeper.page
    keeper.open("upload", f"{LIST}add/")
    page.evaluate(DROP)
    page.locator("[name=name]").fill("one name for two")
    keeper.press("Upload")
    keeper.look("upload-error")
    page.locator("[name=name]").fill("")
    page.get_by_label("Directory").fill("new")
    # They stay beside the error.
    assert page.locator(".dbstorage-name").all_inner_texts() == ["one.txt", "two.txt"]
    keeper.look("upload-kept")
    keeper.press("Upload")
    page.get_by_text("2 files were uploaded: “new/one.txt”, “new/two.txt”").wait_for()
    keeper.look("uploaded")
    for action, name in (
        ("Create links", "ask-links"),
        ("Delete", "ask-delete-many"),
    ):
        page.goto(keeper.site + LIST)
        page.get_by_role("checkbox", name="Select all").check()
        page.locator("select[name=action]").select_option(action)
        with page.expect_navigation():
            page.get_by_role("button", name=re.compile("Go|Run")).click()
        keeper.look(name)
        if action == "Create links":
            keeper.press("Create links")
            keeper.look("links")
    page.goto(f"{keeper.site}{LIST}?q=new/")
    page.get_by_role("checkbox", name="Select all").check()
    page.locator("select[name=action]").select_option("Delete")
    with page.expect_navigation():
        page.get_by_role("button", name=re.compile("Go|Run")).click()
    keeper.press("Yes, I’m sure")
    page.get_by_text("2 files were deleted.").wait_for()
    keeper.look("deleted")


def test_the_deleted_files_in_the_admin(keeper: Screen) -> None:
    page = keeper.page
    keeper.open("trashes", f"{LIST}trash/")
    keeper.open("empty-trash", f"{LIST}trash/pictures/")
    keeper.open("trash", f"{LIST}trash/default/?q=gone/")
    page.get_by_role("checkbox", name="Select “gone/x").first.check()
    page.get_by_role("checkbox", name="Select “gone/long").first.check()
    keeper.press("Erase for good")
    page.get_by_role("heading", name="Erase these files?").wait_for()
    keeper.look("ask-erase")
    keeper.press("Yes, I’m sure")
    page.get_by_text("2 files were erased for good.").wait_for()
    keeper.look("erased")
    for box in page.get_by_role("checkbox", name="Select “gone/short").all():
        box.check()
    keeper.press("Restore")
    page.get_by_text("gone/short.png: “gone/short.png” already exists.").wait_for()
    page.get_by_text("“gone/short.png” was restored.").wait_for()
    keeper.look("restored")
