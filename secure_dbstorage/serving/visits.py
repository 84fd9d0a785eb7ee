"""Visits: a request with everything known about it, and the record of how it ended.

Each request is recorded once, by a line in the log ``secure_dbstorage.access`` and a signal. No
token is recorded: a link is named by the first characters of its signature, which open nothing.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.names import MAX_LENGTH
from secure_dbstorage.redaction import without_tokens
from secure_dbstorage.serving.clients import Client
from secure_dbstorage.serving.credentials import Credentials
from secure_dbstorage.serving.pacing import Pace
from secure_dbstorage.serving.refusals import Reason
from secure_dbstorage.serving.responses import FileResponse, StreamingFileResponse
from secure_dbstorage.signals import file_refused, file_served
from secure_dbstorage.storage import DatabaseStorage

#: For access records alone: a formatter may rely on ``%(access)s``.
_logger = logging.getLogger("secure_dbstorage.access")


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request to a storage, with everything known about it so far."""

    request: HttpRequest
    #: The storage that serves it.
    storage: DatabaseStorage
    #: The name of the file, without a token.
    name: str
    client: Client
    #: When it came, in seconds since 1970: the one clock of all decisions.
    now: float
    #: Its tokens, which have been taken out of the request.
    credentials: Credentials
    #: What its token allows, once that is known.
    grant: Grant | None = None
    #: The short name of its link; "-" without an authentic token.
    link_id: str = "-"
    #: The file, once it is known.
    file: FileStat | None = None
    #: The files of a zip archive that are sent, wholly or in part; None for any other answer.
    packed: list[FileStat] | None = None
    #: The alias of the storage in ``STORAGES``.
    alias: str = "default"
    #: Whether a proxy may send a large body from its cache.
    may_offload: bool = False
    #: How much of the body is taken at a time, under ASGI.
    pace: Pace = field(default_factory=Pace)
    #: Measures how long the answer takes.
    began: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecord:
    """One request, as it is logged. The log record has it as ``access``."""

    #: The client's address, found with ``trusted_proxies``; "-" if it is unknown.
    client: str
    #: Primary key of the user, if anything looked the user up; otherwise "".
    user: str
    method: str
    namespace: str
    #: The file; for a zip archive the directory.
    name: str
    #: The link's short name; "-" without an authentic token.
    link: str
    #: ``served``, ``broken`` (the body ended early), ``offloaded`` (a proxy sends the body),
    #: ``not-modified``, ``head``, ``sent-away`` (a hook gave its own response), or the reason of a
    #: refusal. ``missing`` also means a private
    #: file that was asked for without a token. Of uploads: ``begun``, ``continued``, ``received``
    #: (this request gave the file its name), ``asked`` (how far it is) or ``abandoned``.
    outcome: str
    status: int
    #: Bytes of content handed to the server, or received.
    bytes: int
    #: Seconds until the last of them.
    seconds: float

    def __str__(self) -> str:
        return (
            f"client={self.client} user={_quoted(self.user)} method={_method(self.method)} "
            f"namespace={_quoted(self.namespace)} name={_quoted(self.name)} link={self.link} "
            f"outcome={self.outcome} status={self.status} bytes={self.bytes} "
            f"seconds={self.seconds:.3f}"
        )


def record_refusal(visit: Visit, reason: Reason) -> None:
    """Record that a request was refused."""
    record_refused(visit, reason.value, reason.status)


def record_sent_away(visit: Visit, response: HttpResponseBase) -> None:
    """Record that a hook gave its own response."""
    record_refused(visit, "sent-away", response.status_code)


def record_refused(visit: Visit, word: str, status: int) -> None:
    """Record that a request was refused, under a name without tokens.

    A token whose "?" was quoted twice, for example, is part of the name to us. Once that is
    quoted as it should be, it opens the file.

    :param word: the reason, as the log and ``file_refused`` spell it.
    """
    visit.name = without_tokens(visit.name)
    record(visit, file_refused, word, status, name=visit.name, reason=word)


def record_answer(visit: Visit, response: FileResponse | StreamingFileResponse) -> None:
    """Record an answer, unless a :class:`WatchedBody` will when it has been sent."""
    if isinstance(response, StreamingFileResponse):
        return
    outcome, sent = "served", len(response.content)
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        outcome = "not-modified"
    elif visit.request.method == "HEAD":
        outcome = "head"
    _record_served(visit, outcome, response.status_code, sent)


def record_offloaded(visit: Visit, status: HTTPStatus) -> None:
    """Record that a proxy was told to send the body. How much it sends is in its own log.

    :param status: of the proxy's answer.
    """
    _record_served(visit, "offloaded", status, 0)


class WatchedBody:
    """The pieces of a body, counted while they are sent, and recorded when that ends.

    A server that fails to send may forget to close a body: then it ends with this object.
    """

    def __init__(
        self, visit: Visit, pieces: Iterator[bytes], *, status: HTTPStatus, length: int
    ) -> None:
        self._visit: Visit | None = visit
        self._pieces = pieces
        self._status = status
        self._length = length
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except BaseException:  # StopIteration as well.
            self.close()
            raise
        self._sent += len(piece)
        return piece

    def close(self) -> None:
        """Record how far the body came, once."""
        visit, self._visit = self._visit, None
        if visit is not None:
            _record_served(visit, self._outcome, self._status, self._sent)

    def __del__(self) -> None:
        visit, self._visit = self._visit, None
        # In the log alone: this may run inside garbage collection, where a receiver's query could
        # disturb another one.
        if visit is not None and _logger.isEnabledFor(logging.INFO):
            _log(visit, self._outcome, self._status, self._sent)

    @property
    def _outcome(self) -> str:
        return "served" if self._sent == self._length else "broken"


def _record_served(visit: Visit, outcome: str, status: int, sent: int) -> None:
    written = _written(visit, file_served, outcome, status, sent)
    if written is None:
        return
    for file in [visit.file] if visit.packed is None else visit.packed:
        _send(visit, file_served, written, file=file, grant=visit.grant)


def record(
    visit: Visit, signal: Signal, outcome: str, status: int, moved: int = 0, **arguments: Any
) -> None:
    """Record how a request ended.

    :param outcome: a word.
    :param moved: bytes of content, sent or received.
    :param arguments: those of the signal, besides the usual ones.
    """
    written = _written(visit, signal, outcome, status, moved)
    if written is not None:
        _send(visit, signal, written, **arguments)


def _written(
    visit: Visit, signal: Signal, outcome: str, status: int, moved: int
) -> AccessRecord | None:
    """Log how a request ended, and return the record; None if nobody wants to know."""
    # Most signals have no receivers at all, which is seen at once.
    is_awaited = signal.receivers and signal.has_listeners(type(visit.storage))
    if not (is_awaited or _logger.isEnabledFor(logging.INFO)):
        return None
    return _log(visit, outcome, status, moved)


def _send(visit: Visit, signal: Signal, written: AccessRecord, **arguments: Any) -> None:
    signal.send_robust(
        type(visit.storage),
        storage=visit.storage,
        request=visit.request,
        record=written,
        **arguments,
    )


def _log(visit: Visit, outcome: str, status: int, sent: int) -> AccessRecord:
    record = AccessRecord(
        client=str(visit.client.address or "-"),
        user=_user(visit.request),
        method=visit.request.method or "-",
        namespace=visit.storage.options.namespace,
        name=visit.name,
        link=visit.link_id,
        outcome=outcome,
        status=int(status),
        bytes=sent,
        seconds=time.perf_counter() - visit.began,
    )
    _logger.info("%s", record, extra={"access": record})
    return record


def _user(request: HttpRequest) -> str:
    # Django keeps the user there once somebody has asked; asking would touch the session.
    user = vars(request).get("_cached_user")
    return "" if user is None or user.pk is None else str(user.pk)


def _quoted(text: str) -> str:
    """Return a text as JSON spells it, with nothing that could end a line or steer a terminal."""
    # No file has a longer name; whoever sends one wants to fill the disk.
    quoted = json.dumps(text[:MAX_LENGTH], ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _method(text: str) -> str:
    # Some servers accept anything as a method.
    return text if text.isascii() and text.isalpha() else _quoted(text)
