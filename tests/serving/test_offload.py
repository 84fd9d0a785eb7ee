"""nginx sends large files from its cache, with the configuration of the example as it is."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.core.files.storage import storages
from django.db import connections
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.support.offloading import OffloadSite, offload_site
from tests.support.tokens import token_of

_MIB = 1024 * 1024

#: Three rows, and a film of six: three slices and a piece of one.
LARGE = os.urandom(600_000)
FILM = os.urandom(3 * _MIB + 5)

#: Fields that differ between any two answers, and one for connections.
_CHANGING = {"date", "server", "connection", "set-cookie"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            ("gunicorn", "default"),
            id="gunicorn-sqlite",
            marks=pytest.mark.django_db(transaction=True),
        ),
        pytest.param(
            ("uvicorn", "postgres"),
            id="uvicorn-postgres",
            marks=pytest.mark.django_db(transaction=True, databases=["postgres"]),
        ),
    ],
)
def site(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OffloadSite]:
    """Serve one database through one kind of server, for all tests."""
    kind, alias = request.param
    served = f"{alias}:{connections[alias].settings_dict['NAME']}"
    log = tmp_path_factory.mktemp("offload") / "server.log"
    try:
        with offload_site(kind, log, {"DBSTORAGE_TEST_SERVED": served}) as site:
            yield site
    except Unavailable as error:
        skip_or_fail(str(error))


@pytest.fixture
def storage(request: pytest.FixtureRequest, site: OffloadSite, settings: Settings) -> Any:
    """Return the storage that the site serves, with a large file and a film."""
    alias = request.node.callspec.params["site"][1]
    settings.SECURE_DBSTORAGE = {"AUDIENCE": "tests", "ALLOW_OVERWRITE": True}
    entry = settings.STORAGES["default"]
    settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": {"using": alias}}}
    storage = storages["default"]
    storage.save("a/large.bin", LARGE)
    storage.save("film.mp4", FILM)
    return storage


def test_a_cold_file_is_fetched_and_a_hot_one_is_not(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    url, before = storage.url("a/large.bin"), site.fetches()
    assert [site.get(url).content == LARGE for _ in range(3)] == [True] * 3
    assert site.fetches() - before == 1


def test_x(site, storage) -> None:
    for name in ("a/large.bin", "film.mp4"):
        for extra in ({}, {"range":"bytes=1200000-1200009"} if name=="film.mp4" else {"range":"bytes=5-9"}):
            url = storage.url(name)
            ours = site.ask_django(url, **extra)
            a = site.get(url, **extra)
            print(name, extra, a.status_code, ours.status_code, len(a.content), a.content == ours.content)
            for k in sorted({*a.headers, *ours.headers}):
                if a.headers.get(k) != ours.headers.get(k):
                    print("   DIFF", k, "| nginx:", a.headers.get(k), "| django:", ours.headers.get(k))
            print(dict(a.headers.multi_items()))
    storage.save("gone.bin", LARGE)
    url = storage.url("gone.bin")
    import secure_dbstorage.models as m
    r = site.get("/_content/default/1.default.")
    print(r.status_code, r.text[:200], r.headers)
    print(site.logs()[-6000:])
    assert 0
