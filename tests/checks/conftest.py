"""Settings that the tests of the system checks share."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import connections
from pytest_django import Settings

from tests.support.checks import storages


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
