"""Turns: one request at a time, on all servers, asks the hooks about an upload or reads it.

Hooks may take long, and so does reading a large upload, so nobody waits for a turn, and no
transaction is open during one. A turn is a row that a unique constraint lets only one request
insert. A server may die during its turn, so each turn expires.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from secure_dbstorage.models import USE_MARK_POSITION, StoredFile

#: How long a turn at a small upload lasts at most: after that, another request may have the next
#: one. Longer than most hooks take, and as long as an upload waits if a server dies.
LENGTH = timedelta(seconds=60)

#: A second is added for each of so many bytes, as they have to be read meanwhile. Slow scanners
#: and databases read as many.
_BYTES_PER_SECOND = 20_000_000

#: The bits of a content key.
_KEY_BITS = 63


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of one request at an upload, taken or not."""

    #: The content key of its row.
    key: int
    #: Tells it from the turns of other requests.
    mark: bytes
    #: How long it lasts at most.
    length: timedelta


def new(upload_key: int, size: int) -> Turn:
    """Return a turn at an upload that is not taken yet.

    :param upload_key: the content key of the upload.
    :param size: of the upload, in bytes.
    """
    # The row is no part of the upload, so its key is another one: the complement.
    length = LENGTH + timedelta(seconds=size / _BYTES_PER_SECOND)
    return Turn(upload_key ^ (2**_KEY_BITS - 1), secrets.token_bytes(16), length)


def is_turn(key: int) -> bool:
    """Tell whether this is the content key of a turn. All others have at least one bit fewer."""
    return key.bit_length() == _KEY_BITS


def take(turn: Turn, *, using: str) -> bool:
    """Take a turn, and return False while it is another request's. Repeating this does no harm.

    :param using: alias of the database.
    """
    now = datetime.now(UTC)
    values = {"data": turn.mark, "expires": now + turn.length}
    stored = StoredFile.rows.using(using)
    turns = stored.of(turn.key).use_marks()
    # One that is over, or ours, if only the answer was lost.
    if turns.filter(Q(expires__lte=now) | Q(data=turn.mark)).update(**values):
        return True
    if turns.exists():
        return False
    # Of two, one is inserted, and the database logs no error.
    row = StoredFile(content=turn.key, position=USE_MARK_POSITION, **values)
    stored.bulk_create([row], ignore_conflicts=True)
    return bool(turns.filter(data=turn.mark).exists())


def end(turn: Turn, *, using: str) -> None:
    """End a turn, unless it is another request's by now."""
    StoredFile.rows.using(using).of(turn.key).use_marks().filter(data=turn.mark).delete()
