"""Which storage a row belongs to."""

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from secure_dbstorage.admin.homes import (
    all_homes,
    find_by_key,
    home_database,
    home_named,
    home_of,
    key_of,
    lost_namespaces,
    namespaces_in,
)
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.uploads import begin_upload


def save(name: str, using: str, namespace: str = "") -> StoredFile:
    DatabaseStorage(using=using, namespace=namespace).save(name, ContentFile(b""))
    file: StoredFile = StoredFile.objects.using(using).get(namespace=namespace, name=name)
    return file


def test_a_row_belongs_to_the_storage_with_its_namespace_and_database(database: str) -> None:
    for namespace, alias in (("", "default"), ("invoices", "invoices")):
        home = home_of(save("a.txt", database, namespace))
        assert home is not None
        assert (home.alias, home.database) == (alias, database)
        assert list(home.files.values_list("name", flat=True)) == ["a.txt"]
    assert home_of(save("a.txt", database, "forgotten")) is None
    assert home_named("staticfiles") is None


def test_a_key_leads_back_to_its_row(database: str) -> None:
    assert home_database() == database
    file = save("a.txt", database)
    assert find_by_key(key_of(file)) == file
    assert find_by_key(f"{database}:{file.pk}") == file


@pytest.mark.django_db
@pytest.mark.parametrize(
    "key", ["", "x", "0", "-1", "1.5", "1e3", "\u0661", "9" * 18, "9" * 30, "nowhere:1", ":", "a:"]
)
def test_an_invalid_key_finds_nothing(key: str) -> None:
    assert find_by_key(key) is None


def test_a_continuation_has_no_page(database: str) -> None:
    DatabaseStorage(using=database).save("a.bin", ContentFile(b"x" * 600_000))
    continuation = StoredFile.rows.using(database).filter(name=None).first()
    assert continuation is not None
    assert find_by_key(str(continuation.pk)) is None


def test_an_unfinished_upload_has_no_page_and_no_namespace(database: str) -> None:
    upload = begin_upload(database, key=1, namespace="forgotten")
    assert find_by_key(str(upload.pk)) is None
    assert lost_namespaces() == []


def test_namespaces_are_found_without_reading_all_files(database: str) -> None:
    for namespace in ("", "forgotten", "invoices", "x-1"):
        for number in range(3):
            save(f"{number}.txt", database, namespace)
    assert namespaces_in(database) == ["", "forgotten", "invoices", "x-1"]
    assert lost_namespaces() == ["forgotten", "x-1"]


@pytest.mark.django_db
def test_without_a_storage_there_is_no_home(settings: Settings) -> None:
    settings.STORAGES = {"staticfiles": settings.STORAGES["staticfiles"]}
    assert list(all_homes()) == []
    assert home_database() == "default"
