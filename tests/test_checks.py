"""System checks find settings that can't work, are not safe, or could be better."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Tags
from django.core.files.storage import FileSystemStorage
from django.core.files.storage import storages as django_storages
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections, models
from django.test.utils import isolate_apps, override_script_prefix
from django.urls import include, path
from pytest_django import Settings

from secure_dbstorage import checks
from secure_dbstorage.parsers import RATE_LIMITS
from secure_dbstorage.storage import DatabaseStorage

BACKEND = "secure_dbstorage.storage.DatabaseStorage"
SHARED_CACHE = "django.core.cache.backends.redis.RedisCache"

urlpatterns = [
    path("docs/", include("secure_dbstorage.urls", namespace="docs")),
    path("p é/", include("secure_dbstorage.urls", namespace="pages"), {"storage": "pages"}),
    path("static/", include("secure_dbstorage.urls", namespace="css"), {"storage": "staticfiles"}),
]


def messages(check: Callable[..., Iterator[CheckMessage]], **given: Any) -> list[str]:
    """Return the ids of what a check finds."""
    return [str(message.id).removeprefix("secure_dbstorage.") for message in check(**given)]


def storages(**options: dict[str, Any]) -> dict[str, Any]:
    """Return a setting ``STORAGES`` with these storages of ours."""
    return {alias: {"BACKEND": BACKEND, "OPTIONS": given} for alias, given in options.items()}


@pytest.fixture
def _one_storage(settings: Settings) -> None:
    settings.STORAGES = storages(default={})


@pytest.fixture
def another_database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the alias of a second SQLite database, which nobody connects to."""
    monkeypatch.setitem(settings.DATABASES, "another", {**settings.DATABASES["default"]})
    yield "another"
    with suppress(AttributeError):  # Django keeps the connection that a check looked at.
        del connections["another"]


class TestAll:
    """The checks as a project runs them."""

    def run(self, settings: Settings, **given: Any) -> list[str]:
        """Return the ids of all that our checks find."""
        found = django_checks.run_checks(**given)
        return sorted(str(m.id) for m in found if str(m.id).startswith("secure_dbstorage"))

    def test_a_good_project_hears_nothing(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.CACHES = {"default": {"BACKEND": SHARED_CACHE, "LOCATION": "cache"}}
        settings.SECURE_DBSTORAGE = {"TRUSTED_PROXIES": ["127.0.0.0/8"], "MAX_SIZE": 10**8}
        monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", None)
        assert self.run(settings, include_deployment_checks=True) == []

    def test_a_new_project_hears_nothing_in_development(self, settings: Settings) -> None:
        assert self.run(settings) == []

    def test_some_checks_run_only_with_deploy(self, settings: Settings) -> None:
        settings.CACHES = {"default": {"BACKEND": SHARED_CACHE, "LOCATION": "cache"}}
        settings.STORAGES = storages(
            default={"rate_limit_fail_open": True, "rate_limits": {"plain": None}}
        )
        assert self.run(settings) == []
        assert self.run(settings, include_deployment_checks=True) == [
            "secure_dbstorage.W004",
            "secure_dbstorage.W005",
            "secure_dbstorage.W006",
            "secure_dbstorage.W013",
            "secure_dbstorage.W014",
        ]

    def test_every_check_is_registered(self, settings: Settings) -> None:
        registry = django_checks.registry.registry
        ours = {
            check.__name__
            for check in registry.get_checks(include_deployment_checks=True)
            if check.__module__ == "secure_dbstorage.checks"
        }
        assert ours == {name for name in vars(checks) if name.startswith("check_")}

    def test_the_command_names_the_option(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"expires_in": 0})
        with pytest.raises(
            SystemCheckError, match=r"STORAGES\['default'\]\['OPTIONS'\]: expires_in must be"
        ):
            call_command("check", tags=[Tags.security])

    @pytest.mark.parametrize("tag", [Tags.security, Tags.compatibility])
    def test_no_check_without_a_database_asks_one(self, settings: Settings, tag: str) -> None:
        settings.STORAGES = storages(
            **{alias: {"using": alias, "namespace": "docs"} for alias in settings.DATABASES}
        )
        # Without the mark django_db a query is an error.
        django_checks.run_checks(tags=[tag], include_deployment_checks=True)


class TestOptions:
    """E001 and E002."""

    def test_good_settings_raise_no_problem(self) -> None:
        assert messages(checks.check_options) == []

    def test_an_unknown_option_is_an_error_that_lists_the_known(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"colour": 1})
        (message,) = checks.check_options()
        assert message.id == "secure_dbstorage.E001"
        assert message.msg == "STORAGES['default']['OPTIONS']: colour is not an option."
        assert "rate_limit_fail_open" in str(message.hint)

    def test_a_default_is_looked_for_as_it_is_written(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"expires_in": 60}
        (message,) = checks.check_options()
        hint = str(message.hint)
        assert hint.startswith("Did you mean EXPIRES_IN? The options are BASE_URL, ")
        assert "NAMESPACE" not in hint

    def test_a_misspelt_option_is_guessed(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"expire_in": 60})
        (message,) = checks.check_options()
        assert str(message.hint).startswith("Did you mean expires_in? The options are namespace, ")

    def test_a_value_that_cannot_be_used_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={}, other={"namespace": "a/b"})
        (message,) = checks.check_options()
        assert (message.id, message.hint) == ("secure_dbstorage.E002", None)
        assert message.msg.startswith("STORAGES['other']['OPTIONS']: namespace must be")

    def test_a_default_is_named_once_for_all_storages(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"CHUNK_SIZE": 1, "COLOUR": 1}
        found = list(checks.check_options())
        assert [message.id for message in found] == [
            "secure_dbstorage.E002",
            "secure_dbstorage.E001",
        ]
        assert found[0].msg.startswith("SECURE_DBSTORAGE['CHUNK_SIZE'] must be")

    @pytest.mark.parametrize("defaults", [None, [], "text"])
    def test_defaults_that_are_not_a_dictionary_are_one_error(
        self, settings: Settings, defaults: object
    ) -> None:
        settings.SECURE_DBSTORAGE = defaults
        assert messages(checks.check_options) == ["E002"]

    def test_a_storage_with_a_problem_is_left_to_this_check(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"expires_in": 0}, other={"expires_in": 0})
        for check in (checks.check_routes, checks.check_identities, checks.check_proxies):
            assert messages(check) == []

    @pytest.mark.parametrize("given", [None, [], "text"])
    def test_options_that_are_not_a_dictionary_are_an_error(
        self, settings: Settings, given: Any
    ) -> None:
        settings.STORAGES = storages(default={}, other=given)
        (message,) = checks.check_options()
        assert message.id == "secure_dbstorage.E002"
        assert message.msg == "STORAGES['other']['OPTIONS']: the value must be a dictionary."
        django_checks.run_checks(include_deployment_checks=True)  # Nothing else stumbles over it.


class TestFields:
    """E002, for storages that were made for the fields of models."""

    @pytest.fixture(autouse=True)
    def _own_models(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the project have the models that a test makes, and no others."""
        with isolate_apps("tests") as own:
            monkeypatch.setattr(checks, "apps", own)
            yield

    def make_model(self, storage: Any) -> type[models.Model]:
        """Return a model with a file in this storage."""

        class Book(models.Model):  # noqa: DJ008 -- nobody reads it
            cover = models.FileField(storage=storage)

            class Meta:
                app_label = "tests"

        return Book

    def test_a_value_that_cannot_be_used_is_an_error(self) -> None:
        self.make_model(DatabaseStorage(expires_in=-1))
        (message,) = checks.check_options()
        assert message.id == "secure_dbstorage.E002"
        assert (
            message.msg
            == "tests.Book.cover: expires_in must be zero or more seconds, and less than 2**31."
        )

    def test_the_storage_of_a_callable_is_looked_at(self) -> None:
        self.make_model(lambda: DatabaseStorage(chunk_size=1))
        assert messages(checks.check_options) == ["E002"]

    def test_good_settings_raise_no_problem(self) -> None:
        self.make_model(DatabaseStorage(namespace="covers"))
        assert messages(checks.check_options) == []

    def test_an_inherited_field_is_named_once(self) -> None:
        class Atlas(self.make_model(DatabaseStorage(expires_in=-1))):  # type: ignore[misc]
            class Meta:
                app_label = "tests"

        (message,) = checks.check_options()
        assert message.msg.startswith("tests.Book.cover: ")

    def test_a_storage_in_storages_is_named_once(self, settings: Settings) -> None:
        settings.STORAGES = storages(other={"expires_in": -1})
        self.make_model(lambda: django_storages["other"])
        (message,) = checks.check_options()
        assert message.msg.startswith("STORAGES['other']")

    def test_a_default_storage_that_does_not_work_is_not_set_up(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"colour": 1})
        self.make_model(None)
        assert messages(checks.check_options) == ["E001"]

    def test_storages_of_others_are_left_alone(self) -> None:
        self.make_model(FileSystemStorage())
        assert messages(checks.check_options) == []


class TestRoutes:
    """E003."""

    def test_storages_with_a_route_are_no_problem(self) -> None:
        assert messages(checks.check_routes) == []

    def test_a_storage_that_nothing_serves_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={}, papers={"namespace": "papers"})
        (message,) = checks.check_routes()
        assert message.id == "secure_dbstorage.E003"
        assert "STORAGES['papers']" in message.msg
        assert message.hint == (
            'Add path("papers/", include("secure_dbstorage.urls", namespace="papers"), '
            '{"storage": "papers"}) to your URLconf.'
        )

    @pytest.mark.parametrize(
        ("alias", "hint"),
        [
            ("default", 'Add path("files/", include("secure_dbstorage.urls")) to your URLconf.'),
            (
                "other",
                (
                    'Add path("other/", include("secure_dbstorage.urls"), {"storage": "other"}) '
                    "to your URLconf."
                ),
            ),
        ],
    )
    def test_the_hint_is_the_line_to_add(self, settings: Settings, alias: str, hint: str) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(**{alias: {}})
        (message,) = checks.check_routes()
        assert message.hint == hint

    def test_a_base_url_needs_no_route(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"namespace": "papers", "base_url": "/papers/"})
        assert messages(checks.check_routes) == []

    def test_a_route_of_the_namespace_is_one(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(default={"namespace": "docs"})
        assert messages(checks.check_routes) == []

    @pytest.mark.parametrize("prefix", ["/", "/the project/", "/files%20/"])
    def test_a_route_of_the_alias_is_one(self, settings: Settings, prefix: str) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(pages={"namespace": "pages"})
        with override_script_prefix(prefix):
            assert messages(checks.check_routes) == []

    @pytest.mark.parametrize(
        ("namespace", "served"),
        [("docs", "default"), ("pages", "pages"), ("css", "staticfiles")],
    )
    def test_a_route_that_serves_another_storage_is_an_error(
        self, settings: Settings, namespace: str, served: str
    ) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(ours={"namespace": namespace})
        (message,) = checks.check_routes()
        assert message.id == "secure_dbstorage.E003"
        assert message.msg == f"The route of STORAGES['ours'] serves STORAGES['{served}']."
        assert str(message.hint).startswith(
            f'Write its route as path("{namespace}/", include("secure_dbstorage.urls", '
            f'namespace="{namespace}"), {{"storage": "ours"}}).'
        )

    def test_one_route_serves_one_storage(self, settings: Settings, another_database: str) -> None:
        settings.STORAGES = storages(default={}, two={"using": another_database})
        (message,) = checks.check_routes()
        assert message.msg == "The route of STORAGES['two'] serves STORAGES['default']."
        assert str(message.hint) == (
            "Set the option namespace to 'two', and write its route as path(\"two/\", "
            'include("secure_dbstorage.urls", namespace="two"), {"storage": "two"}).'
        )


class TestIdentities:
    """E004."""

    def test_namespaces_of_their_own_are_no_problem(self) -> None:
        assert messages(checks.check_identities) == []

    def test_one_namespace_in_one_database_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(one={}, two={"using": "default"}, three={"namespace": "n"})
        (message,) = checks.check_identities()
        assert message.id == "secure_dbstorage.E004"
        assert message.msg == (
            "STORAGES['one'] and STORAGES['two'] have the same namespace '': each would open the "
            "other's files."
        )

    def test_one_namespace_in_two_databases_is_an_error(
        self, settings: Settings, another_database: str
    ) -> None:
        settings.STORAGES = storages(one={}, two={"using": another_database})
        assert messages(checks.check_options) == []
        (message,) = checks.check_identities()
        assert message.id == "secure_dbstorage.E004"
        assert "they share a route" in message.msg

    def test_two_namespaces_in_two_databases_are_no_problem(
        self, settings: Settings, another_database: str
    ) -> None:
        settings.STORAGES = storages(one={}, two={"using": another_database, "namespace": "two"})
        assert messages(checks.check_identities) == []

    def test_each_storage_beyond_the_first_is_named(self, settings: Settings) -> None:
        settings.STORAGES = storages(one={}, two={}, three={})
        assert messages(checks.check_identities) == ["E004", "E004"]


class TestUsers:
    """E005."""

    @pytest.mark.parametrize("key", ["user", "user_or_ip"])
    def test_limits_by_user_need_users(self, settings: Settings, key: str) -> None:
        settings.STORAGES = storages(default={"rate_limit_key": key})
        assert messages(checks.check_users) == []
        settings.MIDDLEWARE = []
        assert messages(checks.check_users) == ["E005"]

    @pytest.mark.parametrize("hook", ["authenticated", "staff"])
    def test_our_hooks_need_users(self, settings: Settings, hook: str) -> None:
        hooks = [f"secure_dbstorage.access.{hook}"]
        settings.STORAGES = storages(default={"auth_hooks": hooks})
        assert messages(checks.check_users) == []
        settings.MIDDLEWARE = []
        assert messages(checks.check_users) == ["E005"]

    def test_other_limits_need_none(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={})
        settings.MIDDLEWARE = []
        assert messages(checks.check_users) == []


class TestSecretKey:
    """W001."""

    def test_a_long_key_raises_no_problem(self) -> None:
        assert messages(checks.check_secret_key) == []

    @pytest.mark.parametrize("fallback", [False, True])
    def test_a_short_key_is_a_warning(self, settings: Settings, fallback: object) -> None:
        if fallback:
            settings.SECRET_KEY_FALLBACKS = ["short"]
        else:
            settings.SECRET_KEY = "short"
        assert messages(checks.check_secret_key) == ["W001"]

    def test_storages_with_keys_of_their_own_do_not_use_it(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        own = {"signing_keys": ["k" * 32]}
        settings.STORAGES = storages(default=own)
        assert messages(checks.check_secret_key) == []
        settings.STORAGES = storages(default=own, other={"namespace": "invoices"})
        assert messages(checks.check_secret_key) == ["W001"]

    def test_keys_for_all_storages_do_not_use_it(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        settings.SECURE_DBSTORAGE = {"SIGNING_KEYS": ["k" * 32]}
        assert messages(checks.check_secret_key) == []

    def test_a_project_without_our_storages_is_not_warned(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        settings.STORAGES = {}
        assert messages(checks.check_secret_key) == []

    @pytest.mark.parametrize("key", ["x", "k" * 31])
    def test_a_short_key_is_an_error_when_it_is_deployed(
        self, settings: Settings, key: str
    ) -> None:
        assert messages(checks.check_deployed_secret_key) == []
        settings.SECRET_KEY = key
        assert messages(checks.check_deployed_secret_key) == ["E007"]
        settings.STORAGES = storages(default={"signing_keys": ["k" * 32]})
        assert messages(checks.check_deployed_secret_key) == []


class TestCache:
    """W002."""

    @pytest.mark.parametrize(
        "backend",
        ["locmem.LocMemCache", "dummy.DummyCache", "filebased.FileBasedCache", "db.DatabaseCache"],
    )
    def test_a_cache_that_loses_count_is_a_warning(self, settings: Settings, backend: str) -> None:
        settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
        assert messages(checks.check_cache) == ["W002"]

    def test_a_shared_cache_raises_no_problem(self, settings: Settings) -> None:
        settings.CACHES = {"default": {"BACKEND": SHARED_CACHE}}
        assert messages(checks.check_cache) == []

    def test_the_cache_that_counts_is_looked_at(self, settings: Settings) -> None:
        settings.CACHES = {**settings.CACHES, "limits": {"BACKEND": SHARED_CACHE}}
        settings.RATELIMIT_USE_CACHE = "limits"
        assert messages(checks.check_cache) == []

    def test_without_limits_no_cache_counts(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(RATE_LIMITS)}
        assert messages(checks.check_cache) == []


class TestDeployment:
    """W004 to W006."""

    pytestmark = pytest.mark.usefixtures("_one_storage")

    def test_a_storage_without_proxies_is_a_reminder(self, settings: Settings) -> None:
        assert messages(checks.check_proxies) == ["W004"]
        settings.SECURE_DBSTORAGE = {"TRUSTED_PROXIES": ["127.0.0.1"]}
        assert messages(checks.check_proxies) == []

    def test_without_limits_proxies_do_not_matter(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(RATE_LIMITS)}
        assert messages(checks.check_proxies) == []

    def test_limits_that_an_outage_lifts_are_reported(self, settings: Settings) -> None:
        assert messages(checks.check_fail_open) == []
        settings.SECURE_DBSTORAGE = {"RATE_LIMIT_FAIL_OPEN": True}
        assert messages(checks.check_fail_open) == ["W005"]

    def test_kinds_without_a_limit_are_reported(self, settings: Settings) -> None:
        assert messages(checks.check_lifted_limits) == []
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": {"plain": None, "signed": None}}
        (message,) = checks.check_lifted_limits()
        assert message.id == "secure_dbstorage.W006"
        assert "signed, plain" in message.msg

    def test_uploads_without_a_limit_are_reported_for_themselves(self, settings: Settings) -> None:
        assert messages(checks.check_lifted_upload_limits) == []
        settings.SECURE_DBSTORAGE = {"RATE_LIMITS": {"begun": None, "plain": None}}
        (message,) = checks.check_lifted_upload_limits()
        assert message.id == "secure_dbstorage.W008"
        assert ": begun." in message.msg
        (message,) = checks.check_lifted_limits()
        assert ": plain." in message.msg


class TestSQLite:
    """W003 and W007."""

    pytestmark = pytest.mark.usefixtures("_one_storage")

    @pytest.fixture
    def options(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Return the OPTIONS of the SQLite database, which a test may change."""
        options = dict(connections["default"].settings_dict["OPTIONS"])
        monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)
        return options

    @pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
    def test_transactions_that_lock_at_once_are_no_problem(
        self, options: dict[str, Any], mode: str
    ) -> None:
        options["transaction_mode"] = mode
        assert messages(checks.check_sqlite_transactions) == []

    @pytest.mark.parametrize("mode", ["DEFERRED", None])
    def test_deferred_transactions_are_a_warning(
        self, options: dict[str, Any], mode: str | None
    ) -> None:
        options["transaction_mode"] = mode
        assert messages(checks.check_sqlite_transactions) == ["W003"]
        del options["transaction_mode"]
        assert messages(checks.check_sqlite_transactions) == ["W003"]

    def test_a_database_that_no_storage_uses_is_not_looked_at(
        self, settings: Settings, another_database: str, options: dict[str, Any]
    ) -> None:
        options.clear()
        settings.STORAGES = storages(default={"using": another_database})
        assert messages(checks.check_options) == []
        assert messages(checks.check_sqlite_transactions) == []

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        ("mode", "found"),
        [("wal", []), ("memory", []), ("delete", ["W007"]), ("truncate", ["W007"])],
    )
    def test_a_journal_that_blocks_readers_is_a_warning(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, found: list[str]
    ) -> None:
        ours = connections["default"].settings_dict
        # A database that nobody else has open: only such a one can change its journal.
        database = {**ours, "NAME": tmp_path / "sqlite3", "OPTIONS": {}}
        connection = connections["default"].__class__(database, "default")
        monkeypatch.setattr(checks, "connections", {"default": connection})
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(f"PRAGMA journal_mode={mode}")
            assert messages(checks.check_sqlite_journal, databases=["default"]) == []
            cursor.execute(f"CREATE TABLE {checks.StoredFile._meta.db_table} (id)")
            assert messages(checks.check_sqlite_journal, databases=["default"]) == found

    @pytest.mark.parametrize("databases", [None, [], ["another"]])
    def test_only_the_databases_being_checked_are_queried(
        self, databases: list[str] | None
    ) -> None:
        assert messages(checks.check_sqlite_journal, databases=databases) == []


class TestDatabases:
    """E006, and every database check on every database."""

    def test_a_database_with_room_for_a_chunk_raises_no_problem(self, database: str) -> None:
        for check in (checks.check_sqlite_journal, checks.check_mysql_packets):
            assert messages(check, databases=[database]) == []
        assert messages(checks.check_sqlite_transactions) == []

    def test_a_server_that_refuses_a_chunk_is_an_error(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "_STATEMENT_OVERHEAD_BYTES", 2**40)
        expected = ["E006"] if database == "mariadb" else []
        assert messages(checks.check_mysql_packets, databases=[database]) == expected
        assert messages(checks.check_mysql_packets, databases=None) == []

    def test_a_database_without_the_table_is_left_alone(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "_STATEMENT_OVERHEAD_BYTES", 2**40)
        monkeypatch.setattr(checks.StoredFile._meta, "db_table", "not_there_yet")
        for check in (checks.check_sqlite_journal, checks.check_mysql_packets):
            assert messages(check, databases=[database]) == []


def test_an_app_that_gets_ready_again_registers_no_check_twice() -> None:
    before = len(django_checks.registry.registry.get_checks(include_deployment_checks=True))
    checks.register()
    after = len(django_checks.registry.registry.get_checks(include_deployment_checks=True))
    assert after == before


class TestModels:
    """W012."""

    def test_rows_and_files_in_one_database_are_no_problem(self) -> None:
        assert messages(checks.check_models) == []

    def test_a_storage_in_a_database_of_its_own_is_named(
        self, settings: Settings, another_database: str
    ) -> None:
        settings.STORAGES = storages(default={"using": another_database})
        (message,) = checks.check_models()
        assert message.id == "secure_dbstorage.W012"
        assert message.msg == (
            "testapp.Book.text keeps its rows in DATABASES['default'] and its files in "
            "DATABASES['another']. They roll back separately."
        )

    def test_a_storage_that_does_not_work_is_left_to_others(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"using": "nowhere"})
        assert messages(checks.check_models) == []
        settings.STORAGES = storages(default={"colour": 1})
        assert messages(checks.check_models) == []


class TestHistory:
    """W016."""

    def test_versions_that_nobody_sees_are_a_problem_where_files_are_deleted(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks.apps, "is_installed", lambda app: app == "auditlog")
        assert messages(checks.check_history) == []
        settings.STORAGES = storages(default={"delete_with_instance": True})
        (message,) = checks.check_history()
        assert message.id == "secure_dbstorage.W016"
        assert "auditlog" in message.msg
        monkeypatch.setattr(checks.apps, "is_installed", lambda app: app == "reversion")
        assert messages(checks.check_history) == []


class TestSizes:
    """W013."""

    def test_a_storage_without_a_limit_is_named(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"max_size": 10**8}, other={"namespace": "other"})
        (message,) = checks.check_sizes()
        assert message.id == "secure_dbstorage.W013"
        assert "STORAGES['other']" in message.msg


class TestConnections:
    """W014 and W015."""

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"CONN_MAX_AGE": 0}, ["W014"]),
            ({"CONN_MAX_AGE": 60}, []),
            ({"CONN_MAX_AGE": None}, []),
            ({"CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}, []),
        ],
    )
    def test_a_database_that_is_connected_to_anew_is_named(
        self, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], found: list[str]
    ) -> None:
        for name, value in changes.items():
            monkeypatch.setitem(connections["default"].settings_dict, name, value)
        assert messages(checks.check_connections) == found

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": {"prepare_threshold": 5}}, ["W015"]),
            ({"DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": {}}, []),
            ({"OPTIONS": {"prepare_threshold": 5}}, []),
        ],
    )
    def test_statements_are_not_prepared_behind_a_pooler(
        self,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        changes: dict[str, Any],
        found: list[str],
    ) -> None:
        connection = connections["default"]
        monkeypatch.setattr(connection, "vendor", "postgresql")
        for name, value in changes.items():
            monkeypatch.setitem(connection.settings_dict, name, value)
        assert messages(checks.check_pgbouncer) == found
