"""Outages: logged when they begin and when they end, and not for each request in between.

Each thing that requests need has its own. Of two databases or key services, one may answer while
the other is down.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from secure_dbstorage.exceptions import (
    ChangeConflict,
    DatabaseUnavailable,
    KeyServiceUnavailable,
)
from secure_dbstorage.sealing.keyrings import note_answers
from secure_dbstorage.serving.refusals import Refused, unavailable
from secure_dbstorage.storage import DatabaseStorage

#: Not that of the files, which may be another one.
USERS = "database of the users"

_logger = logging.getLogger("secure_dbstorage.serving")

#: What is down, in the words of the log.
_down: set[str] = set()


def begin(what: str, error: Exception | None) -> None:
    """Note that something is down."""
    if what not in _down:
        _logger.error("The %s is down", what, exc_info=error)
    _down.add(what)


def end(what: str) -> None:
    """Note that something works."""
    if what in _down:
        _logger.warning("The %s is back", what)
    _down.discard(what)


def database_failed(storage: DatabaseStorage, error: DatabaseUnavailable) -> None:
    """Note that the database of a storage is down, or has refused a change."""
    _failed(_database(storage), error)


def database_answered(storage: DatabaseStorage) -> None:
    """Note that the database of a storage works."""
    if _down:  # Which database that is takes time to find out.
        end(_database(storage))


def key_service_failed(error: KeyServiceUnavailable) -> None:
    """Note that a key service is down. It ends when that one answers: a kept key says nothing."""
    begin(_key_service(error.key_id), error)


def telling(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a body for which a key service may be asked after the first one."""
    try:
        yield from pieces
    except KeyServiceUnavailable as error:
        key_service_failed(error)
        raise


@contextmanager
def asking(what: str, storage: DatabaseStorage) -> Iterator[None]:
    """Ask for something that may be in another database than the files.

    :raises Refused: 503 while that can't be asked.
    """
    try:
        with storage.catalog.outages_told():
            yield
    except DatabaseUnavailable as error:
        _failed(what, error)
        raise unavailable() from None
    except Refused:  # It has answered: no.
        end(what)
        raise
    end(what)


def _failed(what: str, error: DatabaseUnavailable) -> None:
    if isinstance(error, ChangeConflict):  # It is up.
        end(what)
        _logger.warning("The %s refused a change that conflicts with others", what, exc_info=error)
    else:
        begin(what, error)


def _database(storage: DatabaseStorage) -> str:
    return f"database {storage.catalog.writer!r}"


def _key_service(key_id: str) -> str:
    return f"key service {key_id!r}"


note_answers(lambda key_id: end(_key_service(key_id)))
