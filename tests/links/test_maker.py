"""Links: where files are served, and what each URL allows."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as project
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import (
    ImproperlyConfigured,
    SuspiciousFileOperation,
    SynchronousOnlyOperation,
)
from django.core.files.base import ContentFile
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import get_script_prefix, include, path, set_script_prefix
from django.utils import timezone, translation
from itsdangerous.encoding import base64_decode, base64_encode
from pytest_django import DjangoAssertNumQueries, Settings

from secure_dbstorage.exceptions import BadToken, ExpiredToken
from secure_dbstorage.files import LinkState
from secure_dbstorage.links.maker import LinkMaker, route_prefix
from secure_dbstorage.links.tokens import Grant
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.storage import DatabaseStorage

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000
HOUR, DAY, WEEK = 3600, 86400, 604800

pytestmark = pytest.mark.django_db

urlpatterns = i18n_patterns(path("other/", include("secure_dbstorage.urls", namespace="other")))


class Clock:
    """The time that the package sees."""

    def __init__(self) -> None:
        self.now: float = NOW

    def time(self) -> float:
        """Stand in for ``time.time()``."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Freeze the time."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock.time)
    return clock


def saved(*names: str, **options: Any) -> DatabaseStorage:
    """Return a storage that has these files."""
    storage = DatabaseStorage(**options)
    for name in names:
        assert storage.save(name, ContentFile(b"content")) == name
    return storage


def token_of(url: str) -> str:
    """Return the token of a signed URL, which has nothing else in its query."""
    query = urlsplit(url).query
    assert query.startswith("token=")
    return query.removeprefix("token=")


def grant_of(storage: DatabaseStorage, name: str, url: str, *, now: float | None = None) -> Grant:
    """Return what a signed URL grants."""
    return storage.signer.unsign(name, token_of(url), max_lifetime=WEEK, now=now)


class TestPlaces:
    """The URL's path."""

    def test_a_private_file_gets_a_signed_url_of_its_own_path(self) -> None:
        storage = saved("dir/a.txt")
        url = storage.url("dir/a.txt")
        assert urlsplit(url).path == "/files/dir/a.txt"
        assert grant_of(storage, "dir/a.txt", url)

    def test_a_public_file_gets_a_plain_url(self) -> None:
        assert saved("a.txt", default_public=True).url("a.txt") == "/files/a.txt"

    def test_a_missing_file_gets_a_plain_url(self) -> None:
        assert DatabaseStorage().url("lost/a.txt") == "/files/lost/a.txt"

    def test_a_directory_gets_a_plain_url(self) -> None:
        assert saved("dir/a.txt").url("dir") == "/files/dir"

    def test_a_namespace_is_served_by_the_route_of_its_name(self) -> None:
        storage = saved("a.txt", namespace="invoices")
        assert urlsplit(storage.url("a.txt")).path == "/invoices/a.txt"

    def test_a_file_is_looked_for_in_its_own_namespace(self) -> None:
        saved("a.txt")
        assert DatabaseStorage(namespace="invoices").url("a.txt") == "/invoices/a.txt"

    def test_a_namespace_that_nothing_serves_is_named(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"'nowhere:serve'.*base_url"):
            DatabaseStorage(namespace="nowhere").url("a.txt")

    def test_the_route_of_another_storage_is_not_taken_for_its_own(
        self, settings: Settings
    ) -> None:
        settings.ROOT_URLCONF = __name__
        assert DatabaseStorage(namespace="other").url("a.txt") == "/en-us/other/a.txt"
        with pytest.raises(ImproperlyConfigured, match="'secure_dbstorage:serve'"):
            DatabaseStorage().url("a.txt")

    @pytest.mark.parametrize(
        ("base_url", "url"),
        [
            ("/media/", "/media/a%20b.txt"),
            ("/media", "/media/a%20b.txt"),
            ("https://cdn.example.com/x/", "https://cdn.example.com/x/a%20b.txt"),
        ],
    )
    def test_a_base_url_replaces_the_route(self, base_url: str, url: str) -> None:
        storage = DatabaseStorage(base_url=base_url, namespace="nowhere")
        assert storage.url("a b.txt") == url

    def test_a_base_url_is_not_signed(self) -> None:
        one = saved("a.txt")
        other = DatabaseStorage(base_url="https://cdn.example.com/")
        expires_at = datetime(2050, 1, 1, tzinfo=UTC)
        with pytest.raises(ValueError, match="outlive"):
            other.url("a.txt", expires_at=expires_at)
        assert grant_of(one, "a.txt", other.url("a.txt"))

    @pytest.mark.parametrize("nothing", [None, "", "/", "//", ".", "./"])
    def test_no_name_is_the_base_url(self, nothing: str | None) -> None:
        storage = DatabaseStorage()
        assert storage.url(nothing) == storage.base_url == "/files/"

    @pytest.mark.parametrize(
        ("spelled", "path"),
        [
            ("//evil.com/x", "/files/evil.com/x"),
            ("/\\evil.com/x", "/files/evil.com/x"),
            ("\\\\evil.com\\x", "/files/evil.com/x"),
            ("///x", "/files/x"),
            ("https://evil.com/x", "/files/https%3A/evil.com/x"),
            ("javascript:alert(1)", "/files/javascript%3Aalert(1)"),
            ("a//b", "/files/a/b"),
            ("./a\\b", "/files/a/b"),
            ("a/\nb", "/files/a/%0Ab"),
        ],
    )
    def test_a_url_never_leaves_the_base_url(self, spelled: str, path: str) -> None:
        assert DatabaseStorage().url(spelled) == path

    @pytest.mark.parametrize("name", ["../x", "a/../x", "..\\x", "/../x", ".."])
    def test_a_name_that_leads_out_is_refused(self, name: str) -> None:
        with pytest.raises(SuspiciousFileOperation):
            DatabaseStorage().url(name)

    @pytest.mark.parametrize("spelled", ["/dir/a.txt", "dir//a.txt", "./dir/a.txt", "dir\\a.txt"])
    def test_another_spelling_gets_the_same_url(self, spelled: str, clock: Clock) -> None:
        storage = saved("dir/a.txt")
        assert storage.url(spelled) == storage.url("dir/a.txt")
        assert "?token=" in storage.url(spelled)

    @pytest.mark.parametrize(
        "name",
        [
            *("a b", "é", "e\u0301", "日本"),
            *(f"a{mark}b" for mark in "%#?;\"'&+:=~*()!,$@[]{}|^`<>"),
        ],
    )
    def test_any_name_is_quoted_so_that_it_comes_back(self, name: str) -> None:
        storage = saved(name)
        url = storage.url(name)
        assert url.isascii()
        assert unquote(urlsplit(url).path) == f"/files/{name}"
        assert not urlsplit(url).fragment
        assert grant_of(storage, name, url)

    def test_a_url_follows_the_script_prefix(self) -> None:
        storage = saved("a.txt", default_public=True)
        before = get_script_prefix()
        assert storage.url("a.txt") == "/files/a.txt"
        try:
            set_script_prefix("/site/")
            assert storage.url("a.txt") == "/site/files/a.txt"
        finally:
            set_script_prefix(before)
        assert storage.url("a.txt") == "/files/a.txt"

    def test_a_url_follows_the_urlconf(self, settings: Settings) -> None:
        storage = DatabaseStorage()
        assert storage.url("a.txt") == "/files/a.txt"
        settings.ROOT_URLCONF = "secure_dbstorage.urls"
        with pytest.raises(ImproperlyConfigured):
            storage.url("a.txt")

    @pytest.mark.parametrize(("urlconf", "looked_up"), [("tests.urls", 1), (__name__, 2)])
    def test_a_route_is_looked_up_once_or_once_for_each_language_that_changes_it(
        self,
        urlconf: str,
        looked_up: int,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked: list[str] = []

        def counting(viewname: str, **arguments: Any) -> str:
            asked.append(viewname)
            return "/somewhere/_"

        monkeypatch.setattr("secure_dbstorage.links.maker.reverse", counting)
        settings.ROOT_URLCONF = urlconf
        storage = DatabaseStorage(namespace="other" if urlconf == __name__ else "")
        for language in ("en", "de", "en", "de"):
            with translation.override(language):
                storage.urls(["a", "b"])
        assert len(asked) == looked_up

    def test_a_url_follows_the_language(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = __name__
        storage = DatabaseStorage(namespace="other")
        with translation.override("de"):
            assert storage.url("a.txt") == "/de/other/a.txt"
        with translation.override("en"):
            assert storage.url("a.txt") == "/en/other/a.txt"

    def test_the_route_of_no_namespace_is_the_packages_own(self) -> None:
        assert route_prefix("") == route_prefix("secure_dbstorage") == "/files/"


class TestArguments:
    """What a caller may ask for."""

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
                for value in (None, "", True, 1.5, [], User(), User(pk=42), AnonymousUser())
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
    def test_what_cannot_be_meant_is_refused(
        self, arguments: dict[str, Any], clock: Clock
    ) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            DatabaseStorage().url("a.txt", **arguments)

    @pytest.mark.parametrize("name", ["expire", "expires", "download"])
    def test_an_argument_that_is_not_there_is_an_error(self, name: str) -> None:
        with pytest.raises(TypeError, match=name):
            DatabaseStorage().url("a.txt", **{name: 1})

    def test_wrong_arguments_are_refused_for_public_and_missing_files_too(self) -> None:
        storage = saved("a.txt", default_public=True)
        for name in ("a.txt", "lost.txt"):
            with pytest.raises(ValueError, match="at least one second"):
                storage.url(name, expires_in=0)

    @pytest.mark.parametrize("expires_in", [1, 1.9, 60, WEEK, timedelta(minutes=5)])
    def test_a_lifetime_is_seconds_or_a_timedelta(
        self, expires_in: float | timedelta, clock: Clock
    ) -> None:
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
    def test_an_end_is_an_instant(self, expires_at: datetime, clock: Clock) -> None:
        storage = saved("a.txt")
        grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_at=expires_at))
        assert grant.expires == NOW + HOUR

    def test_a_naive_end_is_in_the_projects_time_zone(
        self, settings: Settings, clock: Clock
    ) -> None:
        settings.TIME_ZONE = "Asia/Tokyo"
        storage = saved("a.txt")
        end = datetime(2026, 7, 28, 22)  # noqa: DTZ001
        assert (
            grant_of(storage, "a.txt", storage.url("a.txt", expires_at=end)).expires == NOW + HOUR
        )

    def test_a_link_lives_as_long_as_the_option_says(self, clock: Clock) -> None:
        storage = saved("a.txt", expires_in=120, url_window=0)
        assert grant_of(storage, "a.txt", storage.url("a.txt")).expires == NOW + 120

    def test_no_link_is_made_beyond_the_cap(self, clock: Clock) -> None:
        storage = saved("a.txt", expires_in=60, max_expires_in=60)
        assert storage.url("a.txt", expires_in=60)
        with pytest.raises(ValueError, match="must not outlive 60 seconds"):
            storage.url("a.txt", expires_in=61)

    def test_an_attachment_and_its_name_are_signed(self) -> None:
        storage = saved("a.txt")
        name = 'Rechnung für Ä;".pdf'
        url = storage.url("a.txt", attachment=True, filename=name)
        grant = grant_of(storage, "a.txt", url)
        assert (grant.attachment, grant.filename) == (True, name)
        assert url.isascii()

    def test_a_link_shows_a_file_under_its_own_name_by_default(self) -> None:
        storage = saved("a.txt")
        for url in (storage.url("a.txt"), storage.url("a.txt", attachment=False)):
            grant = grant_of(storage, "a.txt", url)
            assert (grant.attachment, grant.filename) == (False, None)

    @pytest.mark.parametrize("filename", ["x" * 255, "\U0001f600" * 255, " ", "a b"])
    def test_any_name_of_one_segment_can_be_a_file_name(self, filename: str) -> None:
        storage = saved("a.txt")
        url = storage.url("a.txt", filename=filename)
        assert grant_of(storage, "a.txt", url).filename == filename


class TestWindows:
    """The same URL for a while."""

    @pytest.mark.parametrize(
        "given", [lambda user: user, lambda user: user.pk, lambda user: str(user.pk)]
    )
    def test_a_link_can_be_for_a_user(self, given: Callable[[User], object]) -> None:
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
        self, ip: Any, inside: list[str], outside: list[str]
    ) -> None:
        storage = saved("a.txt")
        grant = grant_of(storage, "a.txt", storage.url("a.txt", ip=ip))
        for text in inside:
            assert storage.signer.is_for_address(grant, ip_address(text))
        for text in outside:
            assert not storage.signer.is_for_address(grant, ip_address(text))

    def test_no_two_one_time_links_are_alike(self, clock: Clock) -> None:
        storage = saved("a.txt", "b.txt")
        urls = [storage.url("a.txt", uses=1) for _ in range(3)]
        urls += storage.urls(["a.txt", "b.txt"], uses=1).values()
        names = ["a.txt"] * 4 + ["b.txt"]
        grants = [grant_of(storage, name, url) for name, url in zip(names, urls, strict=True)]
        assert all(grant.is_for_once and grant.issued == NOW for grant in grants)
        assert len({grant.nonce for grant in grants}) == 5
        assert len({grant.use_key for grant in grants}) == 5

    def test_a_binding_does_not_tell_for_whom_it_is(self) -> None:
        storage = saved("a.txt")
        url = storage.url("a.txt", user="ada@example.com", ip="203.0.113.9")
        claims = base64_decode(token_of(url).split(".")[4])
        assert b"ada" not in claims
        assert b"203" not in claims

    def test_a_binding_survives_the_rotation_of_keys(self) -> None:
        old, new = "o" * 32, "n" * 32
        storage = saved("a.txt", signing_keys=[old])
        token = token_of(storage.url("a.txt", user=42))
        signer = DatabaseStorage(signing_keys=[new, old]).signer
        grant = signer.unsign("a.txt", token, max_lifetime=WEEK)
        assert signer.is_for_user(grant, "42")

    def test_a_url_stays_the_same_within_a_window_and_changes_after_it(self, clock: Clock) -> None:
        storage = saved("a.txt")
        changes = 0
        last = storage.url("a.txt")
        for second in range(1, 601):
            clock.now = NOW + second
            url = storage.url("a.txt")
            changes += url != last
            last = url
        assert changes == 2

    def test_no_link_outlives_what_was_asked_for_nor_loses_more_than_its_window(
        self, clock: Clock
    ) -> None:
        storage = saved("a.txt")
        ends = set()
        for second in range(300):
            clock.now = NOW + second + 0.5
            grant = grant_of(storage, "a.txt", storage.url("a.txt"))
            assert clock.now + HOUR - 301 < grant.expires <= clock.now + HOUR
            ends.add(grant.expires)
        assert len(ends) == 2

    @pytest.mark.parametrize(("expires_in", "shortest"), [(60, 45), (4, 3), (3, 3), (1, 1)])
    def test_a_window_is_at_most_a_quarter_of_the_lifetime(
        self, expires_in: int, shortest: int, clock: Clock
    ) -> None:
        storage = saved("a.txt")
        left = set()
        for second in range(60):
            clock.now = NOW + second
            url = storage.url("a.txt", expires_in=expires_in, window=HOUR)
            left.add(grant_of(storage, "a.txt", url).expires - clock.now)
        assert (min(left), max(left)) == (
            (shortest + 1, expires_in) if shortest < expires_in else (expires_in, expires_in)
        )

    def test_an_end_that_was_asked_for_is_kept_whatever_the_window(self, clock: Clock) -> None:
        storage = saved("a.txt")
        end = datetime(2026, 7, 28, 14, tzinfo=UTC)
        urls = set()
        for second in range(0, 600, 10):
            clock.now = NOW + second
            url = storage.url("a.txt", expires_at=end)
            assert grant_of(storage, "a.txt", url).expires == NOW + 2 * HOUR
            urls.add(url)
        assert len(urls) == 3

    def test_an_end_at_the_cap_is_never_exceeded(self, clock: Clock) -> None:
        storage = saved("a.txt")
        for second in range(0, 300, 7):
            clock.now = NOW + second
            end = datetime.fromtimestamp(clock.now + WEEK, UTC)
            grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_at=end))
            assert clock.now + WEEK - 300 <= grant.expires <= clock.now + WEEK

    def test_a_link_never_comes_from_the_future(self, clock: Clock) -> None:
        storage = saved("a.txt")
        for second in range(300):
            clock.now = NOW + second
            assert grant_of(storage, "a.txt", storage.url("a.txt")).issued <= clock.now

    def test_windows_of_different_names_end_at_different_times(self, clock: Clock) -> None:
        names = [f"{number}.txt" for number in range(50)]
        storage = saved(*names)
        issued = {grant_of(storage, name, url).issued for name, url in storage.urls(names).items()}
        assert len(issued) > 30

    @pytest.mark.parametrize("how", ["option", "argument"])
    def test_without_a_window_each_second_has_its_own_url(self, how: str, clock: Clock) -> None:
        storage = saved("a.txt", **({"url_window": 0} if how == "option" else {}))
        arguments: dict[str, Any] = {} if how == "option" else {"window": 0}
        urls = set()
        for second in range(10):
            clock.now = NOW + second
            urls.add(storage.url("a.txt", **arguments))
        assert len(urls) == 10

    def test_a_window_can_be_a_timedelta(self, clock: Clock) -> None:
        storage = saved("a.txt")
        assert storage.url("a.txt", window=timedelta(seconds=60)) == storage.url(
            "a.txt", window=60
        )


class TestFolders:
    """One URL for all files below a directory."""

    @staticmethod
    def grant_of(storage: DatabaseStorage, name: str, url: str) -> Grant:
        """Return what the URL of a folder grants for a file."""
        token = urlsplit(url).path.removeprefix("/files/~").partition("/")[0]
        return storage.signer.unsign_folder(name, token, max_lifetime=WEEK)

    @pytest.mark.parametrize(
        ("prefix", "path"),
        [
            ("videos", "videos/"),
            ("videos/7/", "videos/7/"),
            ("./videos//7", "videos/7/"),
            (PurePosixPath("videos/7"), "videos/7/"),
            ("a b/é%", "a%20b/%C3%A9%25/"),
        ],
    )
    def test_it_is_the_folders_path_behind_a_token(self, prefix: Any, path: str) -> None:
        storage = DatabaseStorage()
        url = storage.folder_url(prefix)
        assert re.fullmatch(r"/files/~1[0-9a-z]{2}-[0-9a-z.]+\.[\w-]{43}/(.*)", url)
        assert url.split("/", 3)[3] == path
        assert self.grant_of(storage, f"{unquote(path)}f.txt", url).folder == unquote(path)[:-1]

    def test_it_asks_no_query(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(0):
            assert DatabaseStorage().folder_url("videos/7")

    def test_it_takes_terms_as_other_links_do(self) -> None:
        storage = DatabaseStorage()
        url = storage.folder_url("a", expires_in=60, attachment=True, user=42, ip="203.0.113.0/24")
        grant = self.grant_of(storage, "a/f", url)
        assert (grant.lifetime, grant.attachment) == (60, True)
        assert storage.signer.is_for_user(grant, "42")
        assert storage.signer.is_for_address(grant, ip_address("203.0.113.9"))
        end = timezone.now() + timedelta(minutes=5)
        grant = self.grant_of(storage, "a/f", storage.folder_url("a", expires_at=end))
        assert grant.expires == int(end.timestamp())

    def test_it_stands_behind_a_base_url_too(self) -> None:
        storage = DatabaseStorage(base_url="https://cdn.example.com/f/")
        assert storage.folder_url("a").startswith("https://cdn.example.com/f/~1")

    @pytest.mark.parametrize("prefix", ["", ".", "./"])
    def test_there_is_none_for_everything(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="root"):
            DatabaseStorage().folder_url(prefix)

    @pytest.mark.parametrize("prefix", ["../a", "/a", "a/../b", "a\0b"])
    def test_a_dangerous_prefix_is_refused(self, prefix: str) -> None:
        with pytest.raises(SuspiciousFileOperation):
            DatabaseStorage().folder_url(prefix)

    @pytest.mark.parametrize("name", ["uses", "filename", "window", "expire"])
    def test_what_makes_no_sense_for_a_folder_is_an_error(self, name: str) -> None:
        with pytest.raises(TypeError, match=name):
            DatabaseStorage().folder_url("a", **{name: 1})

    @pytest.mark.parametrize(
        "arguments", [{"expires_in": 0}, {"expires_in": 10**9}, {"user": None}, {"ip": ""}]
    )
    def test_what_can_not_be_meant_is_an_error(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            DatabaseStorage().folder_url("a", **arguments)


class TestKeys:
    """Links and the keys that sign them."""

    def test_a_link_survives_the_rotation_of_secret_key(self, settings: Settings) -> None:
        storage = saved("a.txt")
        url = storage.url("a.txt")
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [project.SECRET_KEY]
        assert grant_of(storage, "a.txt", url)
        settings.SECRET_KEY_FALLBACKS = []
        with pytest.raises(BadToken):
            grant_of(storage, "a.txt", url)

    def test_keys_of_their_own_make_links_independent_of_secret_key(
        self, settings: Settings
    ) -> None:
        storage = saved("a.txt", signing_keys=["k" * 32])
        url = storage.url("a.txt")
        with pytest.raises(BadToken):
            grant_of(DatabaseStorage(), "a.txt", url)
        settings.SECRET_KEY = "another secret key of 50 characters, or even more"
        assert grant_of(storage, "a.txt", url)

    def test_a_link_opens_nothing_in_another_namespace(self) -> None:
        storage, other = saved("a.txt"), saved("a.txt", namespace="invoices")
        with pytest.raises(BadToken):
            grant_of(other, "a.txt", storage.url("a.txt"))

    def test_a_lower_cap_shortens_links_that_are_out(self, clock: Clock) -> None:
        storage = saved("a.txt")
        token = token_of(storage.url("a.txt", expires_in=WEEK, window=0))
        storage.signer.unsign("a.txt", token, max_lifetime=HOUR, now=NOW + HOUR - 1)
        with pytest.raises(ExpiredToken):
            storage.signer.unsign("a.txt", token, max_lifetime=HOUR, now=NOW + HOUR)

    def test_a_link_carries_the_epoch_of_its_file(self) -> None:
        storage = saved("a.txt")
        head = storage.catalog.find("a.txt")
        assert head is not None
        assert grant_of(storage, "a.txt", storage.url("a.txt")).links_from == head.link_epoch

    def test_settings_that_change_are_followed(self, settings: Settings, clock: Clock) -> None:
        storage = saved("a.txt")
        with override_settings(SECURE_DBSTORAGE={"EXPIRES_IN": 60, "URL_WINDOW": 0}):
            assert grant_of(storage, "a.txt", storage.url("a.txt")).lifetime == 60
        assert grant_of(storage, "a.txt", storage.url("a.txt")).lifetime == HOUR


class TestQueries:
    """What a URL asks the database."""

    def test_a_url_takes_one_small_query(self, database: str) -> None:
        storage = saved("a.txt", using=database)
        with CaptureQueriesContext(connections[database]) as queries:
            assert "?token=" in storage.url("a.txt")
        (query,) = queries.captured_queries
        assert not re.search(r"\bdata\b", query["sql"])

    def test_any_number_of_urls_takes_one_query(self, database: str) -> None:
        names = [f"{number}.txt" for number in range(100)]
        storage = saved(*names, using=database)
        storage.set_public("7.txt", True)
        asked = [*names, "lost.txt", "", "a\0b"]
        with CaptureQueriesContext(connections[database]) as queries:
            urls = storage.urls(asked)
        assert len(queries) == 1
        assert list(urls) == asked
        assert {name for name in asked if "?token=" not in urls[name]} == {
            "7.txt",
            "lost.txt",
            "",
            "a\0b",
        }

    def test_names_that_look_alike_get_links_of_their_own(self, database: str) -> None:
        names = ["Cs.txt", "cs.txt", "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\u0301", "a", "a "]
        storage = saved(*names[::2], using=database)
        signed = [name for name, url in storage.urls(names).items() if "?token=" in url]
        assert signed == names[::2]

    def test_a_url_without_a_name_takes_no_query(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        storage = DatabaseStorage()
        with django_assert_num_queries(0):
            storage.url(None)
            storage.urls([])
            assert storage.base_url == "/files/"

    def test_urls_are_found_by_the_names_as_they_were_given(self) -> None:
        storage = saved("a/b.txt")
        names = ["a/b.txt", "/a/b.txt", "a\\b.txt", None]
        urls = storage.urls(names)
        assert list(urls) == names
        assert urls["/a/b.txt"] == urls["a\\b.txt"] == urls["a/b.txt"]

    def test_many_names_may_come_from_any_iterable(self) -> None:
        storage = saved("a", "b")
        assert set(storage.urls(name for name in ("a", "b"))) == {"a", "b"}

    def test_one_url_is_what_many_are(self, clock: Clock) -> None:
        storage = saved("a", "b")
        arguments = {"expires_in": 60, "attachment": True, "filename": "c"}
        assert storage.urls(["a", "b"], **arguments) == {
            name: storage.url(name, **arguments) for name in ("a", "b")
        }

    def test_a_flag_that_changes_is_followed_at_once(self) -> None:
        storage = saved("a.txt")
        assert "?token=" in storage.url("a.txt")
        storage.set_public("a.txt", True)
        assert "?token=" not in storage.url("a.txt")


@pytest.mark.django_db(transaction=True)
class TestAsync:
    """The same in async code."""

    async def test_the_sync_forms_name_the_async_ones(self) -> None:
        storage = DatabaseStorage()
        with pytest.raises(SynchronousOnlyOperation, match=r"aurl\(\)"):
            storage.url("a.txt")
        with pytest.raises(SynchronousOnlyOperation, match=r"aurls\(\)"):
            storage.urls(["a.txt"])

    async def test_the_async_forms_give_the_same(self) -> None:
        storage = DatabaseStorage()
        assert await storage.aurl("a.txt", expires_in=60) == "/files/a.txt"
        assert await storage.aurls(["a", "b"]) == {"a": "/files/a", "b": "/files/b"}
        with pytest.raises(ValueError, match="at least one second"):
            await storage.aurl("a.txt", expires_in=0)
        # The thread that asked has a connection of its own.
        await sync_to_async(connections.close_all)()


def test_a_link_is_made_without_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    storage = DatabaseStorage()
    maker = LinkMaker(StorageOptions(), storage.signer)
    with django_assert_num_queries(0):
        url = maker.making(maker.terms())("a b.txt", LinkState(False, 7))
    assert url.startswith("/files/a%20b.txt?token=1")
    assert grant_of(storage, "a b.txt", url).links_from == 7


def test_urls_takes_names_and_not_one_name() -> None:
    with pytest.raises(TypeError, match="url\\(\\)"):
        DatabaseStorage().urls("abc")


@pytest.mark.django_db
def test_bytes_are_no_name() -> None:
    with pytest.raises(TypeError):
        DatabaseStorage().url(b"abc")  # type: ignore[arg-type]


class TestFindings:
    """What would have bound a link to somebody else."""

    def test_a_row_of_another_model_is_no_user(self) -> None:
        with pytest.raises(ValueError, match="not a user"):
            DatabaseStorage().url("a.txt", user=Group.objects.create(name="staff"))

    @pytest.mark.parametrize(
        "ip", ["[127.0.0.1]junk", "127.0.0.1%x", "127.0.0.1:80", "fe80::1%eth0/64", "fe80::1%eth0"]
    )
    def test_what_is_almost_an_address_is_refused(self, ip: str) -> None:
        with pytest.raises(ValueError, match="address"):
            DatabaseStorage().url("a.txt", ip=ip)

    def test_a_mapped_network_is_the_network_of_ipv4(self) -> None:
        storage = saved("a.txt")
        grant = grant_of(storage, "a.txt", storage.url("a.txt", ip="::ffff:10.0.0.0/104"))
        assert storage.signer.is_for_address(grant, ip_address("10.1.2.3"))
        assert not storage.signer.is_for_address(grant, ip_address("11.1.2.3"))

    def test_an_end_at_the_cap_is_kept_whatever_the_window(self, clock: Clock) -> None:
        storage = saved("a.txt")
        for second in range(0, 600, 50):
            clock.now = NOW + second
            end = datetime.fromtimestamp(clock.now + WEEK, tz=UTC)
            grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_at=end), now=clock.now)
            assert grant.expires == clock.now + WEEK

    def test_what_is_bound_to_is_hidden_by_the_key(self) -> None:
        digests = set()
        for key in ("a" * 32, "b" * 32):
            storage = DatabaseStorage(signing_keys=[key])
            token = token_of(storage.url(storage.save("a.txt", b""), user=42))
            digests.add(base64_decode(token.split(".")[4]))
        plain = sha256(b"user:42").digest()[:16]
        assert len(digests) == 2
        assert not any(base64_encode(plain) in digest for digest in digests)
