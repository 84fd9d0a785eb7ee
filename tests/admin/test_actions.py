"""Actions on several files at once."""

import re

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.models import StoredFile
from tests.support.admin import YES, add_heads, messages_of, row, run, save, storage

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_an_action_takes_a_limited_number_of_files(
    database: str, chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.actions.MAX_SELECTED", 10)
    add_heads(database, 11)
    file = row("many/00000.txt")
    response = run(chief, "delete_selected", [file], select_across="1", post="yes")
    assert messages_of(response) == ["Select at most 10 files."]
    assert StoredFile.objects.using(database).count() == 11


def test_many_are_made_public_and_private_and_revoked(chief: Client) -> None:
    files = [save("a.txt"), save("b.txt", alias="invoices"), save("c.txt")]
    links = storage().urls(["a.txt", "c.txt"])
    answer = run(chief, "make_public", files[:2], **YES)
    assert messages_of(answer) == ["2 files are now public."]
    assert [storage().is_public("a.txt"), storage("invoices").is_public("b.txt")] == [True, True]
    assert not storage().is_public("c.txt")
    run(chief, "make_private", files)
    assert not storage().is_public("a.txt")
    assert Client().get(links["a.txt"]).status_code == 200
    run(chief, "revoke_links", files[:1], **YES)
    assert [Client().get(link).status_code for link in links.values()] == [403, 200]


def test_links_to_many_are_made_by_one_query_for_each_storage(chief: Client) -> None:
    files = [save(f"{number}.txt", b"words") for number in range(20)]
    asked = run(chief, "make_links", files)
    assert 'name="lifetime"' in asked.text
    terms = {"post": "yes", "lifetime": "3600", "presentation": "inline"}
    with CaptureQueriesContext(connections["default"]) as queries:
        answer = run(chief, "make_links", files, **terms)
    asking = [query["sql"] for query in queries if "link_epoch" in query["sql"].split(" FROM ")[0]]
    assert len([sql for sql in asking if "sha256" not in sql]) == 1
    links = re.findall(r'value="(http://testserver/[^"]+)" readonly', answer.text)
    assert len(links) == 20
    assert {Client().get(link).content for link in links} == {b"words"}


@pytest.mark.parametrize(
    ("action", "question", "done"),
    [
        ("make_public", "Make this file public?", "“a.txt” is now public."),
        ("revoke_links", "Revoke the links to this file?", "The existing links to “a.txt” no lon"),
        ("delete_selected", "Delete this file?", "“a.txt” was deleted."),
    ],
)
def test_a_grave_action_asks_first_and_says_what_it_did(
    chief: Client, action: str, question: str, done: str
) -> None:
    file = save("a.txt")
    assert question in run(chief, action, [file]).text
    left = row("a.txt")
    assert (left.is_public, left.link_epoch) == (False, file.link_epoch)
    (said,) = messages_of(run(chief, action, [file], **YES))
    assert said.startswith(done)


def test_deleting_many_asks_for_confirmation(chief: Client) -> None:
    files = [save("a.txt"), save("b.txt", alias="invoices"), save("c.txt")]
    asked = run(chief, "delete_selected", files[:2])
    assert "Delete these files?" in asked.text
    assert storage().exists("a.txt")
    answer = run(chief, "delete_selected", files[:2], post="yes")
    assert messages_of(answer) == ["2 files were deleted."]
    assert not storage().exists("a.txt")
    assert not storage("invoices").exists("b.txt")
    assert storage().exists("c.txt")


def test_an_error_with_one_of_many_files_is_shown(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [save("a.txt"), save("b.txt")]
    add_heads("default", 1, namespace="forgotten")
    lost: StoredFile = StoredFile.objects.get(namespace="forgotten")
    answer = run(chief, "revoke_links", [*files, lost], **YES)
    assert messages_of(answer) == [
        "The existing links to 2 files no longer work.",
        "many/00000.txt: No storage has the namespace “forgotten”.",
    ]
