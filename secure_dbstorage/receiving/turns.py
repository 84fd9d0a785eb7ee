"""Turns at uploads: one request at a time asks the hooks about one, or reads it for its digest."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from secure_dbstorage.exceptions import DatabaseUnavailable
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.receiving.faults import Fault, Rejected
from secure_dbstorage.serving.refusals import RETRY_WHEN_DOWN
from secure_dbstorage.storage import DatabaseStorage

#: The largest upload that several requests may read at once for its digest, in bytes. A turn, and
#: another look at the upload, take six statements; reading this many bytes takes five.
_SOON_READ = 4 * 1024 * 1024


# Note [Turns at an upload]
# Every request about a complete upload tries to finish it, as the first one may have died. Hooks
# may take long, and so does reading a large upload for its digest. A client that asks again and
# again meanwhile would keep every thread busy. So one request at a time does either, on any
# server, and the others are told to come again: with a 423. To any other answer to a HEAD that is
# no success, be it a 503, tus-js-client and Uppy forget the upload and send all of it again. A PUT
# never meets a turn: nobody else knows its upload.


def takes_turns(upload: Upload, sha256: str | None = None) -> bool:
    """Tell whether reading a complete upload for its digest takes longer than taking a turn.

    :param sha256: if it is known.
    """
    return upload.tag is None and sha256 is None and upload.content.size > _SOON_READ


@contextmanager
def turn_at(upload: Upload, storage: DatabaseStorage) -> Iterator[None]:
    """Hold the turn at an upload.

    :raises Rejected: 423 while another request has it.
    """
    turn = storage.inbox.new_turn(upload)
    if not storage.catalog.repeat(partial(storage.inbox.take_turn, turn)):
        raise Rejected(Fault.LOCKED, headers={"Retry-After": str(RETRY_WHEN_DOWN)})
    try:
        yield
    finally:
        with suppress(DatabaseUnavailable):  # It ends without us.
            storage.catalog.repeat(partial(storage.inbox.end_turn, turn))
