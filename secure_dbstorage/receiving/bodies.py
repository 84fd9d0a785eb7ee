"""Bodies: what a client sends, taken from the network in small steps."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO, Any

from django.http import HttpRequest, UnreadablePostError

from secure_dbstorage.conf import upload_directory
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.receiving.faults import Fault, Rejected
from secure_dbstorage.receiving.fields import Checksum

#: Bytes of one step. When a client disconnects, at most one step is lost.
_STEP = 64 * 1024

#: What comes within this time, in seconds, is written together. More would be lost with a server
#: that is killed, and stay in memory while a client stalls.
_TOGETHER_SECONDS = 0.25

#: How long a refused body is read. A proxy that has buffered it sends hundreds of megabytes.
_DRAIN_SECONDS = 2


class Body:
    """The body of a request, or a copy of it."""

    def __init__(
        self, file: Any, length: int, *, before_waiting: Callable[[], object] = lambda: None
    ) -> None:
        """Read nothing yet.

        :param file: has ``read(size)``.
        :param length: in bytes.
        :param before_waiting: called before each wait for the network, which may be long.
        """
        self._file = file
        self._before_waiting = before_waiting
        #: Bytes that are still to come.
        self.left = length
        #: Whether it ended too early: the client has disconnected.
        self.is_cut = False

    @property
    def has_ended(self) -> bool:
        """Whether all of it has come."""
        return not self.left and not self.is_cut

    def pieces(self, lengths: Sequence[int]) -> list[bytes]:
        """Return the next pieces, of these lengths; shorter and fewer at the end.

        They are fewer too if more than about a megabyte comes slowly.
        """
        self._before_waiting()
        began, pieces, received = time.monotonic(), list[bytes](), 0
        for length in lengths:
            if piece := self._piece(length):
                pieces.append(piece)
            received += len(piece)
            is_slow = time.monotonic() - began > _TOGETHER_SECONDS
            if len(piece) < length or (is_slow and received + length > STATEMENT_BYTES):
                break
        return pieces

    def steps(self) -> Iterator[bytes]:
        """Yield all that is left, in steps."""
        self._before_waiting()
        while step := self._step(_STEP):
            yield step

    def _piece(self, length: int) -> bytes:
        steps: list[bytes] = []
        while length and (step := self._step(length)):
            steps.append(step)
            length -= len(step)
        return b"".join(steps)

    def _step(self, most: int) -> bytes:
        size = min(most, _STEP, self.left)
        try:
            step: bytes = self._file.read(size) if size else b""
        except UnreadablePostError:
            step = b""
        self.left -= len(step)
        if size and not step:
            self.is_cut, self.left = True, 0
        return step


def drain(request: HttpRequest) -> None:
    """Read on for a moment after a refusal, and forget what comes.

    A server that closes a connection with unread bytes resets it (RFC 9112 section 9.6). Then
    nginx answers 502, and a client that sends all before it reads never learns the reason.
    """
    file = request.META.get("wsgi.input")
    if file is None:  # Under ASGI it has been read.
        return
    if "HTTP_TRANSFER_ENCODING" not in request.META:
        file = request  # It ends with the body. Django takes a body without a length for empty.
    elif not request.META.get("wsgi.input_terminated"):
        return
    end = time.monotonic() + _DRAIN_SECONDS
    with suppress(Exception):  # Each server has its own for chunks that can't be read.
        while time.monotonic() < end and file.read(_STEP):
            pass


@contextmanager
def checked(body: Body, checksum: Checksum | None) -> Iterator[Body]:
    """Yield a body whose checksum matches. It goes into a temporary file first.

    tus demands that a damaged piece leaves nothing behind.

    :raises Rejected: 460.
    """
    if checksum is None:
        yield body
        return
    with TemporaryFile(dir=upload_directory()) as spool:
        length = _spool(body, spool, checksum)
        spool.seek(0)
        yield Body(spool, length)


def _spool(body: Body, spool: IO[bytes], checksum: Checksum) -> int:
    made = hashlib.new(checksum.algorithm, usedforsecurity=False)
    length = 0
    for step in body.steps():
        made.update(step)
        length += spool.write(step)
    if body.is_cut or made.digest() != checksum.digest:
        raise Rejected(Fault.CHECKSUM)
    return length
