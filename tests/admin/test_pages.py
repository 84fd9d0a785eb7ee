"""The pages of one file: view, rename, delete."""

import re
import subprocess
import sys

import pytest
from django.test import Client

from tests.support.admin import (
    ADD,
    BROWSE,
    LIST,
    PNG,
    body,
    messages_of,
    page,
    row,
    save,
    storage,
)

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_a_page_shows_the_details_of_a_file(chief: Client) -> None:
    file = save("a/picture.png", PNG)
    html = body(chief, page(file))
    assert str(file.sha256) in html
    assert "image/png" in html
    assert f"{len(PNG)}\xa0bytes" in html
    (source,) = re.findall(r'<img src="([^"]+token[^"]+)"', html)
    assert chief.get(source).getvalue() == PNG


def test_the_size_in_bytes_is_said_once(chief: Client) -> None:
    assert body(chief, page(save("small.txt", b"x" * 36))).count("36\xa0bytes") == 1
    assert "(36 bytes)" not in body(chief, page(save("small2.txt", b"x" * 36)))
    assert "(2048 bytes)" in body(chief, page(save("large.txt", b"x" * 2048)))


def test_a_missing_file_redirects_to_the_list(chief: Client) -> None:
    file = save("a.txt")
    storage().delete("a.txt")
    for which in ("change", "delete", "open", "download"):
        response = chief.get(page(file, which), follow=True)
        assert response.redirect_chain[-1] == (LIST, 302)
        assert "doesn’t exist. Perhaps it was deleted" in messages_of(response)[0]
    assert chief.get(f"{LIST}nowhere:7/change/", follow=True).redirect_chain
    assert chief.get(f"{LIST}{'9' * 30}/change/", follow=True).redirect_chain


def test_a_renamed_file_gets_a_new_type_and_loses_its_old_links(chief: Client) -> None:
    file = save("a.txt", b"words")
    link = storage().url("a.txt")
    answer = chief.post(page(file), {"operation": "rename", "name": "b\\c.pdf"}, follow=True)
    assert messages_of(answer) == ["The file was renamed to “b/c.pdf”."]
    assert row("b/c.pdf").content_type == "application/pdf"
    assert Client().get(link).status_code == 403


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("taken.txt", "“taken.txt” already exists."),
        ("taken.txt/below.txt", "“taken.txt” already exists."),
        ("../up.txt", "This is not a valid file name."),
        ("/abs.txt", "This is not a valid file name."),
        ("a\nb", "This is not a valid file name."),
        ("directory", "“directory” already exists."),
        ("", "This field is required."),
        ("x" * 513, "at most 512 characters"),
    ],
)
def test_an_impossible_name_is_a_form_error(
    database: str, chief: Client, name: str, said: str
) -> None:
    file = save("a.txt")
    save("taken.txt")
    save("directory/b.txt")
    answer = chief.post(page(file), {"operation": "rename", "name": name})
    assert answer.status_code == 200
    assert said in answer.text
    assert row("a.txt").pk == file.pk


def test_deleting_asks_for_confirmation(chief: Client) -> None:
    file = save("a.txt")
    assert "Yes, I’m sure" in body(chief, page(file, "delete"))
    assert storage().exists("a.txt")
    answer = chief.post(page(file, "delete"), {"post": "yes"}, follow=True)
    assert messages_of(answer) == ["“a.txt” was deleted."]
    assert not storage().exists("a.txt")


def test_the_package_works_without_the_admin() -> None:
    program = """
import sys, django
from django.conf import settings
settings.configure(
    SECRET_KEY="x" * 50,
    INSTALLED_APPS=["secure_dbstorage"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    STORAGES={"default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"}},
)
django.setup()
from django.core.files.storage import storages
from django.core.management import call_command
call_command("migrate", verbosity=0)
print(storages["default"].save("a.txt", b"words"))
print([name for name in sys.modules if name.startswith("django.contrib.admin")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["a.txt", "[]"], done.stderr


def test_pages_have_no_inline_script_or_style(chief: Client) -> None:
    file = save("a.png", PNG)
    terms = {"operation": "link", "lifetime": "3600", "presentation": "inline"}
    pages = [body(chief, url) for url in (ADD, BROWSE, page(file), page(file, "delete"))]
    for html in (*pages, chief.post(page(file), terms).text):
        content = html.split('id="content-main"')[1].split('id="footer"')[0]
        assert not re.search(r"<script|<style|\bstyle=|\bon\w+=", content)
