"""Auth hooks refuse the users of the admin, too."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.access import HookGrant
from secure_dbstorage.files import FileStat
from tests.support.admin import YES, messages_of, page, row, run, save, signed_in, storage, upload

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

seen: list[tuple[str, HookGrant, Any]] = []


def only_own(request: HttpRequest, file: FileStat, grant: HookGrant) -> Any:
    """Let each user open the files below the directory of their name, and no others."""
    seen.append((file.name, grant, request.user))
    return file.name.startswith(f"{request.user.get_username()}/")


def sends_away(request: HttpRequest, file: FileStat, grant: HookGrant) -> HttpResponse:
    return HttpResponse("elsewhere")


@pytest.fixture(autouse=True)
def _hooked(settings: Settings) -> None:
    seen.clear()
    settings.SECURE_DBSTORAGE = {"AUTH_HOOKS": [only_own]}


def test_a_file_that_a_user_may_not_open_is_not_made_public(database: str, chief: Client) -> None:
    file, own = save("other/a.txt"), save("chief/a.txt")
    answer = chief.post(page(file), {"operation": "public", **YES}, follow=True)
    assert messages_of(answer) == ["You may not open “other/a.txt”."]
    if database == "default":  # The list shows the default database.
        answer = run(chief, "make_public", [file, own], **YES)
        assert messages_of(answer) == [
            "“chief/a.txt” is now public.",
            "other/a.txt: You may not open “other/a.txt”.",
        ]
        assert row("chief/a.txt").is_public
    assert not row("other/a.txt").is_public


def test_the_hook_sees_the_grant_of_a_brief_link_for_this_user(chief: Client) -> None:
    file = save("chief/a.txt")
    chief.post(page(file), {"operation": "public", **YES})
    ((name, grant, user),) = seen
    assert (name, user) == ("chief/a.txt", User.objects.get())
    assert (grant.lifetime, grant.folder, grant.link_epoch) == (60, None, file.link_epoch)
    assert storage().signer.is_for_user(grant, str(user.pk))
    assert grant.return_path.startswith("/files/chief/a.txt?token=")
    assert "token" not in repr(grant.return_path)


def test_a_hook_that_answers_itself_refuses(settings: Settings, chief: Client) -> None:
    settings.SECURE_DBSTORAGE = {"AUTH_HOOKS": [sends_away]}
    file = save("chief/a.txt")
    chief.post(page(file), {"operation": "public", **YES})
    assert not row("chief/a.txt").is_public


def test_an_upload_is_not_published_past_a_hook(database: str, chief: Client) -> None:
    answer = upload(chief, directory="other", visibility="public")
    assert "You may not open" in answer.text
    assert not storage().exists("other/a b.txt")
    upload(chief, directory="chief", visibility="public")
    assert row("chief/a b.txt").is_public


@pytest.mark.parametrize(
    ("old", "new"), [("other/a.txt", "chief/b.txt"), ("chief/a.txt", "other/b.txt")]
)
def test_both_names_of_a_rename_are_checked(
    database: str, chief: Client, old: str, new: str
) -> None:
    file = save(old)
    answer = chief.post(page(file), {"operation": "rename", "name": new, **YES})
    assert "You may not open “other/" in answer.text
    assert row(old).pk == file.pk
    assert not storage().exists(new)


def test_who_may_not_open_files_cannot_rename_one_onto_a_name_that_a_row_uses() -> None:
    file = save("other/a.txt")
    assert (
        signed_in("view", "change")
        .post(page(file), {"operation": "rename", "name": "user-0/mine.txt", **YES})
        .status_code
        == 403
    )
    assert not storage().exists("user-0/mine.txt")


def test_a_public_file_asks_no_hook(chief: Client) -> None:
    file = save("other/a.txt")
    storage().set_public("other/a.txt", True)
    chief.post(page(file), {"operation": "rename", "name": "other/b.txt", **YES})
    assert row("other/b.txt").is_public
    assert seen == []
