"""The URLs that are made of names and terms."""

import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from itsdangerous.encoding import base64_decode, base64_encode
from pytest_django import DjangoAssertNumQueries, Settings

from secure_dbstorage.exceptions import BadToken, ExpiredToken
from secure_dbstorage.files.heads import LinkState
from secure_dbstorage.links.arguments import LinkArguments
from secure_dbstorage.links.maker import LinkMaker
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.storage import DatabaseStorage
from tests.support.clocks import Clock
from tests.support.storages import saved
from tests.support.tokens import folder_grant_of, grant_of, token_of, upload_grant_of
from tests.testapp.models import Letter

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000
HOUR, WEEK = 3600, 604800

pytestmark = pytest.mark.django_db


class TestPaths:
    """The URL's path."""

    def test_a_private_file_gets_a_signed_url_with_its_path(self) -> None:
        storage = saved("dir/a.txt")
        url = storage.url("dir/a.txt")
        assert urlsplit(url).path == "/files/dir/a.txt"
        assert grant_of(storage, "dir/a.txt", url).folder is None

    def test_a_public_file_gets_a_plain_url(self) -> None:
        assert saved("a.txt", default_public=True).url("a.txt") == "/files/a.txt"

    def test_a_missing_file_gets_a_plain_url(self) -> None:
        assert DatabaseStorage().url("lost/a.txt") == "/files/lost/a.txt"

    def test_a_directory_gets_a_plain_url(self) -> None:
        assert saved("dir/a.txt").url("dir") == "/files/dir"

    def test_a_file_is_looked_for_in_its_own_namespace(self) -> None:
        saved("a.txt")
        assert DatabaseStorage(namespace="invoices").url("a.txt") == "/invoices/a.txt"

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
        with pytest.raises(ValueError, match="at most"):
            other.url("a.txt", expires_at=expires_at)
        assert grant_of(one, "a.txt", other.url("a.txt")).folder is None

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
        assert grant_of(storage, name, url).folder is None


class TestWindows:
    """The same URL for a while."""

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

    def test_no_link_outlives_its_lifetime_or_loses_more_than_its_window(
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

    def test_expires_at_is_kept_whatever_the_window(self, clock: Clock) -> None:
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

    def test_an_end_at_the_cap_is_kept_whatever_the_window(self, clock: Clock) -> None:
        storage = saved("a.txt")
        for second in range(0, 600, 50):
            clock.now = NOW + second
            end = datetime.fromtimestamp(clock.now + WEEK, tz=UTC)
            grant = grant_of(storage, "a.txt", storage.url("a.txt", expires_at=end))
            assert grant.expires == clock.now + WEEK


class TestTokens:
    """The claims in the token of a URL."""

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
        url = storage.url("a.txt", user=4711, ip="203.0.113.9")
        claims = base64_decode(token_of(url).split(".")[4])
        assert b"4711" not in claims
        assert b"203" not in claims

    def test_a_binding_survives_the_rotation_of_keys(self) -> None:
        old, new = "o" * 32, "n" * 32
        storage = saved("a.txt", signing_keys=[old])
        token = token_of(storage.url("a.txt", user=42))
        signer = DatabaseStorage(signing_keys=[new, old]).signer
        grant = signer.unsign("a.txt", token, storage.audience, max_lifetime=WEEK, now=time.time())
        assert signer.is_for_user(grant, "42")

    def test_a_token_does_not_reveal_the_user_or_network_it_is_bound_to(self) -> None:
        digests = set()
        for key in ("a" * 32, "b" * 32):
            storage = DatabaseStorage(signing_keys=[key])
            token = token_of(storage.url(storage.save("a.txt", b""), user=42))
            digests.add(base64_decode(token.split(".")[4]))
        plain = sha256(b"user:42").digest()[:16]
        assert len(digests) == 2
        assert not any(base64_encode(plain) in digest for digest in digests)

    def test_a_link_carries_the_epoch_of_its_file(self) -> None:
        storage = saved("a.txt")
        head = storage.catalog.find("a.txt")
        assert head is not None
        assert grant_of(storage, "a.txt", storage.url("a.txt")).link_epoch == head.link_epoch


class TestFolders:
    """One URL for all files below a directory."""

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
        assert re.fullmatch(r"/files/~1[0-9a-z]{2}F-[0-9a-z.]+\.[\w-]{43}/(.*)", url)
        assert url.split("/", 3)[3] == path
        assert folder_grant_of(storage, f"{unquote(path)}f.txt", url).folder == unquote(path)[:-1]

    def test_it_asks_no_query(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(0):
            assert DatabaseStorage().folder_url("videos/7")

    def test_it_takes_terms_as_other_links_do(self) -> None:
        storage = DatabaseStorage()
        url = storage.folder_url("a", expires_in=60, attachment=True, user=42, ip="203.0.113.0/24")
        grant = folder_grant_of(storage, "a/f", url)
        assert (grant.lifetime, grant.attachment) == (60, True)
        assert storage.signer.is_for_user(grant, "42")
        assert storage.signer.is_for_address(grant, ip_address("203.0.113.9"))
        end = timezone.now() + timedelta(minutes=5)
        grant = folder_grant_of(storage, "a/f", storage.folder_url("a", expires_at=end))
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
    def test_arguments_that_make_no_sense_for_a_folder_are_errors(self, name: str) -> None:
        arguments: Any = {name: 1}
        with pytest.raises(TypeError, match=name):
            DatabaseStorage().folder_url("a", **arguments)

    @pytest.mark.parametrize(
        "arguments", [{"expires_in": 0}, {"expires_in": 10**9}, {"user": None}, {"ip": ""}]
    )
    def test_impossible_arguments_are_errors(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            DatabaseStorage().folder_url("a", **arguments)


class TestZips:
    """Links to zip archives."""

    @pytest.mark.parametrize(
        ("prefix", "path"),
        [
            ("invoices/2026", "invoices/2026"),
            ("invoices//2026/", "invoices/2026"),
            (PurePosixPath("a b/é"), "a%20b/%C3%A9"),
        ],
    )
    def test_it_is_the_directorys_path_with_a_token(self, prefix: Any, path: str) -> None:
        storage = DatabaseStorage()
        url = storage.zip_url(prefix=prefix)
        assert urlsplit(url).path == f"/files/{path}"
        grant = grant_of(storage, unquote(path), url)
        assert (grant.folder, grant.is_zip, grant.filename) == (unquote(path), True, None)

    def test_it_asks_no_query(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(0):
            assert DatabaseStorage().zip_url(prefix="invoices")

    async def test_in_an_event_loop_it_is_made_too(self) -> None:
        assert "?token=1" in DatabaseStorage().zip_url(prefix="invoices")

    def test_it_takes_terms_as_other_links_do(self) -> None:
        storage = DatabaseStorage()
        url = storage.zip_url(
            prefix="a", filename="A.zip", expires_in=60, user=42, ip="203.0.113.0/24"
        )
        grant = grant_of(storage, "a", url)
        assert (grant.lifetime, grant.filename) == (60, "A.zip")
        assert storage.signer.is_for_user(grant, "42")
        assert storage.signer.is_for_address(grant, ip_address("203.0.113.9"))

    @pytest.mark.parametrize("prefix", ["", ".", "./"])
    def test_there_is_none_for_everything(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="root"):
            DatabaseStorage().zip_url(prefix=prefix)

    @pytest.mark.parametrize("prefix", ["../a", "/a", "a\n"])
    def test_a_dangerous_prefix_is_refused(self, prefix: str) -> None:
        with pytest.raises(SuspiciousFileOperation):
            DatabaseStorage().zip_url(prefix=prefix)

    @pytest.mark.parametrize("name", ["attachment", "uses", "window", "overwrite"])
    def test_arguments_that_make_no_sense_for_it_are_errors(self, name: str) -> None:
        arguments: dict[str, Any] = {name: 1}
        with pytest.raises(TypeError, match=name):
            DatabaseStorage().zip_url(prefix="a", **arguments)

    @pytest.mark.parametrize(
        "arguments", [{"expires_in": 0}, {"user": None}, {"ip": ""}, {"filename": "a/b"}]
    )
    def test_impossible_arguments_are_errors(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"."):
            DatabaseStorage().zip_url(prefix="a", **arguments)

    def test_it_is_told_as_other_links_are(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("DEBUG", logger="secure_dbstorage.links"):
            url = DatabaseStorage().zip_url(prefix="a")
        short = token_of(url).rpartition(".")[2][:8]
        assert caplog.messages == [f"link={short} namespace='' name='a'"]

    def test_without_its_package_it_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "zipstream", None)  # As if it were not installed.
        with pytest.raises(ImproperlyConfigured, match=r"pip install 'secure-dbstorage\[zip\]'"):
            DatabaseStorage().zip_url(prefix="a")


class TestUploads:
    """Links for uploads."""

    @pytest.mark.parametrize(
        ("arguments", "path"),
        [
            ({"name": "in/é b.txt"}, "/files/in/%C3%A9%20b.txt"),
            ({"name": PurePosixPath("in/a.txt")}, "/files/in/a.txt"),
            ({"prefix": "in/42/"}, "/files/in/42/"),
            ({"prefix": ""}, "/files/~"),
            ({}, "/files/~"),
        ],
    )
    def test_the_path_says_where_an_upload_goes(
        self, arguments: dict[str, Any], path: str
    ) -> None:
        url = DatabaseStorage().upload_url(max_size=9, **arguments)
        assert url.partition("?token=")[0] == path

    def test_the_route_is_asked_though_a_cdn_serves(self) -> None:
        storage = DatabaseStorage(base_url="https://cdn.example/")
        assert storage.upload_url("a.txt", max_size=9).startswith("/files/a.txt?")
        with pytest.raises(ImproperlyConfigured):
            DatabaseStorage(namespace="other", base_url="/o/").upload_url("a.txt", max_size=9)

    @pytest.mark.parametrize("place", [{"name": "a.txt"}, {"prefix": "in"}, {}])
    def test_a_url_is_the_same_within_a_quarter_of_its_life(
        self, place: dict[str, Any], clock: Clock
    ) -> None:
        storage = DatabaseStorage()
        made = []
        for _ in range(48):
            made.append(storage.upload_url(max_size=9, **place))
            clock.now += HOUR
            assert upload_grant_of(storage, made[-1]).expires >= clock.now + 17 * HOUR
        assert len(set(made)) in (8, 9)
        assert sorted(made, key=made.index) == made

    def test_a_shorter_life_has_a_shorter_window(self, clock: Clock) -> None:
        storage = DatabaseStorage()
        made = set()
        for _ in range(60):
            made.add(storage.upload_url("a.txt", max_size=9, expires_in=40))
            clock.now += 1
        assert len(made) in (6, 7)

    def test_without_a_window_each_second_has_another(self, clock: Clock) -> None:
        storage = DatabaseStorage()
        one = storage.upload_url("a.txt", max_size=9, window=0)
        clock.now += 1
        assert storage.upload_url("a.txt", max_size=9, window=0) != one

    def test_other_terms_are_another_url(self, clock: Clock) -> None:
        storage = DatabaseStorage()
        terms: list[dict[str, Any]] = [{}, {"types": ["text/*"]}, {"user": 1}, {"max_size": 8}]
        assert len({storage.upload_url("a.txt", **{"max_size": 9, **each}) for each in terms}) == 4

    async def test_in_an_event_loop_it_is_made_too(self) -> None:
        storage = DatabaseStorage()
        made = await storage.aupload_url("a.txt", max_size=9)
        assert made == storage.upload_url("a.txt", max_size=9)

    def test_it_is_told_as_other_links_are(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("DEBUG", "secure_dbstorage.links"):
            url = DatabaseStorage().upload_url("a.txt", max_size=9)
        assert f"link={url.rpartition('.')[2][:8]} " in caplog.text


class TestKeys:
    """Links and the keys that sign them."""

    def test_a_link_survives_the_rotation_of_secret_key(self, settings: Settings) -> None:
        storage = saved("a.txt")
        url = storage.url("a.txt")
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [project.SECRET_KEY]
        assert grant_of(storage, "a.txt", url).folder is None
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
        assert grant_of(storage, "a.txt", url).folder is None

    def test_a_link_opens_nothing_in_another_namespace(self) -> None:
        storage, other = saved("a.txt"), saved("a.txt", namespace="invoices")
        with pytest.raises(BadToken):
            grant_of(other, "a.txt", storage.url("a.txt"))

    def test_a_lower_cap_shortens_existing_links(self, clock: Clock) -> None:
        storage = saved("a.txt")
        token = token_of(storage.url("a.txt", expires_in=WEEK, window=0))
        clock.now = NOW + HOUR - 1
        read = partial(storage.signer.unsign, "a.txt", token, storage.audience, max_lifetime=HOUR)
        grant = read(now=clock.now)
        assert grant.expires == NOW + HOUR
        clock.now = NOW + HOUR
        with pytest.raises(ExpiredToken):
            read(now=clock.now)

    def test_settings_that_change_are_followed(self, settings: Settings, clock: Clock) -> None:
        storage = saved("a.txt")
        with override_settings(SECURE_DBSTORAGE={"EXPIRES_IN": 60, "URL_WINDOW": 0}):
            assert grant_of(storage, "a.txt", storage.url("a.txt")).lifetime == 60
        assert grant_of(storage, "a.txt", storage.url("a.txt")).lifetime == HOUR


class TestQueries:
    """The queries of a URL."""

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

    def test_one_url_equals_the_same_url_in_a_batch(self, clock: Clock) -> None:
        storage = saved("a", "b")
        arguments: LinkArguments = {"expires_in": 60, "attachment": True, "filename": "c"}
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

    async def test_the_async_forms_give_the_same(self) -> None:
        storage = DatabaseStorage()
        assert await storage.aurl("a.txt", expires_in=60) == "/files/a.txt"
        assert await storage.aurls(["a", "b"]) == {"a": "/files/a", "b": "/files/b"}
        with pytest.raises(ValueError, match="at least one second"):
            await storage.aurl("a.txt", expires_in=0)
        # The thread that asked has a separate connection.
        await sync_to_async(connections.close_all)()


def test_a_link_is_made_without_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    storage = DatabaseStorage()
    maker = LinkMaker(StorageOptions(), storage.signer)
    with django_assert_num_queries(0):
        url = maker.batch(storage.audience).url(
            "a b.txt", LinkState(is_public=False, link_epoch=7)
        )
    assert url.startswith("/files/a%20b.txt?token=1")
    assert grant_of(storage, "a b.txt", url).link_epoch == 7


def test_urls_takes_names_and_not_one_name() -> None:
    with pytest.raises(TypeError, match="url\\(\\)"):
        DatabaseStorage().urls("abc")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (ContentFile(b"", name="a.txt"), "ContentFile: pass file.name"),
        (Letter(scan="a.txt").scan, "FieldFile: pass file.name"),
        *((b"abc", "bytes"), (7, "int")),
    ],
)
@pytest.mark.parametrize(
    "take",
    [
        DatabaseStorage.url,
        DatabaseStorage.stat,
        DatabaseStorage.exists,
        DatabaseStorage.folder_url,
        lambda storage, name: storage.urls([name]),
        lambda storage, name: storage.upload_url(name, max_size=9),
        lambda storage, name: storage.rename("a.txt", name),
    ],
)
def test_a_name_is_text_or_a_path(take: Callable[..., Any], given: object, kind: str) -> None:
    with pytest.raises(TypeError, match=f"^A name must be a str or a path, not a {kind}$"):
        take(DatabaseStorage(), given)
