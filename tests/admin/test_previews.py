"""Previews: pictures in lists, and what a file's page shows of its content."""

import re

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.support.admin import BROWSE, LIST, PNG, body, page, save, signed_in, storage

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

LISTS = [LIST, f"{BROWSE}default/"]


def thumbnails_in(html: str) -> list[str]:
    found = re.findall(r'<img class="thumbnail" src="([^"]+)" alt="" loading="lazy"', html)
    return [url.replace("&amp;", "&") for url in found]


@pytest.mark.parametrize("url", LISTS)
def test_a_list_shows_small_pictures_through_links_for_its_user(chief: Client, url: str) -> None:
    save("a.png", PNG)
    save("b.txt")
    save("c.svg")
    save("large.png", b"x" * (1024 * 1024 + 1))
    (source,) = thumbnails_in(body(chief, url))
    assert source.startswith("/files/a.png?token=")
    assert chief.get(source).getvalue() == PNG
    assert Client().get(source).status_code == 403  # it is bound to the user


def test_a_public_picture_in_a_list_needs_no_token(chief: Client) -> None:
    save("a.png", PNG)
    storage().set_public("a.png", True)
    assert thumbnails_in(body(chief, LIST)) == ["/files/a.png"]


@pytest.mark.parametrize("url", LISTS)
def test_who_may_not_open_files_loads_none_of_them(url: str) -> None:
    files = [save(name) for name in ("a.png", "a.mp4", "a.mp3", "a.pdf", "a.txt")]
    for viewer in (signed_in("view"), signed_in("view", "add", "change", "delete")):
        for html in (body(viewer, url), *(body(viewer, page(file)) for file in files)):
            assert "token=" not in html
            assert not re.search(r'(src|href|data|poster)="/files/', html)


@pytest.mark.parametrize("url", LISTS)
def test_pictures_cost_a_list_one_query_for_each_storage(
    database: str, chief: Client, url: str
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connections[database]) as queries:
            body(chief, url)
        return len(queries)

    save("0.txt")
    body(chief, url)
    without = count()
    save("0.png", PNG)
    one = count()
    for number in range(1, 20):
        save(f"{number}.png", PNG)
    assert (one, count()) == (without + 1, without + 1)


def test_hooks_are_asked_about_a_picture_in_a_list(settings: Settings, chief: Client) -> None:
    save("a.png", PNG)
    settings.SECURE_DBSTORAGE = {"AUTH_HOOKS": ["tests.support.admin.nobody"]}
    (source,) = thumbnails_in(body(chief, LIST))
    assert chief.get(source).status_code == 403


def test_a_storage_that_is_not_served_has_a_list_and_pages_without_previews(
    settings: Settings, chief: Client
) -> None:
    files = [save("a.png", PNG), save("a.pdf")]
    settings.ROOT_URLCONF = "tests.admin.urls_without_files"
    for url in (*LISTS, *map(page, files)):
        assert "token=" not in body(chief, url)


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("a.mp4", "video"),
        ("a.mp3", "audio"),
        ("a.png", "img"),
        ("a.pdf", "iframe"),
        ("a.txt", "iframe"),
    ],
)
def test_what_a_browser_shows_safely_has_a_preview(chief: Client, name: str, element: str) -> None:
    html = body(chief, page(save(name, b"x" * 10)))
    (source,) = re.findall(rf'<{element} src="([^"#]+token[^"#]+)[#"]', html)
    answer = chief.get(source)
    assert answer.getvalue() == b"x" * 10
    assert answer["Content-Disposition"].startswith("inline")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(("a.svg", 10), ("a.html", 10), ("a.csv", 10), ("a.docx", 10)),
        *((f"large.{kind}", 5 * 1024 * 1024 + 1) for kind in ("png", "pdf", "txt")),
    ],
)
def test_nothing_else_has_a_preview(chief: Client, name: str, size: int) -> None:
    assert "token=" not in body(chief, page(save(name, b"x" * size)))


def test_a_type_that_a_project_downloads_has_no_preview(settings: Settings, chief: Client) -> None:
    settings.SECURE_DBSTORAGE = {"INLINE_TYPES": ["text/plain"]}
    file = save("a.png", PNG)
    assert "token=" not in body(chief, page(file))
    assert thumbnails_in(body(chief, LIST)) == []


def test_a_document_of_another_origin_is_framed_only_if_it_may_be(
    settings: Settings, chief: Client
) -> None:
    file = save("a.pdf")
    settings.SECURE_DBSTORAGE = {"BASE_URL": "https://files.example/"}
    assert "<iframe" not in body(chief, page(file))
    settings.SECURE_DBSTORAGE["CROSS_ORIGIN"] = "cross-origin"
    settings.SECURE_DBSTORAGE = {**settings.SECURE_DBSTORAGE}
    assert '<iframe src="https://files.example/a.pdf?token=' in body(chief, page(file))
