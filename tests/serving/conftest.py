"""Fixtures of tests that ask the serving view."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.storage import storages
from django.test import AsyncClient, Client
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from tests.support.mounting import ask_where_it_is
from tests.support.serving import PLAYLIST, Store


@pytest.fixture(autouse=True)
def _project_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients ask where these settings have the project: see ``tests/test_other_settings``."""
    ask_where_it_is(monkeypatch)


@pytest.fixture
def store(settings: Settings) -> Store:
    """Return a function that gives the default storage its options."""

    def make(**options: Any) -> DatabaseStorage:
        entry = settings.STORAGES["default"]
        given = {**entry.get("OPTIONS", {}), **options}
        settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": given}}
        storage = storages["default"]
        assert isinstance(storage, DatabaseStorage)
        storage.save("private.txt", b"private")
        storage.save("public.txt", b"public")
        storage.set_public("public.txt", public=True)
        return storage

    return make


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a function that asks through each kind of handler in turn."""
    if request.param == "wsgi":
        return Client().get
    # The view runs in this thread, so it sees what the test has not committed.
    return async_to_sync(AsyncClient().get)


@pytest.fixture
def film(store: Store) -> DatabaseStorage:
    """Return a storage with a film that names its parts by relative links, and another film."""
    storage = store()
    storage.save("films/7/index.m3u8", PLAYLIST)
    storage.save("films/7/parts/1.ts", b"one")
    storage.save("films/7/parts/2 b.ts", b"two")
    storage.save("films/7/page.html", b"<script>alert(1)</script>")
    storage.save("films/70/index.m3u8", b"another")
    return storage
