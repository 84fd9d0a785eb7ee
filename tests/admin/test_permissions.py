"""Each operation needs its permissions, and pages offer what a user may do."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from secure_dbstorage.models import StoredFile
from tests.support.admin import (
    ADD,
    BROWSE,
    LINK,
    LIST,
    PNG,
    YES,
    body,
    page,
    row,
    run,
    save,
    signed_in,
)

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


Deed = Callable[[Client, StoredFile], Any]

DEEDS: dict[str, tuple[set[str], Deed]] = {
    "see the list": ({"view"}, lambda client, file: client.get(LIST)),
    "see a page": ({"view"}, lambda client, file: client.get(page(file))),
    "browse": ({"view"}, lambda client, file: client.get(f"{BROWSE}default/")),
    "see the history": ({"view"}, lambda client, file: client.get(page(file, "history"))),
    "upload": ({"add"}, lambda client, file: client.get(ADD)),
    "open": ({"view", "open"}, lambda client, file: client.get(page(file, "open"))),
    "download": ({"view", "open"}, lambda client, file: client.get(page(file, "download"))),
    "link": ({"view", "open"}, lambda client, file: client.post(page(file), LINK)),
    "rename": (
        {"change", "open"},
        lambda client, file: client.post(page(file), {"operation": "rename", "name": "b.txt"}),
    ),
    "publish": (
        {"change", "open"},
        lambda client, file: client.post(page(file), {"operation": "public", **YES}),
    ),
    "hide": (
        {"change"},
        lambda client, file: client.post(page(file), {"operation": "private"}),
    ),
    "revoke": (
        {"change"},
        lambda client, file: client.post(page(file), {"operation": "revoke", **YES}),
    ),
    "delete": (
        {"delete"},
        lambda client, file: client.post(page(file, "delete"), {"post": "yes"}),
    ),
}


@pytest.mark.parametrize("name", DEEDS)
def test_each_operation_needs_its_permissions_and_no_others(name: str) -> None:
    needed, deed = DEEDS[name]
    assert deed(signed_in(*needed), save("a.txt")).status_code in (200, 302)
    file = save("b.txt")
    for lacking in needed:
        others = {"view", "add", "change", "delete", "open"} - {lacking}
        if lacking == "view":  # who may change a file may see it: so it is with Django
            others -= {"change"}
        assert deed(signed_in(*others), file).status_code == 403, lacking


def test_who_may_not_open_a_file_sees_no_digest_that_confirms_a_guess() -> None:
    file = save("pin.txt", b"1234")
    StoredFile.objects.filter(pk=file.pk).update(namespace="nowhere")
    for each in (save("other.txt", b"1234"), file):
        for permissions in (["view"], ["view", "add", "change", "delete"]):
            assert str(file.sha256) not in body(signed_in(*permissions), page(each))
        assert str(file.sha256) in body(signed_in("view", "open"), page(each))


def test_a_page_offers_only_permitted_actions() -> None:
    file = save("a.png", PNG)
    viewer = body(signed_in("view"), page(file))
    assert "token=" not in viewer
    assert 'name="operation"' not in viewer
    assert page(file, "download") not in viewer
    opener = body(signed_in("view", "open"), page(file))
    assert opener.count(page(file, "download")) == opener.count(page(file, "open")) == 1
    assert re.findall(r'name="operation" value="(\w+)"', opener) == ["link"]
    changer = body(signed_in("change"), page(file))
    assert re.findall(r'name="operation" value="(\w+)"', changer) == ["revoke"]
    both = body(signed_in("change", "open"), page(file))
    assert re.findall(r'name="operation" value="(\w+)"', both) == [
        "link",
        "rename",
        "public",
        "revoke",
    ]


def test_the_list_offers_the_actions_that_a_user_may_run() -> None:
    save("a.txt")

    def offered(*permissions: str) -> set[str]:
        html = body(signed_in(*permissions), LIST)
        return set(re.findall(r'<option value="(\w+)"', html))

    assert offered("view") == set()
    assert offered("view", "open") == {"download_zip", "make_links"}
    assert offered("change") == {"make_private", "revoke_links"}
    assert offered("change", "open") == {
        "download_zip",
        "make_links",
        "make_private",
        "make_public",
        "revoke_links",
    }
    assert offered("view", "delete") == {"delete_selected"}


def test_a_forbidden_action_does_nothing() -> None:
    file = save("a.txt")
    for action in ("make_public", "revoke_links", "delete_selected", "make_links"):
        run(signed_in("view"), action, [file], post="yes", lifetime="3600")
    left = row("a.txt")
    assert (left.is_public, left.link_epoch) == (False, file.link_epoch)


def test_only_staff_see_the_pages(client: Client) -> None:
    file = save("a.txt")
    client.force_login(User.objects.create_user("visitor"))
    for url in (LIST, ADD, BROWSE, page(file), page(file, "download")):
        assert client.get(url).status_code == 302


def test_a_post_needs_a_csrf_token() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("chief"))
    file = save("a.txt")
    assert strict.post(page(file), LINK).status_code == 403
