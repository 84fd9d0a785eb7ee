"""Links are created, shown once, revoked, and made for a click."""

import re
import time
from urllib.parse import urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.admin import LINK, PNG, YES, body, link_in, page, save, storage

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_a_link_is_created_shown_once_and_revoked(chief: Client) -> None:
    file = save("a.txt", b"words")
    terms = {"operation": "link", "lifetime": "3600", "presentation": "attachment"}
    made = chief.post(page(file), terms)
    assert "no-store" in made["Cache-Control"]
    link = link_in(made)
    opened = Client().get(link)
    assert opened.content == b"words"
    assert opened["Content-Disposition"].startswith("attachment")
    assert link.partition("?")[2] not in body(chief, page(file))
    chief.post(page(file), {"operation": "revoke", **YES})
    assert Client().get(link).status_code == 403


def test_a_link_can_work_only_once(chief: Client) -> None:
    file = save("a.txt", b"words")
    terms = {"operation": "link", "lifetime": "3600", "presentation": "inline", "once": "on"}
    link = link_in(chief.post(page(file), terms))
    visit = Client().get
    assert [visit(link).status_code for _ in range(2)] == [200, 403]


def test_lifetimes_stay_below_the_storages_maximum(settings: Settings, chief: Client) -> None:
    settings.SECURE_DBSTORAGE = {"MAX_EXPIRES_IN": 600, "EXPIRES_IN": 120}
    file = save("a.bin")
    html = body(chief, page(file))
    offered = re.findall(r'<option value="(\d+)"', html)
    assert offered == ["120", "300", "600"]
    refused = chief.post(
        page(file), {"operation": "link", "lifetime": "3600", "presentation": "inline"}
    )
    assert "token=" not in refused.text
    assert "Select a valid choice" in refused.text


def test_the_link_to_a_public_file_is_unsigned(chief: Client) -> None:
    file = save("a.txt", b"words")
    chief.post(page(file), {"operation": "public", **YES})
    terms = {"operation": "link", "lifetime": "3600", "presentation": "inline"}
    link = link_in(chief.post(page(file), terms))
    assert link == "http://testserver/files/a.txt"
    assert Client().get(link).content == b"words"
    chief.post(page(file), {"operation": "private"})
    assert Client().get(link).status_code == 404


def test_a_file_is_opened_and_downloaded_through_a_brief_link(chief: Client) -> None:
    file = save("a.txt", b"words")
    for which, kind in (("open", "inline"), ("download", "attachment")):
        answer = chief.get(page(file, which))
        assert answer["Referrer-Policy"] == "no-referrer"
        token = urlsplit(answer["Location"]).query.removeprefix("token=")
        grant = storage().signer.unsign(
            "a.txt", token, storage().audience, max_lifetime=10**6, now=time.time()
        )
        assert grant.lifetime == 60
        assert Client().get(answer["Location"]).status_code == 403  # it is bound to the user
        opened = chief.get(answer["Location"])
        assert opened["Content-Disposition"].startswith(kind)
        assert opened.getvalue() == b"words"


def test_the_access_log_tells_who_opened_a_file_in_the_admin(
    chief: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "secure_dbstorage.access")
    file = save("a.png", PNG)
    user = User.objects.get()
    (preview,) = re.findall(r'<img src="([^"]+token[^"]+)"', body(chief, page(file)))
    for url in (
        preview,
        *(chief.get(page(file, kind))["Location"] for kind in ("open", "download")),
    ):
        caplog.clear()
        chief.get(url).getvalue()
        (record,) = [each for each in caplog.records if hasattr(each, "access")]
        assert record.access.user == str(user.pk)


def test_a_file_served_where_nobody_is_signed_in_is_logged_when_it_is_opened(
    settings: Settings, chief: Client
) -> None:
    settings.SECURE_DBSTORAGE = {"BASE_URL": "https://files.example/x/"}
    file = save("a.txt")
    url = chief.get(page(file, "download"))["Location"]
    token = urlsplit(url).query.removeprefix("token=")
    grant = storage().signer.unsign(
        "a.txt", token, storage().audience, max_lifetime=10**6, now=time.time()
    )
    assert grant.user is None  # there is no session that could prove who it is
    entry = LogEntry.objects.get()
    assert entry.get_change_message() == f"Opened through the link {grant.link_id}."


def test_a_log_entry_for_a_link_is_found_in_the_access_log(
    chief: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "secure_dbstorage.access")
    link = link_in(chief.post(page(save("a.txt")), LINK))
    Client().get(link)
    (record,) = [each for each in caplog.records if hasattr(each, "access")]
    assert f"Link {record.access.link} created" in LogEntry.objects.get().get_change_message()


def test_links_from_the_admin_do_not_bypass_hooks(chief: Client) -> None:
    file = save("bill.png", PNG, alias="invoices")
    url = chief.get(page(file, "download"))["Location"]
    assert chief.get(url).getvalue() == PNG
    assert Client().get(url).status_code == 403  # the hook lets in who is signed in
