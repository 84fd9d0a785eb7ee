"""A wrapped key is replaced only if it is the one that was read."""

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import resealing
from tests.support.sealing import KEY


def test_a_key_that_was_changed_meanwhile_stays(database: str) -> None:
    storage = DatabaseStorage(using=database, encryption_keys=[KEY])
    storage.save("a.txt", b"text")
    row = StoredFile.objects.using(database).get()
    old = bytes(row.sealed_key or b"")
    assert resealing.rewrap(row.pk, old, b"\0new'\\\xff", using=database)
    assert not resealing.rewrap(row.pk, old, b"other", using=database)
    row.refresh_from_db()
    assert bytes(row.sealed_key or b"") == b"\0new'\\\xff"
