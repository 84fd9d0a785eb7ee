"""A storage that a command can't use is refused before anything is done."""

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from secure_dbstorage.management.usage import any_storage, database_storage


def test_a_storage_is_found_by_its_alias(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "memory": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "broken": {
            "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": {"chunk_size": 1},
        },
        "missing": {"BACKEND": "nowhere.Storage"},
    }
    assert database_storage("invoices").options.namespace == "invoices"
    any_storage("memory")
    with pytest.raises(CommandError, match="'memory' is not a DatabaseStorage"):
        database_storage("memory")
    for alias, text in {
        "broken": "The storage 'broken' can't be used: chunk_size",
        "missing": "nowhere",
        "no": "STORAGES has",
    }.items():
        with pytest.raises(CommandError, match=text) as caught:
            any_storage(alias)
        assert caught.value.returncode == 2
