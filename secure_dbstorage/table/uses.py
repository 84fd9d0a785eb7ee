"""The uses of one-time links: a row for each, of which a unique constraint lets one exist."""

from datetime import datetime

from django.db import IntegrityError, transaction

from secure_dbstorage.models import USE_MARK_POSITION, StoredFile

#: The position of such a row.
POSITION = USE_MARK_POSITION


def begin(key: int, client: bytes, expires: datetime, *, now: float, using: str) -> bool:
    """Note that a one-time link is used; return False if it was before, on whatever server.

    :param key: see :attr:`~secure_dbstorage.links.tokens.Grant.use_key`.
    :param client: who uses it, as a digest.
    :param expires: from when on the note is not needed any more.
    :param now: seconds since 1970.
    :param using: alias of the database.
    """
    began = int(now).to_bytes(8)
    mark = StoredFile(content=key, position=POSITION, data=began + client, expires=expires)
    try:
        with transaction.atomic(using=using):
            mark.save(using=using, force_insert=True)
    except IntegrityError:
        return False
    return True


def has_begun(key: int, client: bytes, *, since: float, using: str) -> bool:
    """Tell whether this client began to use a one-time link at or after *since*."""
    marks = StoredFile.rows.using(using).of(key).use_marks()
    for mark in marks.values_list("data", flat=True):
        began, who = int.from_bytes(bytes(mark[:8])), bytes(mark[8:])
        return who == client and began >= since
    return False
