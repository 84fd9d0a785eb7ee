"""Encrypted files in the admin, while their key can't be used."""

import pytest
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.sealing.services import KeyService
from tests.support.admin import body, messages_of, page, row, run, save, storage, upload
from tests.support.sealing import KEY, Service

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def encrypt(settings: Settings, *keys: str | KeyService) -> None:
    """Give the default storage these keys."""
    entry = settings.STORAGES["default"]
    options = {**entry.get("OPTIONS", {}), "encryption_keys": list(keys) or None}
    settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": options}}


def test_an_outage_of_the_key_service_is_told(
    settings: Settings, chief: Client, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    encrypt(settings, service)
    file = save("a.txt")
    service.error = OSError("down")
    answer = upload(chief)
    told = "This storage’s encryption key is not available. Try again later."
    assert f"a b.txt: {told}" in answer.text
    assert not storage().exists("a b.txt")
    (said,) = messages_of(run(chief, "download_zip", [file]))
    assert said == told
    assert "a.txt" in body(chief, page(file))
    assert caplog.messages.count("The key service 'service/1' is down") == 1


def test_a_lost_key_is_no_directory(settings: Settings, chief: Client) -> None:
    encrypt(settings, KEY)
    file = save("a.txt")
    encrypt(settings)
    (said,) = messages_of(run(chief, "download_zip", [file]))
    assert said.startswith("No key in encryption_keys has the id")
    assert "a.txt" in body(chief, page(row("a.txt")))
