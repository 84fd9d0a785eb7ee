"""Whose files a link opens: of the database, or of whom the project says."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.serving import Store, ask

pytestmark = pytest.mark.django_db

NAME = "films/a.txt"

#: The ways to link the file.
LINKS: dict[str, Callable[[Any], str]] = {
    "file": lambda storage: storage.url(NAME),
    "bound": lambda storage: storage.url(NAME, ip="127.0.0.1"),
    "once": lambda storage: storage.url(NAME, uses=1),
    "folder": lambda storage: storage.folder_url("films") + "a.txt",
}

_tenant: ContextVar[str] = ContextVar("tenant", default="default")


class TenantRouter:
    """Gives each tenant a database."""

    def db_for_read(self, model: object, **hints: object) -> str:
        return _tenant.get()

    db_for_write = db_for_read


@pytest.fixture
def _as_tenant() -> Iterator[None]:
    token = _tenant.set("default")
    yield
    _tenant.reset(token)


@pytest.fixture
def other(settings: Settings, database: str, _as_tenant: None) -> str:
    """Return the tenant of another database, with a file of the same name and link epoch."""
    settings.DATABASE_ROUTERS = [f"{__name__}.TenantRouter"]
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"},
    }
    for tenant in ("default", database):
        _tenant.set(tenant)
        default_storage.save(NAME, ContentFile(f"of {tenant}".encode()))
        StoredFile.objects.using(tenant).update(link_epoch=1785225600123456)
    return database


@pytest.mark.django_db(databases=["default"])
@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("kind", LINKS)
def test_a_link_into_one_database_opens_nothing_in_another(
    kind: str, other: str, client: Client
) -> None:
    for made_by, asked_of in (("default", other), (other, "default")):
        _tenant.set(made_by)
        url = LINKS[kind](default_storage)
        _tenant.set(asked_of)
        assert ask(client, url)[0] == 403
        _tenant.set(made_by)
        assert ask(client, url) == (200, f"of {made_by}".encode())


@pytest.mark.usefixtures("_as_tenant")
@pytest.mark.parametrize("kind", LINKS)
def test_a_link_is_for_whom_the_project_says(kind: str, store: Store, client: Client) -> None:
    storage = store(audience=_tenant.get)
    storage.save(NAME, ContentFile(b"private"))
    _tenant.set("acme")
    url = LINKS[kind](storage)
    for other in ("", "other", "Acme", "acme ", "default"):
        _tenant.set(other)
        assert ask(client, url)[0] == 403
    _tenant.set("acme")
    assert ask(client, url) == (200, b"private")


def test_a_word_of_the_project_stands_instead_of_the_database(database: str) -> None:
    assert DatabaseStorage(using=database).audience == Audience(database, "", "")
    for word in ("acme", ""):
        assert DatabaseStorage(using=database, audience=word).audience == Audience("", "", word)


@pytest.mark.parametrize("others", [None, "", "default"])
def test_no_word_is_taken_for_a_database(others: Any, store: Store, client: Client) -> None:
    urls = {}
    for word in (None, "", "default"):
        storage = store(audience=word)
        if not storage.exists(NAME):
            storage.save(NAME, ContentFile(b"private"))
        urls[word] = storage.url(NAME)
    store(audience=others)
    assert {word for word, url in urls.items() if ask(client, url)[0] == 200} == {others}


def test_an_audience_that_is_no_text_signs_and_opens_nothing(store: Store, client: Client) -> None:
    storage = store()
    storage.save(NAME, ContentFile(b"private"))
    url = storage.url(NAME)
    broken = store(audience=lambda: None)
    for make in LINKS.values():
        with pytest.raises(ImproperlyConfigured, match="audience returned None"):
            make(broken)
    with pytest.raises(ImproperlyConfigured, match="audience returned None"):
        client.get(url)


def test_a_request_without_a_token_does_not_ask_for_the_audience(
    store: Store, client: Client
) -> None:
    store(audience=lambda: None, default_public=True).save(NAME, ContentFile(b"public"))
    assert ask(client, f"/files/{NAME}") == (200, b"public")
