"""What became of each request: a line in the log ``secure_dbstorage.access``, and a signal.

No token is in it: a link is told by the first characters of its signature, which open nothing.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from secure_dbstorage.addresses import client_address
from secure_dbstorage.exceptions import Refused
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.names import MAX_LENGTH
from secure_dbstorage.signals import file_refused, file_served

_logger = logging.getLogger("secure_dbstorage.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecord:
    """One request, as the log tells it. The log's own record has it as ``access``."""

    #: The client's address as far as ``trusted_proxies`` tell it; "-" when it is not known.
    client: str
    #: Primary key of the user, where somebody looked who it is; otherwise "".
    user: str
    method: str
    namespace: str
    name: str
    #: The link's short name; "-" without a good token.
    link: str
    #: ``served``, ``broken`` (the body ended early), ``not-modified``, ``head``, ``sent-away`` (a
    #: hook gave its own answer), or the reason of a refusal.
    outcome: str
    status: int
    #: Bytes of content handed to the server.
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


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request to a storage, recorded once: when its last byte has gone, or it broke off."""

    request: HttpRequest
    #: The storage that serves it.
    storage: Any
    name: str
    #: What its token allows, as soon as that is known.
    grant: Grant | None = None
    #: The file, as soon as it is known.
    file: FileStat | None = None
    _began: float = field(default_factory=time.perf_counter)
    _status: int = 0
    _expected: int = 0

    def refused(self, refused: Refused) -> None:
        """Record a refusal."""
        self._record(
            file_refused,
            refused.reason,
            int(refused.status),
            name=self.name,
            reason=refused.reason,
        )

    def sent_away(self, response: HttpResponseBase) -> None:
        """Record that a hook gave its own answer."""
        self._record(
            file_refused, "sent-away", response.status_code, name=self.name, reason="sent-away"
        )

    def answered(self, response: HttpResponseBase) -> None:
        """Record an answer; one that is streamed, when the pieces of :meth:`watch` have ended."""
        self._status = response.status_code
        if not isinstance(response, HttpResponse):
            self._expected = int(response["Content-Length"])
        elif self._status == HTTPStatus.NOT_MODIFIED:
            self._served("not-modified", 0)
        elif self.request.method == "HEAD":
            self._served("head", 0)
        else:
            self._served("served", len(response.content))

    def watch(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Return the same pieces, and record how far they went."""
        return _Watched(self, pieces)

    def ended(self, sent: int) -> None:
        """Record the end of a streamed body."""
        self._served(self._outcome(sent), sent)

    def lost(self, sent: int) -> None:
        """Record a streamed body that nobody closed, in the log alone.

        This is the garbage collector's hour: a receiver's query could fall into another one's.
        """
        if _logger.isEnabledFor(logging.INFO):
            self._log(self._outcome(sent), self._status, sent)

    def _outcome(self, sent: int) -> str:
        return "served" if sent == self._expected else "broken"

    def _served(self, outcome: str, sent: int) -> None:
        self._record(file_served, outcome, self._status, sent, file=self.file, grant=self.grant)

    def _record(
        self, signal: Signal, outcome: str, status: int, sent: int = 0, **arguments: Any
    ) -> None:
        sender = type(self.storage)
        if not (_logger.isEnabledFor(logging.INFO) or signal.has_listeners(sender)):
            return
        record = self._log(outcome, status, sent)
        signal.send_robust(
            sender, storage=self.storage, request=self.request, record=record, **arguments
        )

    def _log(self, outcome: str, status: int, sent: int) -> AccessRecord:
        options = self.storage.options
        record = AccessRecord(
            client=str(client_address(self.request.META, options.trusted_proxies) or "-"),
            user=_user(self.request),
            method=self.request.method or "-",
            namespace=options.namespace,
            name=self.name,
            link=self.grant.link_id if self.grant else "-",
            outcome=outcome,
            status=status,
            bytes=sent,
            seconds=time.perf_counter() - self._began,
        )
        _logger.info("%s", record, extra={"access": record})
        return record


class _Watched:
    """Pieces of a body, counted.

    A server that fails to send may forget to close a body: then it ends with this object.
    """

    def __init__(self, visit: Visit, pieces: Iterator[bytes]) -> None:
        self._visit: Visit | None = visit
        self._pieces = pieces
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except BaseException:  # Its end is one, too.
            self._end()
            raise
        self._sent += len(piece)
        return piece

    def close(self) -> None:
        """Note that nobody will ask for more."""
        self._end()

    def __del__(self) -> None:
        visit, self._visit = self._visit, None
        if visit is not None:
            visit.lost(self._sent)

    def _end(self) -> None:
        visit, self._visit = self._visit, None
        if visit is not None:
            visit.ended(self._sent)


def _user(request: HttpRequest) -> str:
    # Django keeps the user there once somebody has asked; to ask would touch the session.
    user = vars(request).get("_cached_user")
    return "" if user is None or user.pk is None else str(user.pk)


def _quoted(text: str) -> str:
    """Return a text as JSON has it, with nothing that could end a line or steer a terminal."""
    # Longer than any file's name is only who wants to fill the disk.
    quoted = json.dumps(text[:MAX_LENGTH], ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _method(text: str) -> str:
    # Some servers let anything pass for one.
    return text if text.isascii() and text.isalpha() else _quoted(text)
