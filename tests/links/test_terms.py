"""The arguments of a link, checked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from secure_dbstorage.storage import DatabaseStorage
from tests.support.clocks import Clock
from tests.support.storages import saved
from tests.support.tokens import grant_of, upload_grant_of

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000
HOUR, WEEK = 3600, 604800

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            {"expires_in": value}
            for value in (
                0,
                0.5,
                -1,
                WEEK + 1,
                float("nan"),
                float("inf"),
                float("-inf"),
                10**400,
                True,
                False,
                None,
                "60",
                b"60",
                1j,
                timedelta(0),
                timedelta(seconds=-1),
                timedelta(days=8),
                timedelta.max,
                datetime(2050, 1, 1, tzinfo=UTC),
            )
        ),
        *(
            {"expires_at": value}
            for value in (
                None,
                NOW + 60,
                True,
                "2026-07-28T13:00:00Z",
                timedelta(hours=1),
                datetime(2026, 7, 28, tzinfo=UTC).date(),
                datetime(2026, 7, 28, 12, 0, 0, tzinfo=UTC),
                datetime(2026, 7, 28, 11, 59, 59, tzinfo=UTC),
                datetime(2026, 8, 4, 12, 0, 1, tzinfo=UTC),
                datetime.min.replace(tzinfo=UTC),
                datetime.max.replace(tzinfo=UTC),
                datetime.min,  # noqa: DTZ901
                datetime.max,  # noqa: DTZ901
            )
        ),
        {"expires_in": 60, "expires_at": datetime(2026, 7, 28, 13, tzinfo=UTC)},
        *({"attachment": value} for value in (None, 1, 0, "yes", "")),
        *(
            {"filename": value}
            for value in (
                None,
                "",
                ".",
                "..",
                "a/b",
                "a\\b",
                "/a",
                "a\nb",
                "a\r\nSet-Cookie: x",
                "a\0",
                "\ud800",
                "x" * 256,
                7,
                b"a",
                ["a"],
            )
        ),
        *({"window": value} for value in (None, -1, True, float("nan"), float("inf"), "300")),
        *({"uses": value} for value in (None, 0, 2, -1, True, 1.5, "1")),
        {"uses": 1, "window": 300},
        *(
            {"user": value}
            for value in (None, "", True, 1.5, ["7"], User(), User(pk=42), AnonymousUser())
        ),
        *(
            {"ip": value}
            for value in (
                None,
                "",
                "nowhere",
                "1.2.3.4/33",
                "203.0.113.9/24",
                "0.0.0.0/0",
                "::/0",
                5,
                True,
                b"1.2.3.4",
            )
        ),
    ],
    ids=lambda arguments: ascii(arguments)[:60],
)
def test_impossible_values_are_refused(arguments: dict[str, Any], clock: Clock) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        DatabaseStorage().url("a.txt", **arguments)


@pytest.mark.parametrize("name", ["expire", "expires", "download"])
def test_an_argument_that_is_not_there_is_an_error(name: str) -> None:
    arguments: Any = {name: 1}
    with pytest.raises(TypeError, match=name):
        DatabaseStorage().url("a.txt", **arguments)


def test_wrong_arguments_are_refused_for_public_and_missing_files_too() -> None:
    storage = saved("a.txt", default_public=True)
    for name in ("a.txt", "lost.txt"):
        with pytest.raises(ValueError, match="at least one second"):
            storage.url(name, expires_in=0)


def test_an_attachment_and_its_name_are_signed() -> None:
    storage = saved("a.txt")
    name = 'Rechnung für Ä;".pdf'
    url = storage.url("a.txt", attachment=True, filename=name)
    grant = grant_of(storage, "a.txt", url)
    assert (grant.attachment, grant.filename) == (True, name)
    assert url.isascii()


def test_a_link_shows_a_file_under_its_own_name_by_default() -> None:
    storage = saved("a.txt")
    for url in (storage.url("a.txt"), storage.url("a.txt", attachment=False)):
        grant = grant_of(storage, "a.txt", url)
        assert (grant.attachment, grant.filename) == (False, None)


@pytest.mark.parametrize("filename", ["x" * 255, "\U0001f600" * 255, " ", "a b"])
def test_any_name_of_one_segment_can_be_a_file_name(filename: str) -> None:
    storage = saved("a.txt")
    url = storage.url("a.txt", filename=filename)
    assert grant_of(storage, "a.txt", url).filename == filename


# --- uploads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        *({"max_size": value} for value in (None, 0, -1, 1.5, True, "9", 10**15 + 1)),
        *({"max_size": 9, "expires_in": value} for value in (0, WEEK + 1, None, float("nan"))),
        {"max_size": 9, "expires_in": 60, "expires_at": datetime(2026, 7, 28, 13, tzinfo=UTC)},
        *({"max_size": 9, "window": value} for value in (-1, None, float("inf"))),
        *({"max_size": 9, "user": value} for value in (None, "", AnonymousUser(), True)),
        *({"max_size": 9, "ip": value} for value in (None, "", "0.0.0.0/0")),
        *({"max_size": 9, "overwrite": value} for value in (None, 1, "yes")),
        *({"max_size": 9, "sha256": value} for value in (None, "", "ab" * 31, "xy" * 32, b"")),
        *(
            {"max_size": 9, "types": value}
            for value in (
                *(None, [], "text/plain", {"text/plain"}),
                *(["text/*", "*/*"], ["text"], ["Text/plain"], [None], ["text/plain; x=y"]),
                ["text/plain", *[f"x/{'a' * 90}{number}" for number in range(20)]],
                ["image/*"],
            )
        ),
    ],
    ids=lambda arguments: ascii(arguments)[:60],
)
def test_impossible_values_of_an_upload_are_refused(
    arguments: dict[str, Any], clock: Clock
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        DatabaseStorage().upload_url("a.txt", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": None},
        {"prefix": None},
        {"name": "a.txt", "prefix": "in"},
        {"prefix": "in", "overwrite": True},
        {"overwrite": True},
    ],
    ids=ascii,
)
def test_a_place_that_can_not_be_meant_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        DatabaseStorage().upload_url(max_size=9, **arguments)


@pytest.mark.parametrize("name", ["uses", "attachment", "filename", "size"])
def test_an_argument_that_an_upload_has_not_is_an_error(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        DatabaseStorage().upload_url("a.txt", max_size=9, **{name: 1})


def test_the_option_is_the_limit_that_an_upload_may_lower() -> None:
    storage = DatabaseStorage(max_size=100)
    assert upload_grant_of(storage, storage.upload_url("a.txt")).max_size == 100
    assert upload_grant_of(storage, storage.upload_url("a.txt", max_size=9)).max_size == 9
    with pytest.raises(ValueError, match="100 bytes"):
        storage.upload_url("a.txt", max_size=101)


def test_what_an_upload_may_be_is_signed(clock: Clock) -> None:
    storage = DatabaseStorage()
    url = storage.upload_url(
        "a.txt", max_size=9, types=["text/*"], overwrite=True, sha256="AB" * 32, user=7
    )
    grant = upload_grant_of(storage, url)
    assert (grant.types, grant.overwrite, grant.sha256) == (("text/*",), True, "ab" * 32)
    assert storage.signer.is_for_user(grant, "7")
    assert grant.lifetime == 24 * HOUR
