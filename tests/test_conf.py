"""Settings: the options of a storage override the defaults for all, live and checked."""

import base64
import pprint
import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, storages
from django.test import override_settings
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from secure_dbstorage import conf
from secure_dbstorage.conf import (
    Problem,
    declared_storages,
    find_default_problems,
    find_problems,
    read_options,
)
from secure_dbstorage.options import OPTION_NAMES, default_of
from secure_dbstorage.storage import DatabaseStorage

LONG_KEY = "k" * 32
OTHER_KEY = "o" * 32


class OwnStorage(DatabaseStorage):
    """A storage that a project has derived."""


def problems(found: Any) -> list[str]:
    return [str(problem) for problem in found]


class TestReading:
    """The options of a storage."""

    def test_unset_options_have_their_defaults(self) -> None:
        options = read_options({})
        for name in OPTION_NAMES:
            if name not in ("signing_keys", "default_public"):
                assert getattr(options, name) == default_of(name)
        assert options.default_public("a.txt") is False

    def test_a_default_for_all_storages_is_followed(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"EXPIRES_IN": 60, "ALLOW_OVERWRITE": True}
        options = read_options({})
        assert (options.expires_in, options.allow_overwrite) == (60, True)

    def test_a_storages_option_overrides_the_default(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"EXPIRES_IN": 60, "URL_WINDOW": 1}
        options = read_options({"expires_in": 120})
        assert (options.expires_in, options.url_window) == (120, 1)

    def test_values_are_made_ready(self) -> None:
        options = read_options({"base_url": "/media", "default_public": True})
        assert options.base_url == "/media/"
        assert options.default_public("a.txt") is True

    def test_settings_are_read_again_each_time(self) -> None:
        with override_settings(SECURE_DBSTORAGE={"EXPIRES_IN": 60}):
            assert read_options({}).expires_in == 60
        assert read_options({}).expires_in == 3600

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"colour": 1}, "colour is not an option"),
            ({"EXPIRES_IN": 60}, "EXPIRES_IN is not an option"),
            ({"expires_in": 0}, "expires_in must be at least one second"),
            ({"using": "nowhere"}, "using must be None or an alias in DATABASES"),
            (
                {"expires_in": 61, "max_expires_in": 60},
                "expires_in must not be above max_expires_in",
            ),
            (
                {"max_expires_in": 60},
                "max_expires_in must not be below expires_in, 3600 seconds",
            ),
        ],
    )
    def test_unusable_values_are_named(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"^{message}$"):
            read_options(given)
        assert problems(find_problems(given)) == [message]

    @pytest.mark.parametrize(
        ("defaults", "given", "message"),
        [
            (
                {"MAX_EXPIRES_IN": 60},
                {},
                "SECURE_DBSTORAGE['MAX_EXPIRES_IN'] must not be below expires_in, 3600 seconds",
            ),
            (
                {"EXPIRES_IN": 61, "MAX_EXPIRES_IN": 60},
                {},
                "SECURE_DBSTORAGE['EXPIRES_IN'] must not be above max_expires_in",
            ),
            (
                {"MAX_EXPIRES_IN": 60},
                {"expires_in": 61},
                "expires_in must not be above max_expires_in",
            ),
            (
                {"EXPIRES_IN": 61},
                {"max_expires_in": 60},
                "max_expires_in must not be below expires_in, 61 seconds",
            ),
            (
                {"USING": "nowhere"},
                {},
                "SECURE_DBSTORAGE['USING'] must be None or an alias in DATABASES",
            ),
            (
                {"USING": "nowhere"},
                {"using": "not here"},
                "using must be None or an alias in DATABASES",
            ),
        ],
    )
    def test_a_value_is_named_where_it_is_written(
        self,
        settings: Settings,
        defaults: dict[str, Any],
        given: dict[str, Any],
        message: str,
    ) -> None:
        settings.SECURE_DBSTORAGE = defaults
        assert problems(find_problems(given)) == [message]
        with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(message)}$"):
            read_options(given)

    def test_a_default_that_no_storage_has_is_no_problem(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"MAX_EXPIRES_IN": 60, "USING": "nowhere"}
        assert read_options({"expires_in": 30, "using": None}).expires_in == 30

    def test_a_lifetime_at_the_cap_can_be_used(self) -> None:
        assert read_options({"expires_in": 60, "max_expires_in": 60}).expires_in == 60

    def test_a_default_that_cannot_be_used_is_named(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"CHUNK_SIZE": 1}
        with pytest.raises(ImproperlyConfigured, match=r"^SECURE_DBSTORAGE\['CHUNK_SIZE'\] must"):
            read_options({"chunk_size": 4096})


class TestProblems:
    """The problems that the checks report."""

    def test_there_are_none_by_default(self) -> None:
        assert problems(find_default_problems()) == []
        assert problems(find_problems({})) == []

    def test_all_are_found_at_once(self) -> None:
        given = {"colour": 1, "expires_in": -1, "chunk_size": 1, "using": "nowhere"}
        options = [problem.option for problem in find_problems(given)]
        assert options == ["colour", "expires_in", "chunk_size", "using"]

    def test_a_name_that_is_none_is_told_apart_from_a_value(self) -> None:
        unknown, wrong = find_problems({"colour": 1, "chunk_size": 1})
        assert unknown == Problem("colour", "is not an option", unknown=True)
        assert not wrong.unknown

    @pytest.mark.parametrize("defaults", [None, "text", 7, [("EXPIRES_IN", 60)]])
    def test_defaults_must_be_a_dictionary(self, settings: Settings, defaults: object) -> None:
        settings.SECURE_DBSTORAGE = defaults
        assert problems(find_default_problems()) == ["SECURE_DBSTORAGE must be a dictionary"]
        assert problems(find_problems({})) == []
        with pytest.raises(ImproperlyConfigured, match="must be a dictionary"):
            read_options({})

    @pytest.mark.parametrize("given", [None, [], [("expires_in", 60)], "text", 7])
    def test_options_must_be_a_dictionary(self, given: Any) -> None:
        assert problems(find_problems(given)) == ["the value must be a dictionary"]
        assert conf.uses_secret_key(given)
        with pytest.raises(ImproperlyConfigured, match=r"^the value must be a dictionary$"):
            read_options(given)

    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("expires_in", "must be written EXPIRES_IN"),
            ("Expires_In", "must be written EXPIRES_IN"),
            ("NAMESPACE", "can't be set for all storages at once"),
            ("namespace", "can't be set for all storages at once"),
            ("", "is not an option"),
            (7, "is not an option"),
            (None, "is not an option"),
            ("é", "is not an option"),
        ],
    )
    def test_defaults_have_names_in_capitals_and_no_namespace(
        self, settings: Settings, name: object, fault: str
    ) -> None:
        settings.SECURE_DBSTORAGE = {name: 60}
        (problem,) = find_default_problems()
        assert problem.unknown
        assert str(problem) == f"SECURE_DBSTORAGE[{name!r}] {fault}"

    def test_a_default_of_another_name_is_unknown(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"COLOUR": 1, "CHUNK_SIZE": 1}
        unknown, wrong = find_default_problems()
        assert (str(unknown), unknown.unknown) == (
            "SECURE_DBSTORAGE['COLOUR'] is not an option",
            True,
        )
        assert (wrong.option, wrong.unknown) == ("SECURE_DBSTORAGE['CHUNK_SIZE']", False)

    def test_a_default_counts_where_options_are_compared(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"MAX_EXPIRES_IN": 60}
        assert problems(find_problems({"expires_in": 60})) == []
        assert problems(find_problems({"expires_in": 61})) == [
            "expires_in must not be above max_expires_in"
        ]

    def test_secret_key_signs_and_its_fallbacks_verify(self, settings: Settings) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "newest", ["older", b"oldest"]
        assert read_options({}).signing_keys == (b"newest", b"older", b"oldest")

    @pytest.mark.parametrize("where", ["option", "default"])
    def test_keys_that_are_given_sign_alone(self, settings: Settings, where: str) -> None:
        keys = [LONG_KEY, OTHER_KEY]
        settings.SECURE_DBSTORAGE = {"SIGNING_KEYS": keys} if where == "default" else {}
        options = read_options({"signing_keys": keys} if where == "option" else {})
        assert options.signing_keys == (LONG_KEY.encode(), OTHER_KEY.encode())

    def test_none_asks_for_secret_key_against_a_default(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"SIGNING_KEYS": [LONG_KEY]}
        assert read_options({"signing_keys": None}).signing_keys == (settings.SECRET_KEY.encode(),)

    def test_an_empty_fallback_opens_nothing(self, settings: Settings) -> None:
        settings.SECRET_KEY_FALLBACKS = ["", b"", LONG_KEY]
        keys = (settings.SECRET_KEY.encode(), LONG_KEY.encode())
        assert read_options({}).signing_keys == keys

    def test_without_any_secret_key_nothing_is_signed(self, settings: Settings) -> None:
        settings.SECRET_KEY = ""
        with pytest.raises(ImproperlyConfigured):
            _ = read_options({}).signing_keys

    @pytest.mark.parametrize(
        ("key", "fallbacks", "known"),
        [
            ("key", [], (b"key",)),
            ("é", ["", b"", "old", b"older"], ("é".encode(), b"old", b"older")),
            ("", ["old"], (b"", b"old")),
        ],
    )
    def test_the_checks_see_each_key_with_its_setting(
        self, settings: Settings, key: str, fallbacks: list[str | bytes], known: tuple[bytes, ...]
    ) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, fallbacks
        assert conf.keys_by_setting() == {
            "SECRET_KEY": known[:1],
            "SECRET_KEY_FALLBACKS": known[1:],
        }


class TestProject:
    """The project's other settings."""

    def test_storages_of_ours_are_found_with_their_options(self, settings: Settings) -> None:
        ours = "secure_dbstorage.storage.DatabaseStorage"
        settings.STORAGES = {
            "default": {"BACKEND": ours},
            "derived": {"BACKEND": f"{__name__}.OwnStorage", "OPTIONS": {"namespace": "own"}},
            "broken": {"BACKEND": ours, "OPTIONS": None},
            "files": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "missing": {"BACKEND": "no.such.Storage"},
            "function": {"BACKEND": "os.path.join"},
            "empty": {},
        }
        assert declared_storages(DatabaseStorage) == {
            "default": {},
            "derived": {"namespace": "own"},
            "broken": None,
        }
        assert set(declared_storages(FileSystemStorage)) == {"files"}

    def test_the_cache_of_the_limits_is_django_ratelimits(self, settings: Settings) -> None:
        backend = settings.CACHES["default"]["BACKEND"]
        assert conf.ratelimit_cache() == ("default", backend)
        settings.RATELIMIT_USE_CACHE = "limits"
        assert conf.ratelimit_cache() == ("limits", "")

    def test_users_come_from_a_middleware(self, settings: Settings) -> None:
        assert conf.has_authentication()
        settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        assert not conf.has_authentication()

    def test_the_projects_directory_for_uploads_is_used(self, settings: Settings) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = "/somewhere"
        assert conf.upload_directory() == "/somewhere"

    @pytest.mark.parametrize("use_tz", [True, False])
    def test_times_are_as_the_project_wants_them(self, settings: Settings, use_tz: object) -> None:
        settings.USE_TZ = use_tz
        assert conf.uses_time_zones() is use_tz

    def test_an_unknown_option_fails_when_the_storage_is_made(self, settings: Settings) -> None:
        settings.STORAGES = {
            "default": {
                "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
                "OPTIONS": {"colour": 1},
            }
        }
        with pytest.raises(ImproperlyConfigured, match="colour is not an option"):
            storages["default"]


KEY_TEXT = "this-key-may-be-seen-by-nobody-at-all"


@pytest.mark.parametrize(
    "options",
    [
        {"signing_keys": [KEY_TEXT], "expires_in": -1},
        {"signing_keys": [KEY_TEXT.encode()], "colour": 1},
        {"signing_keys": (KEY_TEXT, "short")},
        {"encryption_keys": [KEY_TEXT]},
        {"encryption_keys": [KEY_TEXT.encode()]},
        {"encryption_keys": KEY_TEXT},
        {"encryption_keys": {KEY_TEXT: 1}},
        {"encryption_keys": [{KEY_TEXT: 1}]},
        {"encryption_keys": [base64.b64encode(KEY_TEXT[:32].encode()).decode()], "expires_in": -1},
        {"signing_keys": KEY_TEXT},
        {"signing_keys": KEY_TEXT.encode()},
        {"signing_keys": {KEY_TEXT: 1}},
        {"signing_keys": [{KEY_TEXT: 1}]},
        {"signing_keys": [KEY_TEXT + "\ud800"]},
        {"signing_keys": [KEY_TEXT], "auth_hooks": ["tests.no.such.hook"]},
        {"signing_keys": [KEY_TEXT], "default_public": "tests.test_conf.Broken.missing"},
    ],
)
@pytest.mark.parametrize("where", ["option", "setting"])
def test_no_error_report_shows_a_signing_key(
    settings: Settings, where: str, options: dict[str, Any]
) -> None:
    settings.STORAGES = settings.STORAGES | {
        "wrong": {
            "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": options if where == "option" else {},
        }
    }
    if where == "setting":
        settings.SECURE_DBSTORAGE = {name.upper(): raw for name, raw in options.items()}
    settings.DEBUG = True
    with pytest.raises(ImproperlyConfigured) as raised:
        storages["wrong"].url("a.txt", window=0)
    # Our own frame holds the key; every other is part of the report.
    error = raised.value.with_traceback(raised.tb.tb_next)
    reporter = ExceptionReporter(None, type(error), error, error.__traceback__)
    report = reporter.get_traceback_html() + reporter.get_traceback_text()
    assert "conf.py" in report
    assert KEY_TEXT not in report
    assert KEY_TEXT[:32] not in report
    assert base64.b64encode(KEY_TEXT[:32].encode()).decode() not in report


def test_a_key_shows_nothing_however_it_is_asked() -> None:
    options = read_options({"signing_keys": [LONG_KEY]})
    (key,) = options.signing_keys
    shown = f"{format(key)} {key!r} {options.signing_keys} {pprint.pformat(options.signing_keys)}"
    assert LONG_KEY not in shown
    assert key == LONG_KEY.encode()


def test_a_misspelt_option_is_named_with_its_place_and_the_right_spelling(
    settings: Settings,
) -> None:
    settings.STORAGES = settings.STORAGES | {
        "wrong": {
            "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": {"expire_in": 60},
        }
    }
    message = r"STORAGES\['wrong'\].*: expire_in is not an option; did you mean expires_in\?"
    with pytest.raises(ImproperlyConfigured, match=message):
        storages["wrong"]
