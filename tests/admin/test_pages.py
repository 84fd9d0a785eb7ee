"""The pages of one file: view, upload, rename, delete."""

import re
import subprocess
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.homes import home_named
from secure_dbstorage.models import StoredFile
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
    signed_in,
    storage,
    upload,
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


@pytest.mark.parametrize(
    ("name", "size"), [("page.svg", 10), ("a.pdf", 10), ("large.png", 6 * 1024 * 1024)]
)
def test_only_small_raster_pictures_are_shown(chief: Client, name: str, size: int) -> None:
    html = body(chief, page(save(name, b"x" * size)))
    assert "token=" not in html


def test_films_and_sounds_have_a_player(chief: Client) -> None:
    for name, tag in (("a.mp4", "video"), ("a.mp3", "audio")):
        html = body(chief, page(save(name, b"x" * 10)))
        (source,) = re.findall(rf'<{tag} src="([^"]+token[^"]+)"', html)
        assert chief.get(source).getvalue() == b"x" * 10


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


def test_a_file_is_uploaded(database: str, chief: Client) -> None:
    answer = upload(chief, directory="x//y/", name="", visibility="public")
    assert messages_of(answer) == ["“x/y/a b.txt” was uploaded."]
    file = row("x/y/a b.txt")
    assert file.is_public
    with storage().open("x/y/a b.txt") as stored:
        assert stored.read() == b"words"
    upload(chief, storage="invoices", name="bill.txt")
    assert not row("bill.txt", "invoices").is_public


def test_an_upload_under_a_taken_name_gets_another(chief: Client) -> None:
    save("a b.txt", b"first")
    answer = upload(chief)
    (said,) = messages_of(answer)
    assert re.fullmatch(r"“a b_\w{7}.txt” was uploaded.", said)
    with storage().open("a b.txt") as stored:
        assert stored.read() == b"first"


def test_an_upload_never_replaces_a_file(settings: Settings, database: str, chief: Client) -> None:
    settings.SECURE_DBSTORAGE = {"ALLOW_OVERWRITE": True}
    save("a b.txt", b"first")
    for client in (signed_in("add", "view"), chief):
        assert "“a b.txt” already exists." in upload(client).text
    with storage().open("a b.txt") as stored:
        assert stored.read() == b"first"
    assert messages_of(upload(chief, name="new.txt")) == ["“new.txt” was uploaded."]
    with storage().open("new.txt") as stored:
        assert stored.read() == b"words"


class Late(BytesIO):
    """Content that is read only after somebody else has saved a file of the same name."""

    def read(self, size: int | None = -1) -> bytes:
        if not self.tell():
            save("late.txt", b"first")
        return super().read(size)


@pytest.mark.parametrize("may_overwrite", [True, False])
def test_an_upload_does_not_replace_a_file_that_comes_meanwhile(
    settings: Settings, database: str, *, may_overwrite: bool
) -> None:
    settings.SECURE_DBSTORAGE = {"ALLOW_OVERWRITE": may_overwrite}
    home = home_named("default")
    assert home is not None
    saved: set[str] = set()
    with suppress(ValidationError):
        file = operations.upload(
            home,
            "late.txt",
            File(Late(b"second")),
            public=None,
            before_publishing=lambda _file: None,
        )
        saved.add(str(file.name))
    assert "late.txt" not in saved
    assert may_overwrite == (not saved)


def test_an_upload_as_public_needs_permission_to_publish(database: str) -> None:
    for permissions in (("add",), ("add", "change"), ("add", "open")):
        answer = upload(signed_in(*permissions), visibility="public")
        assert "permission to make files public" in answer.text
    assert not StoredFile.rows.using(database).exists()
    upload(signed_in("add", "change", "open"), visibility="public")
    assert row("a b.txt").is_public
    upload(signed_in("add"), visibility="private", name="b.txt")
    assert not row("b.txt").is_public


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "../up.txt"}, "This is not a valid file name."),
        ({"directory": "taken.txt"}, "“taken.txt” already exists."),
        ({"storage": "nowhere"}, "Select a valid choice"),
        ({"file": SimpleUploadedFile("large.txt", b"x" * 101)}, "too large for this storage"),
        ({"file": ""}, "This field is required."),
        ({"directory": "d" * 512, "name": "n" * 100}, "This is not a valid file name."),
    ],
    ids=str,
)
def test_an_impossible_upload_is_a_form_error(
    settings: Settings, chief: Client, data: dict[str, Any], said: str
) -> None:
    settings.SECURE_DBSTORAGE = {"MAX_SIZE": 100}
    save("taken.txt")
    answer = upload(chief, **data)
    assert answer.status_code == 200
    assert said in answer.text
    assert StoredFile.rows.count() == 1


def test_an_empty_file_is_uploaded(chief: Client) -> None:
    upload(chief, file=SimpleUploadedFile("empty.txt", b""))
    assert row("empty.txt").size == 0


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
