"""Copies between storages seal and open: what is plain in one may be encrypted in the other."""

import hashlib
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connections
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.files import LARGE, read
from tests.support.sealing import KEY, OLD_KEY, Service

#: Storages by alias, and their keys.
KEYS: dict[str, list[Any]] = {
    "plain": [],
    "encrypted": [KEY],
    "other": [OLD_KEY],
    "service": [Service()],
}

CONTENTS = {"a.txt": b"text", "dir/empty.txt": b"", "dir/large.bin": LARGE}


@pytest.fixture(autouse=True)
def _storages(settings: Settings, database: str) -> None:
    """Declare a storage for each kind of key, in each database."""
    ours = {"using": database, "chunk_size": 4096}
    settings.STORAGES = {
        **settings.STORAGES,
        **{
            alias: {
                "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
                "OPTIONS": {**ours, "namespace": alias, "encryption_keys": keys or None},
            }
            for alias, keys in KEYS.items()
        },
    }


def storage_named(alias: str) -> DatabaseStorage:
    """Return a storage."""
    storage = storages[alias]
    assert isinstance(storage, DatabaseStorage)
    return storage


def filled(alias: str) -> DatabaseStorage:
    """Return a storage with files, one of them public."""
    storage = storage_named(alias)
    for name, content in CONTENTS.items():
        storage.save(name, ContentFile(content))
    storage.set_public("a.txt", public=True)
    return storage


def copy(source: str, target: str, *options: str) -> None:
    """Copy all files in this thread, whose connection the test rolls back."""
    arguments = ("--from", source, "--to", target, "--jobs", "1")
    call_command("dbstorage_copy", *arguments, *options)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("plain", "encrypted"),
        ("encrypted", "plain"),
        ("encrypted", "other"),
        ("plain", "service"),
        ("service", "plain"),
    ],
)
def test_files_are_sealed_or_opened_on_the_way(source: str, target: str) -> None:
    before = filled(source)
    copy(source, target)
    after = storage_named(target)
    rows = StoredFile.rows.using(after.catalog.writer).in_namespace(target)
    assert {row.sealed_key is None for row in rows} == {target == "plain"}
    for name, content in CONTENTS.items():
        assert read(after, name) == read(before, name) == content
        assert after.stat(name).sha256 == hashlib.sha256(content).hexdigest()
        assert after.stat(name).is_public == (name == "a.txt")


def test_a_second_copy_finds_that_nothing_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    filled("plain")
    copy("plain", "encrypted")
    key = storage_named("encrypted").catalog.get("a.txt").content.key
    capsys.readouterr()
    copy("plain", "encrypted")
    assert "present 3" in capsys.readouterr().out
    assert storage_named("encrypted").catalog.get("a.txt").content.key == key


def test_no_transaction_waits_for_a_key_service(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled("plain")
    service: Service = KEYS["service"][0]
    depth = len(connections[database].atomic_blocks)
    found = []

    def note(what: str) -> None:
        found.append((what, len(connections[database].atomic_blocks) - depth))

    monkeypatch.setattr(service, "_note", note)
    for _ in range(2):  # New files, and files that are replaced.
        copy("plain", "service", "--overwrite")
        storage_named("plain").saves.replace("a.txt", [b"changed"])
    assert {what for what, _depth in found} == {"wrap", "unwrap"}
    assert {level for _what, level in found} == {0}
