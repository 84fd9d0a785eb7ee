"""Unknown options and unusable values are found wherever they are set."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.files.storage import FileSystemStorage
from django.core.files.storage import storages as django_storages
from django.db import models
from django.test.utils import isolate_apps
from pytest_django import Settings

from secure_dbstorage.checks import counting, declared, options, routes
from secure_dbstorage.storage import DatabaseStorage
from tests.support.checks import messages, storages


class TestOptions:
    """E001 and E002."""

    def test_good_settings_raise_no_problem(self) -> None:
        assert messages(options.check_options) == []

    def test_an_unknown_option_is_an_error_that_lists_the_known(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"colour": 1})
        (message,) = options.check_options()
        assert message.id == "secure_dbstorage.E001"
        assert message.msg == "STORAGES['default']['OPTIONS']: colour is not an option."
        assert "rate_limit_fail_open" in str(message.hint)

    def test_a_default_is_looked_for_as_it_is_written(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"EXPIRE_IN": 60}
        (message,) = options.check_options()
        hint = str(message.hint)
        assert hint.startswith("Did you mean EXPIRES_IN? The options are BASE_URL, ")
        assert "NAMESPACE" not in hint

    def test_a_default_in_small_letters_is_told_how_to_write_it(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"expires_in": 60}
        (message,) = options.check_options()
        assert message.id == "secure_dbstorage.E001"
        assert message.msg == "SECURE_DBSTORAGE['expires_in'] must be written EXPIRES_IN."
        assert str(message.hint).startswith("The options are BASE_URL, ")

    def test_a_misspelt_option_is_guessed(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"expire_in": 60})
        (message,) = options.check_options()
        assert str(message.hint).startswith("Did you mean expires_in? The options are namespace, ")

    def test_a_value_that_cannot_be_used_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={}, other={"namespace": "a/b"})
        (message,) = options.check_options()
        assert (message.id, message.hint) == ("secure_dbstorage.E002", None)
        assert message.msg.startswith("STORAGES['other']['OPTIONS']: namespace must be")

    def test_a_default_is_named_once_for_all_storages(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"CHUNK_SIZE": 1, "COLOUR": 1}
        found = list(options.check_options())
        assert [message.id for message in found] == [
            "secure_dbstorage.E002",
            "secure_dbstorage.E001",
        ]
        assert found[0].msg.startswith("SECURE_DBSTORAGE['CHUNK_SIZE'] must be")

    @pytest.mark.parametrize(
        "defaults", [{"USING": "nope"}, {"MAX_EXPIRES_IN": 60}, {"EXPIRES_IN": 10**6}]
    )
    def test_what_all_storages_have_from_the_setting_is_named_there_once(
        self, settings: Settings, defaults: dict[str, object]
    ) -> None:
        settings.STORAGES = storages(default={}, other={"namespace": "n"})
        settings.SECURE_DBSTORAGE = defaults
        (message,) = options.check_options()
        assert message.id == "secure_dbstorage.E002"
        assert message.msg.startswith(f"SECURE_DBSTORAGE[{next(iter(defaults))!r}] must ")

    @pytest.mark.parametrize("defaults", [None, [], "text"])
    def test_defaults_that_are_not_a_dictionary_are_one_error(
        self, settings: Settings, defaults: object
    ) -> None:
        settings.SECURE_DBSTORAGE = defaults
        assert messages(options.check_options) == ["E002"]

    def test_a_storage_with_a_problem_is_left_to_this_check(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"expires_in": 0}, other={"expires_in": 0})
        for check in (routes.check_routes, routes.check_identities, counting.check_proxies):
            assert messages(check) == []

    @pytest.mark.django_db
    @pytest.mark.parametrize("given", [None, [], "text"])
    def test_options_that_are_not_a_dictionary_are_an_error(
        self, settings: Settings, given: Any
    ) -> None:
        settings.STORAGES = storages(default={}, other=given)
        (message,) = options.check_options()
        assert message.id == "secure_dbstorage.E002"
        assert message.msg == "STORAGES['other']['OPTIONS']: the value must be a dictionary."
        # Nothing else stumbles over it.
        django_checks.run_checks(databases=["default"], include_deployment_checks=True)


class TestFields:
    """E002, for storages that were made for the fields of models."""

    @pytest.fixture(autouse=True)
    def _own_models(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the project have the models that a test makes, and no others."""
        with isolate_apps("tests") as own:
            monkeypatch.setattr(declared, "apps", own)
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
        (message,) = options.check_options()
        assert message.id == "secure_dbstorage.E002"
        assert message.msg == "tests.Book.cover: expires_in must be at least one second."

    def test_the_storage_of_a_callable_is_looked_at(self) -> None:
        self.make_model(lambda: DatabaseStorage(chunk_size=1))
        assert messages(options.check_options) == ["E002"]

    def test_good_settings_raise_no_problem(self) -> None:
        self.make_model(DatabaseStorage(namespace="covers"))
        assert messages(options.check_options) == []

    def test_an_inherited_field_is_named_once(self) -> None:
        class Atlas(self.make_model(DatabaseStorage(expires_in=-1))):  # type: ignore[misc]
            class Meta:
                app_label = "tests"

        (message,) = options.check_options()
        assert message.msg.startswith("tests.Book.cover: ")

    def test_a_storage_in_storages_is_named_once(self, settings: Settings) -> None:
        settings.STORAGES = storages(other={"expires_in": -1})
        self.make_model(lambda: django_storages["other"])
        (message,) = options.check_options()
        assert message.msg.startswith("STORAGES['other']")

    def test_a_default_storage_that_does_not_work_is_not_set_up(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"colour": 1})
        self.make_model(None)
        assert messages(options.check_options) == ["E001"]

    def test_storages_of_others_are_left_alone(self) -> None:
        self.make_model(FileSystemStorage())
        assert messages(options.check_options) == []
