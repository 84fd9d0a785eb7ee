"""A request becomes a visit of a storage of ours, or is refused before anything is asked."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from pytest_django import Settings

from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from tests.support.serving import Store

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("alias", ["memory", "no-such"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_route_that_serves_no_storage_of_ours_has_nothing(
    store: Store,
    client: Client,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    alias: str,
    method: str,
) -> None:
    store()
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = {**settings.STORAGES, "memory": memory}
    settings.ROOT_URLCONF = (path("of/<slug:storage>/", include("secure_dbstorage.urls")),)
    with CaptureQueriesContext(connection) as queries:
        answer = client.generic(method, f"/of/{alias}/public.txt?token=secret")
    assert (answer.status_code, len(queries)) == (404, 0)
    assert REFUSAL_HEADERS.items() <= answer.headers.items()
    (logged,) = [log for log in caplog.records if log.name == "secure_dbstorage.serving"]
    assert logged.getMessage().startswith(f"A route serves STORAGES['{alias}']")
    assert "secret" not in caplog.text
