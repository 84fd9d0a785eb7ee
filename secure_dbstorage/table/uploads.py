"""Uploads that have no name yet."""

from datetime import datetime

from django.db import transaction

from secure_dbstorage.table.dialects import rows


def delete_expired(key: int, *, now: datetime, using: str) -> bool:
    """Delete an upload, unless it has got its name or more time by now.

    :param key: the content key of the upload.
    :returns: whether it was deleted.
    """
    stored = rows(using)
    with transaction.atomic(using=using):
        # An upload becomes a file by one update of its first row. Either that update or this
        # statement waits for the other, and then finds no such row. The other rows go with it.
        is_deleted = stored.delete_unfinished(key, now)
        if is_deleted:
            stored.delete(key)
    return is_deleted
