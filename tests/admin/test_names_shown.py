"""No name in the admin looks like another."""

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.test import Client

from secure_dbstorage.models import StoredFile
from tests.support.admin import BROWSE, LIST, YES, body, page, save, storage, upload

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

TURNED = "invoice\u202efdp.exe"


def test_no_new_name_turns_the_direction_of_writing(database: str, chief: Client) -> None:
    file = save("a.txt")
    with pytest.raises(SuspiciousFileOperation):
        storage().save(TURNED, ContentFile(b""))
    with pytest.raises(SuspiciousFileOperation):
        storage().rename("a.txt", TURNED)
    with pytest.raises(SuspiciousFileOperation), storage().open(TURNED, "wb") as target:
        target.write(b"x")
    assert "not a valid file name" in upload(chief, name=TURNED).text
    answer = chief.post(page(file), {"operation": "rename", "name": TURNED, **YES})
    assert "not a valid file name" in answer.text


def test_an_old_name_shows_its_invisible_characters(chief: Client) -> None:
    for name in ("old.exe", "a\u200b.txt"):
        save(name)
    StoredFile.objects.filter(name="old.exe").update(name=TURNED)
    for file in StoredFile.objects.all():
        shown = body(chief, page(file)).replace(f'value="{file.name}"', "")
        assert str(file.name) not in shown
        assert str(file) in shown
        asked = body(chief, page(file, "delete"))
        assert str(file.name) not in asked
    for url in (LIST, f"{BROWSE}default/"):
        html = body(chief, url)
        assert r"invoice\u202efdp.exe" in html
        assert r"a\u200b.txt" in html
        assert "\u202e" not in html
