"""The admin's log tells what was done, and nothing else."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.test import Client

from tests.support.admin import LINK, YES, body, link_in, page, row, run, save, upload

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_each_change_is_in_the_log(chief: Client) -> None:
    upload(chief, name="a.txt")
    file = row("a.txt")
    for data in (
        {"operation": "rename", "name": "b.txt"},
        {"operation": "public", **YES},
        {"operation": "private"},
        {"operation": "revoke", **YES},
    ):
        chief.post(page(file), data)
    link = link_in(chief.post(page(file), LINK))
    run(chief, "make_public", [file], **YES)
    chief.post(page(file, "delete"), {"post": "yes"})
    entries = LogEntry.objects.order_by("pk")
    assert [(entry.action_flag, entry.get_change_message()) for entry in entries] == [
        (ADDITION, "Uploaded."),
        (CHANGE, "Renamed to “b.txt”."),
        (CHANGE, "Made public."),
        (CHANGE, "Made private."),
        (CHANGE, "Links revoked."),
        (CHANGE, f"Link {link.rpartition('.')[2][:8]} created, valid for 1 hour."),
        (CHANGE, "Made public."),
        (DELETION, ""),
    ]
    assert {entry.object_id for entry in entries} == {str(file.pk)}
    assert not any("token" in entry.change_message for entry in entries)


def test_failed_operations_are_not_in_the_log(chief: Client) -> None:
    file = save("a.txt")
    save("b.txt")
    chief.post(page(file), {"operation": "rename", "name": "b.txt"})
    chief.post(page(file), {"operation": "nonsense"})
    assert not LogEntry.objects.exists()


def test_the_history_of_a_file_is_shown(chief: Client) -> None:
    file = save("a.txt")
    chief.post(page(file), {"operation": "public", **YES})
    assert "Made public." in body(chief, page(file, "history"))
