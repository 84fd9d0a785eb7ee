"""The admin shows what was deleted, restores it, and erases it."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from tests.support.admin import (
    LIST,
    YES,
    body,
    messages_of,
    no_content_selected,
    page,
    row,
    run,
    save,
    signed_in,
    storage,
)

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

TRASH = f"{LIST}trash/default/"

HOSTILE = [
    *("", "\0", "-1", "0", "1.5", "9" * 30, "\u0663", "\u202e", "a" * 5000, "default:1", "<b>'\""),
    *("%00", "[]", "\U0010ffff", "'; --"),
]


@pytest.fixture(autouse=True)
def _keeping(settings: Settings) -> None:
    settings.SECURE_DBSTORAGE = {"KEEP_DELETED": timedelta(days=30)}


@pytest.fixture
def database(database: str, _keeping: None) -> str:
    return database


def delete(*names: str) -> list[int]:
    """Save and delete files; return the keys of their rows."""
    for name in names:
        save(name)
        storage().delete(name)
    rows = {str(row.name)[:-14]: row.pk for row in storage().catalog.trash.files()}
    return [rows[name] for name in names]


def shown(client: Client, **query: str) -> list[str]:
    text = body(client, TRASH, **query)
    return [html.unescape(name) for name in re.findall(r'aria-label="Select “(.*?)”"', text)]


def change(client: Client, action: str, *keys: object, **more: str) -> Any:
    given = {"action": action, "_selected_action": [str(key) for key in keys], **more}
    return client.post(TRASH, given, follow=True)


def test_deleted_files_are_shown_newest_first(database: str, chief: Client) -> None:
    delete("b/one.txt", "a/two.txt", "c.txt")
    save("here.txt")
    with no_content_selected(database):
        assert shown(chief) == ["c.txt", "a/two.txt", "b/one.txt"]
    with no_content_selected(database):
        assert shown(chief, q="b/") == ["b/one.txt"]
    assert shown(chief, q="one") == []


def test_they_are_shown_page_by_page(chief: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.trash.PAGE_SIZE", 2)
    delete("a1", "a2", "a3", "b")
    assert shown(chief, q="a") == ["a3", "a2"]
    assert '<a href="?q=a&amp;p=2">Next page</a>' in body(chief, TRASH, q="a")
    assert shown(chief, q="a", p="2") == ["a1"]
    assert '<a href="?q=a&amp;p=1">Previous page</a>' in body(chief, TRASH, q="a", p="2")


def test_of_very_many_the_first_by_name_are_listed(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.trash.MAX_LISTED", 2)
    delete("b", "a", "c")
    assert shown(chief) == ["a", "b"]
    assert "There are more than 2 deleted files" in body(chief, TRASH)
    delete("d")
    assert "There are more than" not in body(chief, TRASH, q="d")


def test_several_storages_have_a_trash_each(chief: Client) -> None:
    save("invoice.pdf", alias="invoices")
    storage("invoices").delete("invoice.pdf")
    listed = body(chief, f"{LIST}trash/")
    assert f'href="{LIST}trash/invoices/"' in listed
    assert "invoice.pdf" in body(chief, f"{LIST}trash/invoices/")
    assert shown(chief) == []
    assert chief.get(f"{LIST}trash/nowhere/").status_code == 404


def test_the_list_leads_to_the_trash_if_there_is_one(chief: Client, settings: Settings) -> None:
    assert f'href="{LIST}trash/"' in body(chief, LIST)
    settings.SECURE_DBSTORAGE = {}
    assert f'href="{LIST}trash/"' not in body(chief, LIST)


def test_nothing_else_in_the_admin_shows_them(database: str, chief: Client) -> None:
    file = save("gone/secret.txt")
    url = page(file)
    storage().delete("gone/secret.txt")
    key = storage().catalog.trash.files().get().pk
    for text in (
        body(chief, LIST),
        body(chief, LIST, q="gone"),
        body(chief, LIST, storage="default"),
        body(chief, f"{LIST}browse/default/"),
    ):
        assert "secret.txt" not in text
        assert "“~” (no storage)" not in text
    for which in ("change", "delete", "history", "open", "download"):
        assert chief.get(url.replace("/change/", f"/{which}/")).status_code == 302, which
    assert chief.get(f"{LIST}browse/default/gone/").status_code == 404
    for action in ("make_public", "make_links", "delete_selected", "download_zip"):
        chosen = {"action": action, "_selected_action": [str(key)], "index": "0", **YES}
        assert chief.post(LIST, chosen, follow=True).status_code == 200
    assert storage().catalog.trash.files().get().is_public is False


class TestDeleting:
    """The page that asks, and its answer, say that files can be restored."""

    def test_of_one_file(self, chief: Client) -> None:
        file = save("a.txt")
        note = "It can be restored for 30 days, unless it expires sooner."
        assert note in body(chief, page(file, "delete"))
        answer = chief.post(page(file, "delete"), YES, follow=True)
        assert messages_of(answer) == [f"“a.txt” was deleted. {note}"]

    def test_of_several(self, chief: Client) -> None:
        files = [save("a.txt"), save("b.txt")]
        note = "They can be restored for 30 days, unless they expire sooner."
        assert note in run(chief, "delete_selected", files).text
        answer = run(chief, "delete_selected", files, **YES)
        assert messages_of(answer) == [f"2 files were deleted. {note}"]

    def test_without_a_trash_nothing_is_promised(self, chief: Client, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {}
        file = save("a.txt")
        assert "restored" not in body(chief, page(file, "delete"))
        answer = chief.post(page(file, "delete"), YES, follow=True)
        assert messages_of(answer) == ["“a.txt” was deleted."]


class TestRestoring:
    """A click brings files back."""

    def test_of_one_file(self, database: str, chief: Client) -> None:
        (key,) = delete("a.txt")
        with no_content_selected(database):
            answer = change(chief, "restore", key)
        assert messages_of(answer) == [
            "“a.txt” was restored. Earlier links to it still don’t work."
        ]
        assert row("a.txt").is_public is False
        assert "Restored." in body(chief, page(row("a.txt"), "history"))

    def test_of_several(self, chief: Client) -> None:
        answer = change(chief, "restore", *delete("a.txt", "b.txt", "c.txt")[:2])
        assert messages_of(answer)[0].startswith("2 files were restored.")
        assert shown(chief) == ["c.txt"]

    def test_a_taken_name_is_told(self, chief: Client) -> None:
        keys = delete("a.txt", "b.txt")
        save("a.txt", b"new")
        told = messages_of(change(chief, "restore", *keys))
        assert told[0] == "a.txt: “a.txt” already exists."
        assert told[1].startswith("“b.txt” was restored.")
        assert storage().size("a.txt") == 3

    def test_of_two_versions_one_comes_back(self, chief: Client) -> None:
        delete("a.txt")
        delete("a.txt")
        keys = [file.pk for file in storage().catalog.trash.files()]
        told = messages_of(change(chief, "restore", *keys))
        assert sorted("already exists" in text for text in told) == [False, True]

    def test_one_that_is_gone_is_told(self, chief: Client) -> None:
        keys = delete("a.txt")
        storage().delete("a.txt", forever=True)
        assert messages_of(change(chief, "restore", *keys)) == ["No file was selected."]


class TestErasing:
    """Erasing asks first, and leaves nothing."""

    def test_it_asks_and_then_erases(self, database: str, chief: Client) -> None:
        keys = delete("a.txt", "b.txt", "c.txt")
        asked = change(chief, "erase", *keys[:2])
        assert "Erase these files?" in asked.text
        assert "nobody will be able to restore them" in asked.text
        assert len(shown(chief)) == 3
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', asked.text)
        sent = [pair for pair in fields if pair[0] != "csrfmiddlewaretoken"]
        given: dict[str, list[str]] = {}
        for name, value in sent:
            given.setdefault(name, []).append(value)
        answer = chief.post(TRASH, given, follow=True)
        assert messages_of(answer) == ["2 files were erased for good."]
        assert shown(chief) == ["c.txt"]
        assert StoredFile.rows.using(database).count() == 1

    def test_one_version_goes_and_the_others_stay(self, chief: Client) -> None:
        for content in (b"1", b"22", b"333"):
            save("a.txt", content)
            storage().delete("a.txt")
        key = storage().catalog.trash.files().get(size=2).pk
        answer = change(chief, "erase", key, **YES)
        assert messages_of(answer) == ["“a.txt” was erased for good."]
        assert [version.size for version in storage().versions("a.txt")] == [3, 1]
        assert LogEntry.objects.get().change_message == "Erased for good."

    def test_a_file_is_not_erased_by_its_key(self, chief: Client) -> None:
        file = save("a.txt")
        assert messages_of(change(chief, "erase", file.pk, **YES)) == ["No file was selected."]
        assert storage().exists("a.txt")


DEEDS: dict[str, tuple[set[str], Callable[[Client, int], Any]]] = {
    "see": ({"view"}, lambda client, key: client.get(TRASH)),
    "see all": ({"view"}, lambda client, key: client.get(f"{LIST}trash/")),
    "restore": ({"view", "add"}, lambda client, key: change(client, "restore", key)),
    "erase": ({"view", "erase"}, lambda client, key: change(client, "erase", key, **YES)),
}


@pytest.mark.parametrize("name", DEEDS)
def test_each_deed_needs_its_permissions_and_no_others(name: str) -> None:
    needed, deed = DEEDS[name]
    (key,) = delete("a.txt")
    for lacking in needed:
        others = {"view", "add", "change", "delete", "open", "erase"} - {lacking}
        if lacking == "view":  # who may change a file may see it: so it is with Django
            others -= {"change"}
        assert deed(signed_in(*others), key).status_code == 403, lacking
        assert storage().versions("a.txt")
    assert deed(signed_in(*needed), key).status_code == 200
    assert bool(storage().versions("a.txt")) is name.startswith("see")


def test_a_page_offers_only_permitted_deeds() -> None:
    delete("a.txt")

    def offered(*permissions: str) -> list[str]:
        return re.findall(r'name="action" value="(\w+)"', body(signed_in(*permissions), TRASH))

    assert offered("view") == []
    assert offered("view", "delete", "change", "open") == []
    assert offered("view", "add") == ["restore"]
    assert offered("view", "erase") == ["erase"]


def test_a_post_needs_a_csrf_token(chief: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = chief.cookies
    assert strict.post(TRASH, {"action": "restore"}).status_code == 403


@pytest.mark.parametrize("field", ["action", "_selected_action", "post"])
def test_no_value_in_a_form_is_an_error(chief: Client, field: str) -> None:
    (key,) = delete("a.txt")
    for value in HOSTILE:
        given = {"action": "erase", "_selected_action": str(key), "post": "", field: value}
        assert chief.post(TRASH, given).status_code in (200, 302), value
    assert chief.get(f"{TRASH}?p=1").status_code == 200


@pytest.mark.parametrize("field", ["q", "p", "after"])
def test_no_value_in_a_query_string_is_an_error(database: str, chief: Client, field: str) -> None:
    delete("a.txt")
    for value in HOSTILE:
        assert chief.get(TRASH, {field: value}).status_code == 200, value
        assert chief.post(f"{TRASH}?q=x", {field: value}).status_code == 302, value


@pytest.fixture
def hostile_names() -> list[str]:
    return [
        "<script>alert(1)</script>.txt",
        '"><img src=x onerror=alert(1)>.png',
        "a&b'c;d%0A.txt",
        "zero\u200bwidth.txt",
        "{{ 7*7 }}{% now 'Y' %}",
        "x" * 500,
    ]


def test_hostile_names_are_shown_as_text(chief: Client, hostile_names: list[str]) -> None:
    keys = delete(*hostile_names)
    text = body(chief, TRASH)
    asked = change(chief, "erase", *keys).text
    told = change(chief, "restore", keys[0]).text
    for answer in (text, asked, told):
        assert "<script>alert" not in answer
        assert "<img src=x" not in answer
        assert "\u200b" not in answer
    assert r"zero\u200bwidth.txt" in text
    assert storage().exists(hostile_names[0])
