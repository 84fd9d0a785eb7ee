"""The arguments of a link, checked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import models
from pytest_django import Settings

from secure_dbstorage.links.limits import is_among
from secure_dbstorage.storage import DatabaseStorage
from tests.support.clocks import Clock
from tests.support.storages import saved
from tests.support.tokens import grant_of, upload_grant_of

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000
HOUR, WEEK = 3600, 604800

_UUID = UUID("12345678-9abc-def0-1234-56789abcdef0")

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


@pytest.mark.parametrize("expires_in", [1, 1.9, 60, WEEK, timedelta(minutes=5)])
def test_a_lifetime_is_seconds_or_a_timedelta(expires_in: float | timedelta, clock: Clock) -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_in=expires_in, window=0))
    seconds = expires_in.total_seconds() if isinstance(expires_in, timedelta) else expires_in
    assert (grant.issued, grant.lifetime) == (NOW, int(seconds))


@pytest.mark.parametrize(
    "expires_at",
    [
        datetime(2026, 7, 28, 13, 0, 0, tzinfo=UTC),
        datetime(2026, 7, 28, 13, 0, 0, 999_999, tzinfo=UTC),
    ],
)
def test_an_end_is_an_instant(expires_at: datetime, clock: Clock) -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_at=expires_at))
    assert grant.expires == NOW + HOUR


def test_a_naive_end_is_in_the_projects_time_zone(settings: Settings, clock: Clock) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    storage = saved("a.txt")
    end = datetime(2026, 7, 28, 22)  # noqa: DTZ001
    assert grant_of(storage, "a.txt", storage.url("a.txt", expires_at=end)).expires == NOW + HOUR


def test_a_link_lives_as_long_as_the_option_says(clock: Clock) -> None:
    storage = saved("a.txt", expires_in=120, url_window=0)
    assert grant_of(storage, "a.txt", storage.url("a.txt")).expires == NOW + 120


def test_no_link_is_made_beyond_the_cap(clock: Clock) -> None:
    storage = saved("a.txt", expires_in=60, max_expires_in=60)
    assert storage.url("a.txt", expires_in=60)
    with pytest.raises(ValueError, match="at most 60 seconds"):
        storage.url("a.txt", expires_in=61)


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


@pytest.mark.parametrize(
    "given", [lambda user: user, lambda user: user.pk, lambda user: str(user.pk)]
)
def test_a_link_can_be_for_a_user(given: Callable[[User], object]) -> None:
    user = given(User.objects.create_user("ada", pk=42))
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", user=user))
    assert storage.signer.is_for_user(grant, "42")
    assert not storage.signer.is_for_user(grant, "4")
    assert grant.network is None


@pytest.mark.parametrize(
    ("ip", "inside", "outside"),
    [
        ("203.0.113.9", ["203.0.113.9"], ["203.0.113.8", "::1"]),
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255"], ["203.0.114.0", "2001:db8::1"]),
        ("::ffff:203.0.113.9", ["203.0.113.9"], ["203.0.113.8"]),
        (ip_address("2001:db8::1"), ["2001:db8::1"], ["2001:db8::2", "1.2.3.4"]),
        (ip_network("2001:db8::/32"), ["2001:db8:ffff::1"], ["2001:db9::1", "32.1.13.184"]),
    ],
)
def test_a_link_can_be_for_an_address_or_a_network(
    ip: Any, inside: list[str], outside: list[str]
) -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", ip=ip))
    for text in inside:
        assert storage.signer.is_for_address(grant, ip_address(text))
    for text in outside:
        assert not storage.signer.is_for_address(grant, ip_address(text))


@pytest.mark.parametrize("key", ["ada", "ada@example.com", "4.2", "\u00b2"])
def test_what_no_user_can_have_is_not_a_primary_key(key: str) -> None:
    with pytest.raises(ValueError, match="not the primary key of a user"):
        DatabaseStorage().url("a.txt", user=key)


@pytest.mark.parametrize(
    ("field", "spellings", "meant"),
    [
        (models.BigAutoField(), [42, "42", "042", " 42"], "42"),
        (models.UUIDField(), [_UUID, str(_UUID), str(_UUID).upper(), _UUID.hex], str(_UUID)),
        (models.CharField(), ["Ada"], "Ada"),
    ],
    ids=["number", "UUID", "text"],
)
def test_any_spelling_of_a_primary_key_is_the_one_that_the_user_has(
    field: "models.Field[Any, Any]",
    spellings: list[object],
    meant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(User._meta, "pk", field)
    storage = saved("a.txt")
    for spelling in spellings:
        grant = grant_of(storage, "a.txt", storage.url("a.txt", user=spelling))
        assert storage.signer.is_for_user(grant, meant)


def test_a_row_of_another_model_is_not_a_user() -> None:
    with pytest.raises(ValueError, match="not a saved user"):
        DatabaseStorage().url("a.txt", user=Group.objects.create(name="staff"))


@pytest.mark.parametrize(
    "ip", ["[127.0.0.1]junk", "127.0.0.1%x", "127.0.0.1:80", "fe80::1%eth0/64", "fe80::1%eth0"]
)
def test_a_text_that_is_almost_an_address_is_refused(ip: str) -> None:
    with pytest.raises(ValueError, match=r"address|host bits"):
        DatabaseStorage().url("a.txt", ip=ip)


def test_an_address_with_the_length_of_a_network_is_told_that_network() -> None:
    text = r"^'203.0.113.7/24' has host bits set: the network is 203.0.113.0/24$"
    with pytest.raises(ValueError, match=text):
        DatabaseStorage().url("a.txt", ip="203.0.113.7/24")


def test_a_mapped_network_is_the_network_of_ipv4() -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", ip="::ffff:10.0.0.0/104"))
    assert storage.signer.is_for_address(grant, ip_address("10.1.2.3"))
    assert not storage.signer.is_for_address(grant, ip_address("11.1.2.3"))


def test_a_window_can_be_a_timedelta(clock: Clock) -> None:
    storage = saved("a.txt")
    assert storage.url("a.txt", window=timedelta(seconds=60)) == storage.url("a.txt", window=60)


@pytest.mark.parametrize("ip", ["0.0.0.0/0", "::/0", "::ffff:0:0/96", "::ffff:0.0.0.0/96"])
def test_a_link_for_every_address_is_refused_however_it_is_written(ip: str) -> None:
    storage = saved("a.txt")
    with pytest.raises(ValueError, match="is every address"):
        storage.url("a.txt", ip=ip)


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


def test_a_link_for_uploads_lives_no_longer_than_any(clock: Clock) -> None:
    storage = DatabaseStorage(max_expires_in=HOUR)
    grant = upload_grant_of(storage, storage.upload_url("a.txt", max_size=9), max_lifetime=WEEK)
    assert grant.lifetime == HOUR


@pytest.mark.parametrize(
    ("content_type", "types", "is_in"),
    [
        ("image/png", ["image/png"], True),
        ("image/png", ["image/*"], True),
        ("image/png", ["video/*", "image/*"], True),
        ("image/png", ["image/jpeg"], False),
        ("image/png", ["application/*"], False),
        ("images/png", ["image/*"], False),
    ],
)
def test_a_type_is_among_exact_ones_and_kinds(
    content_type: str, types: list[str], *, is_in: bool
) -> None:
    assert is_among(content_type, types) == is_in
