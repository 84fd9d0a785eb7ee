"""Fixtures of tests of encryption."""

from typing import Any

import pytest
from django.core.files.storage import storages
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from tests.support.sealing import KEY, Seal


@pytest.fixture
def seal(settings: Settings) -> Seal:
    """Return a function that lets the default storage encrypt."""

    def make(**options: Any) -> DatabaseStorage:
        entry = settings.STORAGES["default"]
        ours = {"chunk_size": 4096, "encryption_keys": [KEY]}
        given = {**entry.get("OPTIONS", {}), **ours, **options}
        settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": given}}
        storage = storages["default"]
        assert isinstance(storage, DatabaseStorage)
        return storage

    return make


@pytest.fixture
def storage(seal: Seal, database: str) -> DatabaseStorage:
    """Return a storage that encrypts, in each database."""
    return seal()
