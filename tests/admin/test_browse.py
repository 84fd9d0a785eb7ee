"""Directories are browsed page by page."""

import re

import pytest
from django.test import Client

from tests.support.admin import BROWSE, body, page, save

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_directories_are_browsed_page_by_page(
    database: str, chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.browse.PAGE_SIZE", 3)
    for name in ("top.txt", "a/1.txt", "a/2", "a/2.d/x", "a/3#?%.txt", "a/4/deep/er.txt", "b.txt"):
        save(name)
    url: str | None = f"{BROWSE}default/a"
    seen: list[list[str]] = []
    while url:
        html = body(chief, url)
        seen.append(re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', html))
        more = re.search(r'<a href="(\?after=[^"]+)">', html)
        url = f"{BROWSE}default/a{more[1]}" if more else None
    assert seen == [["1.txt", "2", "2.d/"], ["3#?%.txt", "4/"]]


def test_each_entry_leads_to_its_page(chief: Client) -> None:
    file = save("a/b #?%41/c.txt")
    html = body(chief, BROWSE)
    for expected in ("default", "invoices"):
        assert f'<a href="{BROWSE}{expected}/">' in html
    url = f"{BROWSE}default/"
    for name in ("a/", "b #?%41/"):
        (url,) = re.findall(rf'<a href="([^"]+)">{re.escape(name)}</a>', body(chief, url))
    html = body(chief, url)
    assert f'<a href="{page(file)}">c.txt</a>' in html
    assert f'<a href="{BROWSE}default/a/">a</a>' in html
    back = re.search(r'href="([^"]+)">a/b #\?%41</a>', body(chief, page(file)))
    assert back is not None
    assert "c.txt" in body(chief, back[1])


@pytest.mark.parametrize("path", ["nowhere/", "staticfiles/", "default/none", "default/../x"])
def test_missing_directories_are_not_found(chief: Client, path: str) -> None:
    save("a.txt")
    assert chief.get(BROWSE + path).status_code == 404


def test_an_empty_storage_can_be_browsed(chief: Client) -> None:
    assert "There is nothing here." in body(chief, f"{BROWSE}default/")
