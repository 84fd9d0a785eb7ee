"""The uses of one-time links: a row for each. A unique constraint lets only one exist."""

from datetime import datetime

from django.db import IntegrityError, transaction

from secure_dbstorage.models import USE_MARK_POSITION, StoredFile


def begin(key: int, client: bytes, expires: datetime, *, now: float, using: str) -> bool:
    """Mark a one-time link as used, and return False if it already was, on any server.

    :param key: see :attr:`~secure_dbstorage.links.grants.Grant.use_key`.
    :param client: a digest of who uses it.
    :param expires: when the mark is no longer needed.
    :param now: seconds since 1970.
    :param using: alias of the database.
    :raises RuntimeError: inside a transaction, which could take the mark back when it rolls back.
    """
    began = int(now).to_bytes(8)
    mark = StoredFile(
        content=key, position=USE_MARK_POSITION, data=began + client, expires=expires
    )
    try:
        with transaction.atomic(using=using, durable=True):
            mark.save(using=using, force_insert=True)
    except IntegrityError:
        return False
    return True


def has_begun(key: int, client: bytes, *, since: float, using: str) -> bool:
    """Tell whether this client began to use a one-time link at or after *since*."""
    mark = StoredFile.rows.using(using).of(key).use_marks().first()
    if mark is None:
        return False
    began, who = int.from_bytes(bytes(mark.data[:8])), bytes(mark.data[8:])
    return who == client and began >= since
