"""The page of unfinished uploads: what it says of them, and who may discard them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from tests.support.admin import (
    LIST,
    YES,
    body,
    messages_of,
    no_content_selected,
    save,
    signed_in,
    storage,
)
from tests.support.sealing import KEY
from tests.support.uploads import begin_upload, finish_upload

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

UNFINISHED = f"{LIST}unfinished/"


def begin(database: str, key: int, *, rows: int = 1, size: int = 40_960, **changes: object) -> str:
    """Begin an upload of 40 KB, and return the value of its checkbox."""
    expires = timezone.now() + timedelta(days=1)
    begin_upload(database, key=key, rows=rows, **{"size": size, "expires": expires, **changes})
    return f"default:{key}"


def cells(html: str) -> list[list[str]]:
    """Return what each row of the table says of an upload."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [found for row in rows if (found := re.findall(r"<td>([^<]*)</td>", row))]


def test_the_page_says_how_many_how_large_and_since_when(database: str, chief: Client) -> None:
    save("a file.txt")
    began = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    begin(database, 5, rows=3)
    begin(database, 6, data=b"", created=began)
    with no_content_selected(database):
        html = body(chief, UNFINISHED)
    assert "2 uploads, 80.0\xa0KB in total, the oldest started Jan. 1, 2026, 9:04 p.m." in html
    received = [row[:2] for row in cells(html)]
    assert received == [["0\xa0bytes", "40.0\xa0KB"], ["12.0\xa0KB", "40.0\xa0KB"]]
    assert "a file.txt" not in html
    assert UNFINISHED in body(chief, LIST)


def test_of_encrypted_ones_the_plain_bytes_are_counted(
    database: str, chief: Client, settings: Settings
) -> None:
    encrypting = {"encryption_keys": [KEY], "chunk_size": 4096}
    entry = settings.STORAGES["default"]
    given = {**entry, "OPTIONS": {**entry.get("OPTIONS", {}), **encrypting}}
    settings.STORAGES = {**settings.STORAGES, "default": given}
    inbox = storage().inbox
    upload = inbox.new(40_960, timezone.now() + timedelta(days=1))
    inbox.append(upload, [b"x" * 1000])
    assert [row[:2] for row in cells(body(chief, UNFINISHED))] == [["1000\xa0bytes", "40.0\xa0KB"]]


def test_each_storage_has_its_own(database: str, chief: Client) -> None:
    assert "There are no unfinished uploads." in body(chief, UNFINISHED)
    begin(database, 5)
    begin(database, 6, namespace="lost")
    html = body(chief, UNFINISHED)
    assert 'value="default:5"' in html
    assert ":6" not in html


def test_a_discard_is_asked_about_first(database: str, chief: Client) -> None:
    chosen = [begin(database, 2**62 - 1, rows=3), begin(database, 6)]
    kept = begin(database, 7)
    asked = chief.post(UNFINISHED, {"upload": chosen})
    assert "Discard these uploads?" in asked.text
    assert StoredFile.rows.using(database).unfinished().count() == 3
    done = chief.post(UNFINISHED, {"upload": chosen, **YES}, follow=True)
    assert messages_of(done) == ["2 uploads were discarded."]
    assert [row.content for row in StoredFile.rows.using(database)] == [int(kept[8:])]
    assert LogEntry.objects.filter(action_flag=DELETION).count() == 2


def test_what_is_a_file_by_now_stays(database: str, chief: Client) -> None:
    chosen = begin(database, 5)
    assert finish_upload(database, key=5, name="a.txt")
    answer = chief.post(UNFINISHED, {"upload": [chosen], **YES}, follow=True)
    assert messages_of(answer) == ["0 uploads were discarded."]
    assert StoredFile.objects.using(database).get().name == "a.txt"


def test_nonsense_discards_nothing(database: str, chief: Client) -> None:
    begin(database, 5)
    digits = [f"default:{'9' * length}" for length in (19, 40)]
    chosen = ["", "default:", "default:x", "default:\u0665", "nowhere:5", "5", *digits]
    answer = chief.post(UNFINISHED, {"upload": chosen, **YES}, follow=True)
    assert messages_of(answer) == ["No upload was selected."]
    assert StoredFile.rows.using(database).unfinished().count() == 1


def test_who_may_only_view_discards_nothing(database: str) -> None:
    chosen, viewer = begin(database, 5), signed_in("view")
    assert "checkbox" not in body(viewer, UNFINISHED)
    assert viewer.post(UNFINISHED, {"upload": [chosen], **YES}).status_code == 403
    assert signed_in("add", "delete").get(UNFINISHED).status_code == 403
    assert StoredFile.rows.using(database).unfinished().count() == 1
