"""A key that can be guessed is found, and so is one that can't encrypt."""

import base64
from collections.abc import Callable, Iterator

import pytest
from django.core import checks as django_checks
from django.core.checks import CheckMessage
from pytest_django import Settings

from secure_dbstorage.checks import keys
from tests.support.checks import messages, storages
from tests.support.sealing import KEY

Check = Callable[..., Iterator[CheckMessage]]


class TestSecretKey:
    """W001."""

    def test_a_long_key_raises_no_problem(self) -> None:
        assert messages(keys.check_secret_key) == []

    def test_a_short_key_is_a_warning(self, settings: Settings) -> None:
        settings.SECRET_KEY = "short"
        settings.STORAGES = storages(one={}, own={"signing_keys": ["k" * 32]}, two={})
        (message,) = keys.check_secret_key()
        assert message.id == "secure_dbstorage.W001"
        assert message.msg == (
            "Links of STORAGES['one'], STORAGES['two'] are signed with a SECRET_KEY of fewer than "
            "32 bytes."
        )
        assert message.hint == "Make SECRET_KEY longer, or set the option signing_keys."

    @pytest.mark.parametrize(
        ("check", "level"), [(keys.check_secret_key, "W"), (keys.check_deployed_secret_key, "E")]
    )
    def test_a_short_fallback_is_named_as_what_it_is(
        self, settings: Settings, check: Check, level: str
    ) -> None:
        settings.SECRET_KEY = "k" * 55
        settings.SECRET_KEY_FALLBACKS = ["k" * 32, "short", "", "too"]
        settings.STORAGES = storages(default={})
        (message,) = check()
        assert str(message.id).startswith(f"secure_dbstorage.{level}")
        assert message.msg.startswith(
            "Links of STORAGES['default'] are accepted with a key in SECRET_KEY_FALLBACKS of "
            "fewer than 32 bytes."
        )
        assert str(message.hint).startswith("Remove the key from SECRET_KEY_FALLBACKS, ")

    def test_a_short_key_and_a_short_fallback_are_two_problems(self, settings: Settings) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "short", ["shorter"]
        assert messages(keys.check_secret_key) == ["W001", "W001"]
        assert messages(keys.check_deployed_secret_key) == ["E007", "E007"]

    @pytest.mark.parametrize(("key", "is_short"), [("é" * 16, False), ("é" * 15, True)])
    def test_bytes_are_counted(self, settings: Settings, key: str, *, is_short: bool) -> None:
        settings.SECRET_KEY = key
        assert messages(keys.check_secret_key) == ["W001"] * is_short

    def test_an_empty_key_is_a_short_one(self, settings: Settings) -> None:
        settings.SECRET_KEY = ""
        settings.STORAGES = storages(default={})
        assert messages(keys.check_secret_key) == ["W001"]
        assert messages(keys.check_deployed_secret_key) == ["E007"]

    @pytest.mark.django_db  # Checks of other apps ask a server which version it is.
    def test_storages_with_keys_of_their_own_do_without_one(self, settings: Settings) -> None:
        settings.SECRET_KEY = ""
        settings.STORAGES = storages(
            default={"signing_keys": ["k" * 32], "encryption_keys": [KEY]}
        )
        found = django_checks.run_checks(include_deployment_checks=True)
        assert "secure_dbstorage.W013" in {message.id for message in found}
        assert {message.id for message in found}.isdisjoint(
            {"secure_dbstorage.W001", "secure_dbstorage.E007", "secure_dbstorage.W009"}
        )

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


class TestEncryption:
    """E010, E011 and W009."""

    def test_a_storage_that_encrypts_raises_no_problem(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"encryption_keys": [KEY]})
        for check in (
            keys.check_encryption,
            keys.check_encrypted_offloading,
            keys.check_separate_keys,
        ):
            assert messages(check) == []

    def test_without_its_package_it_is_an_error(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("secure_dbstorage.sealing.ciphers.find_spec", lambda name: None)
        settings.STORAGES = storages(default={})
        assert messages(keys.check_encryption) == []
        settings.STORAGES = storages(default={"encryption_keys": [KEY]})
        assert messages(keys.check_encryption) == ["E010"]

    def test_one_that_offloads_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"offload": "nginx"})
        assert messages(keys.check_encrypted_offloading) == []
        settings.STORAGES = storages(default={"offload": "nginx", "encryption_keys": [KEY]})
        assert messages(keys.check_encrypted_offloading) == ["E011"]

    @pytest.mark.parametrize("place", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "signing_keys"])
    @pytest.mark.parametrize("secret", [KEY, base64.b64decode(KEY).decode()])
    def test_a_key_that_signs_is_a_warning(
        self, settings: Settings, place: str, secret: str
    ) -> None:
        options = {"encryption_keys": [KEY]}
        if place == "signing_keys":
            options["signing_keys"] = [secret]
        else:
            setattr(settings, place, secret if place == "SECRET_KEY" else [secret])
        settings.STORAGES = storages(default=options)
        assert messages(keys.check_separate_keys) == ["W009"]
