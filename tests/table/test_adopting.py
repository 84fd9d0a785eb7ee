"""Uploads that take the place of a file: what waits for that file finds the new one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.storage import DatabaseStorage
from tests.support.files import CHUNK_SIZE, LARGE, read
from tests.support.sealing import KEY
from tests.support.threads import at_once

DAY = timedelta(days=1)

#: Changes that must not miss the file that has the name: each waits for its row.
CHANGES: dict[str, Callable[[DatabaseStorage], object]] = {
    "revoked below": lambda storage: storage.revoke_urls(prefix="dir"),
    "revoked": lambda storage: storage.revoke_urls("dir/a.bin"),
    "made private": lambda storage: storage.set_public("dir/a.bin", False),
}


@pytest.fixture(params=[None, DAY], ids=["", "trash"])
def storage(database: str, request: pytest.FixtureRequest) -> DatabaseStorage:
    return DatabaseStorage(
        using=database,
        chunk_size=CHUNK_SIZE,
        keep_deleted=request.param,
        encryption_keys=[KEY],
        default_public=lambda name: True,
    )


def received(storage: DatabaseStorage, content: bytes) -> Upload:
    upload = storage.inbox.new(len(content), timezone.now() + DAY)
    pieces = [content[at : at + CHUNK_SIZE] for at in range(0, len(content), CHUNK_SIZE)]
    return storage.inbox.append(upload, pieces)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_waits_for_the_upload_is_not_lost(
    storage: DatabaseStorage, change: str
) -> None:
    storage.save("dir/a.bin", b"old")
    upload, before = received(storage, LARGE), storage.catalog.get("dir/a.bin")
    with ThreadPoolExecutor(1) as pool, transaction.atomic(using=storage.catalog.writer):
        assert not storage.inbox.adopt_over("dir/a.bin", upload)
        done = pool.submit(at_once, [lambda: CHANGES[change](storage)])
        with pytest.raises(TimeoutError):
            done.result(0.3)
    after = storage.catalog.get("dir/a.bin")
    assert done.result() in ([1], [None])
    assert read(storage, "dir/a.bin") == LARGE
    assert (after.link_epoch > before.link_epoch, after.stat.is_public) in (
        (True, True),
        (False, False),
    )


def test_what_an_overwrite_keeps_an_upload_keeps(storage: DatabaseStorage) -> None:
    expires = datetime(2100, 1, 1, tzinfo=UTC)
    storage.save("dir/a.bin", b"old")
    storage.set_expires("dir/a.bin", expires)
    storage.set_public("dir/a.bin", False)
    before = storage.catalog.get("dir/a.bin")
    (row,) = storage.catalog.files().values_list("pk", flat=True)
    storage.inbox.adopt_over("dir/a.bin", received(storage, LARGE))
    after = storage.catalog.get("dir/a.bin")
    assert list(storage.catalog.files().values_list("pk", flat=True)) == [row]
    assert (after.stat.expires, after.stat.is_public) == (expires, False)
    assert (after.link_epoch, after.stat.created) == (before.link_epoch, before.stat.created)
    assert read(storage, "dir/a.bin") == LARGE
