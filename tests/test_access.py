"""The auth hooks that are shipped."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import RequestFactory

from secure_dbstorage.access import authenticated, staff
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant

REQUEST = RequestFactory().get("/files/a.txt")
FILE = FileStat(
    name="a.txt",
    size=3,
    sha256="ab" * 32,
    content_type="text/plain",
    is_public=False,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    modified=datetime(2026, 1, 1, tzinfo=UTC),
)
GRANT = Grant(link_epoch=1, issued=1, lifetime=1)


def request_by(user: Any) -> Any:
    return SimpleNamespace(user=user)


@pytest.mark.parametrize(
    ("user", "is_in", "is_staff"),
    [
        (AnonymousUser(), False, False),
        (User(username="u"), True, False),
        (User(username="u", is_staff=True), True, True),
        (User(username="u", is_superuser=True), True, False),
        (User(username="u", is_staff=True, is_active=False), True, False),
    ],
    ids=["anonymous", "user", "staff", "superuser", "inactive staff"],
)
def test_the_shipped_hooks_look_at_the_user(
    user: Any,
    is_in: bool,  # noqa: FBT001
    is_staff: bool,  # noqa: FBT001
) -> None:
    assert authenticated(request_by(user), FILE, GRANT) is is_in
    assert staff(request_by(user), FILE, GRANT) is is_staff


@pytest.mark.parametrize("truthy", [1, "yes", object()])
def test_the_shipped_hooks_answer_with_a_bool(truthy: object) -> None:
    user = SimpleNamespace(is_authenticated=truthy, is_active=truthy, is_staff=truthy)
    assert authenticated(request_by(user), FILE, GRANT) is True
    assert staff(request_by(user), FILE, GRANT) is True
