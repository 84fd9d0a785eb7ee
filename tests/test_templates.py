"""The page that a refused visitor sees."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template import Context, Engine
from django.test import RequestFactory

import secure_dbstorage
from secure_dbstorage.serving.refusals import REFUSED_TEMPLATE, Reason, Refused, refuse

SOURCE = Path(secure_dbstorage.__file__).parent / "templates" / REFUSED_TEMPLATE

#: Elements without an end tag.
VOID = {"meta", "br", "hr", "img", "input", "link", "base"}


class Page(HTMLParser):
    """The content of a page: its elements in order, its text, and whether all are closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text that is shown."""
        if data.strip() and self.open[-1] != "style":
            self.text.append(data.strip())


def rendered(title: str = "A title", text: str = "A text.") -> str:
    """Return the packaged page with this text."""
    template = Engine().from_string(SOURCE.read_text("utf-8"))
    context = {"title": title, "text": text, "status": 403, "reason": "used", "language": "en"}
    return str(template.render(Context(context)))


@pytest.fixture
def page() -> Page:
    """Return the packaged page."""
    return Page(rendered())


def test_the_page_says_its_title_and_its_text_and_nothing_else(page: Page) -> None:
    assert page.text == ["A title", "A title", "A text."]


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_the_page_names_its_language_and_fits_a_telephone(page: Page) -> None:
    elements = page.elements
    assert ("html", {"lang": "en"}) in elements
    assert ("meta", {"charset": "utf-8"}) in elements
    assert (
        "meta",
        {"name": "viewport", "content": "width=device-width, initial-scale=1"},
    ) in elements
    assert ("meta", {"name": "robots", "content": "noindex"}) in elements
    assert [tag for tag, _ in elements if tag in ("main", "h1")] == ["main", "h1"]


def test_the_page_needs_nothing_that_its_policy_forbids(page: Page) -> None:
    names = {tag for tag, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "base"}
    attributes = {name for _, given in page.elements for name in given}
    assert not {name for name in attributes if name.startswith("on")}
    assert not attributes & {"src", "href", "style"}
    assert "url(" not in SOURCE.read_text()
    assert "@import" not in SOURCE.read_text()


def test_markup_in_a_text_is_escaped() -> None:
    source = rendered(title="<script>alert(1)</script>", text="\"'<b>&")
    assert "<script" not in source
    assert Page(source).text[-1] == "\"'<b>&"


@pytest.mark.parametrize("reason", Reason)
def test_each_refusal_says_what_to_do_and_nothing_about_the_file(reason: Reason) -> None:
    request = RequestFactory().get("/files/secret-name.txt", {"token": "SECRET"})
    response = refuse(request, Refused(reason))
    page = Page(response.content.decode())
    assert response.status_code == reason.status
    assert page.text[0] == page.text[1]
    assert page.text[2].endswith(".")
    assert "secret" not in response.content.decode().lower()


def test_no_two_reasons_have_one_text() -> None:
    request = RequestFactory().get("/")
    pages = {refuse(request, Refused(reason)).content for reason in Reason}
    assert len(pages) == len(Reason)
