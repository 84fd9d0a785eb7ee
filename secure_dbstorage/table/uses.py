"""The uses of one-time links: a row for each. A unique constraint lets only one exist."""

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, OperationalError, transaction

from secure_dbstorage.models import USE_MARK_POSITION, StoredFile

#: MySQL's number of the error.
_DEADLOCK = 1213

#: Bytes in front of the client's digest.
_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a one-time link."""

    #: When it began, in seconds since 1970.
    began: int
    #: A keyed digest of who began it; b"" for a client that can't be told from others.
    client: bytes


def begin(key: int, client: bytes, expires: datetime, *, now: float, using: str) -> bool:
    """Mark a one-time link as used, and return False if it already was, on any server.

    :param key: see :attr:`~secure_dbstorage.links.grants.Grant.use_key`.
    :param client: see :class:`Use`.
    :param expires: when the mark is no longer needed.
    :param now: seconds since 1970.
    :param using: alias of the database.
    :raises RuntimeError: inside a transaction, which could take the mark back when it rolls back.
    """
    began = int(now).to_bytes(_TIME_BYTES)
    mark = StoredFile(
        content=key, position=USE_MARK_POSITION, data=began + client, expires=expires
    )
    try:
        try:
            _insert(mark, using)
        except OperationalError as error:
            if error.args[:1] != (_DEADLOCK,):
                raise
            # In a Galera cluster, the commit that meets another's on a second node fails, and
            # nothing says whether the other one stays. Now it does.
            _insert(mark, using)
    except IntegrityError:
        return False
    return True


def find(key: int, *, using: str) -> Use | None:
    """Return the use of a one-time link, or None before it is used."""
    mark = StoredFile.rows.using(using).of(key).use_marks().first()
    if mark is None:
        return None
    data = bytes(mark.data)
    return Use(began=int.from_bytes(data[:_TIME_BYTES]), client=data[_TIME_BYTES:])


def _insert(mark: StoredFile, using: str) -> None:
    # A transaction around this one could roll the mark back after the bytes are sent.
    with transaction.atomic(using=using, durable=True):
        mark.save(using=using, force_insert=True)
