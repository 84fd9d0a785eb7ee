"""The path under which a namespace is served."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.exceptions import (
    ImproperlyConfigured,
)
from django.urls import clear_url_caches, get_script_prefix, include, path, set_script_prefix
from django.utils import translation
from pytest_django import Settings

from secure_dbstorage.links import routes
from secure_dbstorage.links.routes import route_prefix
from secure_dbstorage.storage import DatabaseStorage
from tests.support.storages import saved

pytestmark = pytest.mark.django_db

urlpatterns = i18n_patterns(path("other/", include("secure_dbstorage.urls", namespace="other")))


def test_a_namespace_is_served_by_the_route_of_its_name() -> None:
    storage = saved("a.txt", namespace="invoices")
    assert urlsplit(storage.url("a.txt")).path == "/invoices/a.txt"


def test_a_namespace_that_nothing_serves_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"'nowhere:serve'.*base_url"):
        DatabaseStorage(namespace="nowhere").url("a.txt")


def test_the_route_of_another_storage_is_not_taken_for_its_own(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    assert DatabaseStorage(namespace="other").url("a.txt") == "/en-us/other/a.txt"
    with pytest.raises(ImproperlyConfigured, match="'secure_dbstorage:serve'"):
        DatabaseStorage().url("a.txt")


def test_a_url_follows_the_script_prefix() -> None:
    storage = saved("a.txt", default_public=True)
    before = get_script_prefix()
    assert storage.url("a.txt") == "/files/a.txt"
    try:
        set_script_prefix("/site/")
        assert storage.url("a.txt") == "/site/files/a.txt"
    finally:
        set_script_prefix(before)
    assert storage.url("a.txt") == "/files/a.txt"


def test_a_url_follows_the_urlconf(settings: Settings) -> None:
    storage = DatabaseStorage()
    assert storage.url("a.txt") == "/files/a.txt"
    settings.ROOT_URLCONF = "secure_dbstorage.urls"
    with pytest.raises(ImproperlyConfigured):
        storage.url("a.txt")


@pytest.mark.parametrize(("urlconf", "looked_up"), [("tests.urls", 1), (__name__, 2)])
def test_a_route_is_looked_up_once_or_once_for_each_language_that_changes_it(
    urlconf: str,
    looked_up: int,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def counting(viewname: str, **arguments: Any) -> str:
        asked.append(viewname)
        return "/somewhere/_"

    monkeypatch.setattr("secure_dbstorage.links.routes.reverse", counting)
    settings.ROOT_URLCONF = urlconf
    storage = DatabaseStorage(namespace="other" if urlconf == __name__ else "")
    for language in ("en", "de", "en", "de"):
        with translation.override(language):
            storage.urls(["a", "b"])
    assert len(asked) == looked_up


def test_a_url_follows_the_language(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    storage = DatabaseStorage(namespace="other")
    with translation.override("de"):
        assert storage.url("a.txt") == "/de/other/a.txt"
    with translation.override("en"):
        assert storage.url("a.txt") == "/en/other/a.txt"


def test_the_route_of_no_namespace_is_the_packages_own() -> None:
    assert route_prefix("") == route_prefix("secure_dbstorage") == "/files/"


def test_a_route_that_changes_is_found_after_django_forgets_urls(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ROOT_URLCONF = __name__
    with translation.override("de"):
        assert route_prefix("other") == "/de/other/"
        moved = i18n_patterns(path("moved/", include("secure_dbstorage.urls", namespace="other")))
        monkeypatch.setitem(globals(), "urlpatterns", moved)
        clear_url_caches()
        assert route_prefix("other") == "/de/moved/"
    clear_url_caches()


def test_the_caches_are_bounded() -> None:
    for cache in (routes._prefix, routes._is_translated):
        assert cache.cache_parameters()["maxsize"] is not None
