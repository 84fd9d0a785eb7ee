"""Uploads that have no name yet."""

from datetime import datetime

from django.db import transaction

from secure_dbstorage.table.dialects import rows


def delete_expired(key: int, *, now: datetime, using: str) -> bool:
    """Delete an upload, unless by now it has a name or more time.

    :param key: the content key of the upload.
    :returns: whether it was deleted.
    """
    stored = rows(using)
    with transaction.atomic(using=using):
        # One update of its first row turns an upload into a file. If both come at once, the second
        # waits for the first, and then finds no such row.
        is_deleted = stored.delete_unfinished(key, now)
        if is_deleted:
            stored.delete(key)
    return is_deleted
