"""Fixtures of tests that send uploads."""

from typing import Any, Protocol

import pytest
from django.core.files.storage import storages
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from tests.support.uploads import Uploader


class Receiver(Protocol):
    """The fixture ``receiver``."""

    def __call__(self, **options: Any) -> DatabaseStorage:
        """Return the default storage with these options, and small rows."""


@pytest.fixture
def receiver(settings: Settings) -> Receiver:
    """Return a function that gives the default storage its options."""

    def make(**options: Any) -> DatabaseStorage:
        entry = settings.STORAGES["default"]
        given = {"chunk_size": 4096, **entry.get("OPTIONS", {}), **options}
        settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": given}}
        storage = storages["default"]
        assert isinstance(storage, DatabaseStorage)
        return storage

    return make


@pytest.fixture
def uploader() -> Uploader:
    """Return a client that sends uploads."""
    return Uploader()
