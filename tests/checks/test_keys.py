"""A key that can be guessed is found."""

import pytest
from pytest_django import Settings

from secure_dbstorage.checks import keys
from tests.support.checks import messages, storages


class TestSecretKey:
    """W001."""

    def test_a_long_key_raises_no_problem(self) -> None:
        assert messages(keys.check_secret_key) == []

    @pytest.mark.parametrize("fallback", [False, True])
    def test_a_short_key_is_a_warning(self, settings: Settings, fallback: object) -> None:
        if fallback:
            settings.SECRET_KEY_FALLBACKS = ["short"]
        else:
            settings.SECRET_KEY = "short"
        assert messages(keys.check_secret_key) == ["W001"]

    def test_storages_with_keys_of_their_own_do_not_use_it(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        own = {"signing_keys": ["k" * 32]}
        settings.STORAGES = storages(default=own)
        assert messages(keys.check_secret_key) == []
        settings.STORAGES = storages(default=own, other={"namespace": "invoices"})
        assert messages(keys.check_secret_key) == ["W001"]

    def test_keys_for_all_storages_do_not_use_it(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        settings.SECURE_DBSTORAGE = {"SIGNING_KEYS": ["k" * 32]}
        assert messages(keys.check_secret_key) == []

    def test_a_project_without_our_storages_is_not_warned(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        settings.STORAGES = {}
        assert messages(keys.check_secret_key) == []

    @pytest.mark.parametrize("key", ["x", "k" * 31])
    def test_a_short_key_is_an_error_when_it_is_deployed(
        self, settings: Settings, key: str
    ) -> None:
        assert messages(keys.check_deployed_secret_key) == []
        settings.SECRET_KEY = key
        assert messages(keys.check_deployed_secret_key) == ["E007"]
        settings.STORAGES = storages(default={"signing_keys": ["k" * 32]})
        assert messages(keys.check_deployed_secret_key) == []
