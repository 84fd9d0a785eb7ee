"""Lending: which database a response asks for bytes, and how long it keeps the connection."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import connections

from secure_dbstorage.exceptions import ContentVanished
from secure_dbstorage.files.contents import Content
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.heap import note_run, reading
from secure_dbstorage.table.replicas import ask

Fetched = TypeVar("Fetched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The way a response reads: it gives connections back between pieces.

    See Note [Lending connections].
    """

    #: Gives the most rows that the next query may fetch, for one reader among hundreds. Without
    #: it, a file of up to 2 MiB takes one query besides that of its head.
    rows_wanted: Callable[[], int] | None = None


def release(using: str) -> None:
    """Return a pooled connection to its pool, see Note [Lending connections]."""
    declared = connections.settings.get(using)  # Found sooner than the connection.
    if declared is not None and not _is_pooled(declared):
        return
    connection = connections[using]
    if _is_pooled(connection.settings_dict) and not connection.in_atomic_block:
        connection.close()


# Note [Bytes of a replica]
# Content is immutable and its key is never used again, so a replica has rows that are right, or
# too short (the last row of what was an upload a moment ago), or none. A run is complete or it is
# asked for once more, at the primary, which also gives the rest: rows arrive at a replica in the
# order in which they were written. Inside `atomic()` the primary alone is asked. What a file is,
# and who may have it, was asked there before.
class Source:
    """The databases that have a content: a replica as long as it answers, and the primary."""

    def __init__(self, content: Content, sending: Sending | None) -> None:
        self._primary = content.using
        self._replica = content.replica
        self._sending = sending

    def fetch(self, question: Callable[[str], Fetched]) -> Fetched:
        """Return what one query finds.

        :param question: asks the database of an alias.
        :raises ContentVanished: when rows are missing in the primary.
        """
        replica, self._replica = self._replica, None
        if replica is not None and not connections[self._primary].in_atomic_block:
            found = ask(replica, partial(self._ask_replica, question, replica))
            if found is not None:
                self._replica = replica
                return found
        with _borrowed(self._primary, self._sending):
            return question(self._primary)

    def _ask_replica(self, question: Callable[[str], Fetched], replica: str) -> Fetched | None:
        with _borrowed(replica, self._sending):
            try:
                return question(replica)
            except ContentVanished:
                return None


def in_crowd(using: str, sending: Sending | None) -> AbstractContextManager[None]:
    """Read as one of many readers, after the query for the head row; in other cases do nothing."""
    return _in_crowd(using) if sending and sending.rows_wanted else nullcontext()


@contextmanager
def _in_crowd(using: str) -> Iterator[None]:
    rows(using).forget()
    with reading():
        yield


# Note [Lending connections]
# A download takes as long as its reader needs. Taking a connection from Django's psycopg pool is
# cheap, so it is returned after each run: two stalled readers never block a pool of two. Without a
# pool, a new connection costs more than the piece, so it is kept.
# After an error inside a body, ASGI servers call neither `response.close()` nor the receivers of
# `request_finished`, and the connection would stay open for good. So an error closes it here, in
# the thread that holds it. Inside `atomic()` the connection belongs to the caller.
@contextmanager
def _borrowed(using: str, sending: Sending | None) -> Iterator[None]:
    connection = connections[using]
    failed = True
    try:
        yield
        if sending and sending.rows_wanted:
            rows(using).forget()
            note_run()
        failed = False
    finally:
        is_ours = sending and not connection.in_atomic_block
        if is_ours and (failed or _is_pooled(connection.settings_dict)):
            connection.close()


def _is_pooled(settings: Mapping[str, Any]) -> bool:
    """Tell whether closing a connection with these settings gives it back to a pool."""
    return bool(settings["OPTIONS"].get("pool"))
