"""Signals about saved and deleted files, and when they are sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import transaction
from django.dispatch import Signal
from django.test import Client
from django.utils import timezone

from secure_dbstorage import signals
from secure_dbstorage.models import StoredFile
from secure_dbstorage.signals import link_made
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.verification import verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told() -> Iterator[list[tuple[Any, ...]]]:
    """Return what receivers were told."""
    calls: list[tuple[Any, ...]] = []

    def saved(sender: type, storage: object, name: str, created: bool, **more: Any) -> None:  # noqa: FBT001
        assert sender is type(storage) is DatabaseStorage
        calls.append(("saved", name, created))

    def deleted(sender: type, storage: object, name: str, **more: Any) -> None:
        assert sender is type(storage) is DatabaseStorage
        calls.append(("deleted", name))

    def changed(
        sender: type, storage: object, name: str, old_name: str, attribute: str, **more: Any
    ) -> None:
        assert sender is type(storage) is DatabaseStorage
        calls.append(("changed", name, old_name, attribute))

    signals.file_saved.connect(saved)
    signals.file_deleted.connect(deleted)
    signals.file_changed.connect(changed)
    yield calls
    signals.file_saved.disconnect(saved)
    signals.file_deleted.disconnect(deleted)
    signals.file_changed.disconnect(changed)


def test_saves_overwrites_and_deletions_are_announced(told: list[tuple[Any, ...]]) -> None:
    storage = DatabaseStorage(allow_overwrite=True)
    storage.save("a.txt", ContentFile(b"1"))
    storage.save("a.txt", ContentFile(b"2"))
    storage.delete("a.txt")
    storage.delete("a.txt")
    assert told == [("saved", "a.txt", True), ("saved", "a.txt", False), ("deleted", "a.txt")]


def test_what_a_cache_may_have_to_forget_is_announced(told: list[tuple[Any, ...]]) -> None:
    storage = DatabaseStorage()
    storage.save("a.txt", ContentFile(b"1"))
    told.clear()
    storage.set_public("./a.txt", True)
    storage.set_expires("a.txt", timezone.now())
    storage.rename("a.txt", "dir//b.txt")
    storage.rename("dir/b.txt", "dir/b.txt")
    storage.revoke_urls("dir/b.txt")
    StoredFile.objects.update(content_type="text/html")
    list(verify(storage, repair=True))
    assert told == [
        ("changed", "a.txt", "a.txt", "is_public"),
        ("changed", "a.txt", "a.txt", "expires"),
        ("changed", "dir/b.txt", "a.txt", "name"),
        ("changed", "dir/b.txt", "dir/b.txt", "content_type"),
    ]


def test_a_change_is_announced_after_the_commit_or_not_at_all(
    told: list[tuple[Any, ...]],
) -> None:
    storage = DatabaseStorage()
    storage.save("a.txt", ContentFile(b"1"))
    told.clear()
    for is_undone in (True, False):
        with transaction.atomic():
            storage.set_public("a.txt", is_undone)
            assert told == []
            transaction.set_rollback(is_undone)
    assert told == [("changed", "a.txt", "a.txt", "is_public")]
    with pytest.raises(FileNotFoundError):
        storage.set_public("missing.txt", True)
    assert len(told) == 1


@pytest.mark.parametrize(("mode", "created"), [("wb", True), ("ab", True), ("xb", True)])
def test_a_file_written_through_open_is_announced(
    mode: str,
    created: bool,  # noqa: FBT001
    told: list[tuple[Any, ...]],
) -> None:
    with DatabaseStorage().open("a.txt", mode) as file:
        file.write(b"1")
        assert told == []
    assert told == [("saved", "a.txt", created)]


def test_the_name_is_the_one_that_the_file_got(told: list[tuple[Any, ...]]) -> None:
    storage = DatabaseStorage()
    names = [storage.save("a.txt", ContentFile(b"")) for _ in range(2)]
    assert told == [("saved", name, True) for name in names]


def test_receivers_wait_for_the_commit(told: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        DatabaseStorage().save("a.txt", ContentFile(b""))
        assert told == []
    assert told == [("saved", "a.txt", True)]


def test_a_rolled_back_save_is_not_announced(told: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        DatabaseStorage().save("a.txt", ContentFile(b""))
        transaction.set_rollback(True)
    assert told == []


def test_a_receiver_that_raises_does_not_undo_a_save() -> None:
    def receive(**arguments: Any) -> None:
        raise RuntimeError("broken receiver")

    signals.file_saved.connect(receive)
    try:
        assert DatabaseStorage().save("a.txt", ContentFile(b"1")) == "a.txt"
    finally:
        signals.file_saved.disconnect(receive)
    assert DatabaseStorage().exists("a.txt")


def test_each_signal_is_one() -> None:
    names = ("file_saved", "file_deleted", "file_changed", "file_served", "file_refused")
    assert all(isinstance(getattr(signals, name), Signal) for name in names)


def test_a_link_that_is_made_is_told_by_the_name_that_the_access_log_gives_it(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "secure_dbstorage")
    made: list[dict[str, Any]] = []

    def receiver(**arguments: Any) -> None:
        made.append(arguments)

    storage = storages["default"]
    storage.save("dir/a.txt", ContentFile(b"words"))
    storage.save("public.txt", ContentFile(b"words"))
    storage.set_public("public.txt", True)
    link_made.connect(receiver, sender=type(storage))
    try:
        url = storage.url("dir/a.txt")
        storage.urls(["dir/a.txt", "public.txt", "none.txt"])
        folder = storage.folder_url("dir")
    finally:
        link_made.disconnect(receiver, sender=type(storage))
    assert [each["name"] for each in made] == ["dir/a.txt", "dir/a.txt", "dir"]
    assert all(each["storage"] is storage for each in made)
    client.get(url)
    client.get(f"{folder}a.txt")
    used = [record.access.link for record in caplog.records if hasattr(record, "access")]
    assert used == [made[0]["link"], made[2]["link"]]
    told = [record for record in caplog.records if record.name == "secure_dbstorage.links"]
    assert [record.getMessage() for record in told] == [
        f"link={each['link']} namespace='' name={each['name']!r}" for each in made
    ]
    assert {record.levelname for record in told} == {"DEBUG"}
    assert not any(url.rpartition(".")[2] in record.getMessage() for record in told)
