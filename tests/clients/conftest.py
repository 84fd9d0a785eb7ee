"""A site with files, a browser, and what its pages load."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.core.files.storage import storages

from secure_dbstorage.storage import DatabaseStorage
from tests.clients import contents
from tests.servers import npm
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.support.chromium import chromium_beside_django

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return films, songs and pictures by their names."""
    try:
        return contents.make(tmp_path_factory.mktemp("media"))
    except Unavailable as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="session")
def libraries() -> str:
    """Return the directory of the packages that pages load scripts from."""
    packages = ("hls.js@1.6.15", "htmx2@npm:htmx.org@2.0.8", "htmx4@npm:htmx.org@4.0.1")
    try:
        return str(npm.install(*packages, "pdfjs-dist@5.4.624"))
    except Unavailable as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="module")
def browser(django_db_setup: None) -> Iterator["Browser"]:
    """Return Chromium with all that a window has."""
    with chromium_beside_django(shows_documents=True) as browser:
        yield browser


@pytest.fixture
def storage() -> DatabaseStorage:
    """Return the default storage."""
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    return storage
