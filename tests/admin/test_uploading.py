"""Uploads: one file or several, each of which is kept or refused."""

import re
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.test import Client
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.homes import home_named
from secure_dbstorage.models import StoredFile
from tests.support.admin import (
    ADD,
    BROWSE,
    body,
    messages_of,
    row,
    save,
    signed_in,
    storage,
    upload,
)
from tests.support.uploads import Uploader

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


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


def several(*names: str) -> dict[str, Any]:
    return {"file": [SimpleUploadedFile(name, name.encode()) for name in names]}


def test_several_files_are_uploaded_at_once(database: str, chief: Client) -> None:
    answer = upload(chief, directory="x/y", **several("a.txt", "b.txt", "c.txt"))
    assert messages_of(answer) == ["3 files were uploaded: “x/y/a.txt”, “x/y/b.txt”, “x/y/c.txt”"]
    assert answer.redirect_chain[-1] == (f"{BROWSE}default/x/y/", 302)
    for name in ("a.txt", "b.txt", "c.txt"):
        with storage().open(f"x/y/{name}") as stored:
            assert stored.read() == name.encode()
    assert LogEntry.objects.count() == 3


def test_the_names_of_many_uploaded_files_are_cut(chief: Client) -> None:
    (said,) = messages_of(upload(chief, **several(*(f"{number}.txt" for number in range(21)))))
    assert said.startswith("21 files were uploaded: “0.txt”, ")
    assert said.endswith(", “19.txt”, …")


def test_a_refused_file_spoils_no_other_and_both_are_named(
    settings: Settings, database: str, chief: Client
) -> None:
    settings.SECURE_DBSTORAGE = {"MAX_SIZE": 6}
    answer = upload(chief, **several("a.txt", "too large.txt", "b.txt"))
    assert messages_of(answer) == ["2 files were uploaded: “a.txt”, “b.txt”"]
    errors = answer.context["form"].non_field_errors()
    assert errors == ["too large.txt: The file is too large for this storage."]
    assert storage().exists("a.txt")
    assert storage().exists("b.txt")
    assert not storage().exists("too large.txt")


def test_several_files_cannot_have_one_name(chief: Client) -> None:
    answer = upload(chief, name="one.txt", **several("a.txt", "b.txt"))
    assert "Several files can’t share one name." in answer.text
    assert not StoredFile.rows.exists()


def test_a_browser_without_script_may_send_several_files(chief: Client) -> None:
    (field,) = re.findall(r'<input type="file"[^>]*>', body(chief, ADD))
    assert " multiple" in field
    assert ' name="file"' in field


def test_who_may_only_upload_stays_on_the_page(database: str) -> None:
    answer = upload(signed_in("add"), **several("a.txt", "b.txt"))
    assert answer.redirect_chain[-1] == (ADD, 302)
    assert messages_of(answer) == ["2 files were uploaded: “a.txt”, “b.txt”"]


def sent(client: Client, data: bytes, name: str = "a.txt", alias: str = "default") -> str:
    """Send an upload as the page's script does, and return its URL."""
    option = re.search(f'<option value="{alias}"[^>]*data-begin="([^"]+)"', body(client, ADD))
    assert option
    return Uploader(client).sent(option[1], data, name)


def take(client: Client, *urls: str, **data: Any) -> Any:
    """Submit the form with uploads that were sent before."""
    return upload(client, **{"file": "", "file-upload": urls, **data})


def test_an_upload_that_was_sent_before_becomes_the_file(chief: Client) -> None:
    url = sent(chief, b"x" * 600_000)
    before = [row.content for row in StoredFile.rows.order_by("position")]
    assert messages_of(take(chief, url, directory="d")) == ["“d/a.txt” was uploaded."]
    assert [row.content for row in StoredFile.rows.order_by("position")] == before
    with storage().open("d/a.txt") as stored:
        assert stored.read() == b"x" * 600_000
    assert LogEntry.objects.count() == 1
    assert "This upload no longer exists" in take(chief, url).text


def test_an_upload_goes_to_the_storage_that_is_chosen(database: str, chief: Client) -> None:
    url = sent(chief, b"x", alias="invoices")
    assert "can’t be used here" in take(chief, url).text
    assert messages_of(take(chief, url, storage="invoices")) == ["“a.txt” was uploaded."]
    assert storage("invoices").exists("a.txt")
    assert not storage().exists("a.txt")


def test_nobody_takes_somebody_elses_upload(database: str, chief: Client) -> None:
    url, other = sent(chief, b"x"), signed_in("add", "view")
    assert "can’t be used here" in take(other, url).text
    link = re.search('data-begin="([^"]+)"', body(chief, ADD))
    assert link
    assert Uploader(other).create(link[1], 5).status_code == 403
    assert not StoredFile.objects.using(database).exists()


def test_of_several_uploads_only_those_that_were_refused_are_shown_again(
    settings: Settings, database: str, chief: Client
) -> None:
    urls = [sent(chief, b"x" * size, f"{size}.txt") for size in (9, 5, 7)]
    settings.SECURE_DBSTORAGE = {"MAX_SIZE": 8}
    answer = take(chief, *urls)
    assert messages_of(answer) == ["2 files were uploaded: “5.txt”, “7.txt”"]
    errors = answer.context["form"].non_field_errors()
    assert errors == ["9.txt: The file is too large for this storage."]
    shown = re.findall('<input type="hidden" name="file-upload" value="([^"]+)"', answer.text)
    assert shown == [urls[0]]


def test_an_upload_without_alternative_names_leaves_no_copy(
    settings: Settings, database: str, chief: Client
) -> None:
    settings.SECURE_DBSTORAGE = {"ALLOW_OVERWRITE": True}
    save("a.txt", b"first")
    url = sent(chief, b"second")
    assert "“a.txt” already exists." in take(chief, url).text
    assert messages_of(take(chief, url, name="b.txt")) == ["“b.txt” was uploaded."]
    assert StoredFile.rows.using(database).count() == 2


def test_the_page_works_where_no_files_are_served(settings: Settings, chief: Client) -> None:
    settings.ROOT_URLCONF = "tests.admin.urls_without_files"
    assert "data-begin" not in body(chief, ADD)
    assert messages_of(upload(chief)) == ["“a b.txt” was uploaded."]


def test_a_hidden_direction_of_writing_is_shown(chief: Client) -> None:
    url = sent(chief, b"x", "invoice\u202efdp.exe")
    answer = take(chief, url)
    assert "not a valid file name" in answer.text
    assert "\u202e" not in answer.text
    shown = '<bdi class="dbstorage-name">invoice\\u202efdp.exe</bdi>'
    assert shown in answer.text


def test_an_error_report_shows_no_upload(settings: Settings, chief: Client) -> None:
    url, reports = sent(chief, b"x"), list[str]()

    def report(request: HttpRequest, **_: object) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)
        reports.append(reporter.get_traceback_text() + reporter.get_traceback_html())

    settings.SECURE_DBSTORAGE = {"DEFAULT_PUBLIC": lambda name: "yes"}
    chief.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        assert take(chief, url).status_code == 500
    finally:
        got_request_exception.disconnect(report)
    (text,) = reports
    assert "default_public returned" in text
    assert url[-40:] not in text
