"""HTTP/1.1 over a raw socket: sends what it is told, and takes no liberty with what comes back."""

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from tests.servers.process import LOOPBACK

_TIMEOUT_SECONDS = 20
_PIECE = 1024 * 1024

#: A small window: a client that does not read is felt by the server early.
_SMALL_BUFFER = 16 * 1024


class BrokenAnswer(Exception):
    """Raised when an answer is not HTTP, or its body is not what its head promised."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header fields; the fields' names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        """Return the one value of a field."""
        (value,) = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of this name."""
        return [value for field, value in self.fields if field == name.lower()]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    head: Head
    body: bytes


class Download:
    """An answer that is read as slowly as the test likes, or left."""

    def __init__(
        self,
        port: int,
        target: str,
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str | bytes]] = (),
        timeout_seconds: float = _TIMEOUT_SECONDS,
        buffer_bytes: int = _SMALL_BUFFER,
    ) -> None:
        """Send the request and read the head of the answer."""
        self._method = method
        self._socket = socket.socket()
        self._socket.settimeout(timeout_seconds)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        try:
            self._socket.connect((LOOPBACK, port))
            self._send(_spell(method, target, port, headers))
            self.head, self._buffer = self._read_head()
        except BaseException:
            self._socket.close()
            raise

    def read(self, count: int) -> bytes:
        """Return at least one byte and at most *count* of the body; nothing at its end."""
        if not self._buffer:
            self._buffer = self._receive()
        piece, self._buffer = self._buffer[:count], self._buffer[count:]
        return piece

    def pieces(self) -> Iterator[bytes]:
        """Yield what the server sends until it closes the connection."""
        while piece := self.read(_PIECE):
            yield piece

    def count_rest(self) -> int:
        """Read to the end and return how many bytes came."""
        return sum(map(len, self.pieces()))

    def body(self) -> bytes:
        """Read to the end and return the body.

        Raises:
            BrokenAnswer: it is longer or shorter than the head said.

        """
        body = b"".join(self.pieces())
        expected = len(body) if "content-length" not in self.head else self.expected_length
        if self._method == "HEAD" or self.head.status in (204, 304):
            expected = 0
        if len(body) != expected:
            raise BrokenAnswer(f"{expected} bytes were promised and {len(body)} came")
        return body

    @property
    def expected_length(self) -> int:
        """The length of the body by the head."""
        return int(self.head["content-length"])

    def vanish(self) -> None:
        """Leave as a browser does whose tab is closed: with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _send(self, request: bytes) -> None:
        # The server may have had enough before the end; its answer is there all the same.
        with suppress(ConnectionError):
            self._socket.sendall(request)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_PIECE)
        except ConnectionError:
            return b""

    def _read_head(self) -> tuple[Head, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self._receive()
            if not piece:
                raise BrokenAnswer(f"The server closed after {received!r}")
            received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        return _parse_head(head), rest


def fetch(
    port: int,
    target: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str | bytes]] = (),
) -> Answer:
    """Return the whole answer to a request.

    Raises:
        BrokenAnswer: it is not one, or its body has another length than its head says.

    """
    with Download(port, target, method=method, headers=headers) as download:
        return Answer(download.head, download.body())


def exchange(port: int, request: bytes, *, is_head: bool) -> Answer | None:
    """Send bytes that may be no request at all, and return the first answer to them.

    Returns None where the server closed without one; where it answers as HTTP/0.9 does, which only
    a request gets that was not understood, 400.

    Raises:
        BrokenAnswer: it is not one, or its body is shorter than its head says.

    """
    with socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_SECONDS) as connection:
        # The server may have had enough before the end.
        with suppress(ConnectionError):
            connection.sendall(request)
        received = b""
        while True:
            received = _received_until(connection, received, b"\r\n\r\n")
            head_bytes, end, body = received.partition(b"\r\n\r\n")
            if not received.startswith(b"HTTP/") or not end:
                return Answer(Head(400, ()), received) if received else None
            head = _parse_head(head_bytes)
            if head.status >= 200:
                break
            received = body  # Only an answer that says: go on.
        if is_head or head.status in (204, 304):
            return Answer(head, b"")
        if "content-length" not in head:
            return Answer(head, _received_until(connection, body, None))
        expected = int(head["content-length"])
        while len(body) < expected:
            if not (piece := _received(connection)):
                raise BrokenAnswer(f"{expected} bytes were promised and {len(body)} came")
            body += piece
        return Answer(head, body[:expected])


def _received_until(connection: socket.socket, received: bytes, end: bytes | None) -> bytes:
    """Return what comes until these bytes, or until the server closes."""
    while (end is None or end not in received) and (piece := _received(connection)):
        received += piece
    return received


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_PIECE)
    except ConnectionError:
        return b""


def _spell(
    method: str, target: str, port: int, headers: Iterable[tuple[str, str | bytes]]
) -> bytes:
    fields: dict[str, list[str | bytes]] = {
        "Host": [f"{LOOPBACK}:{port}"],
        "Connection": ["close"],
    }
    given = dict[str, list[str | bytes]]()
    for name, value in headers:
        given.setdefault(name, []).append(value)
    lines = [f"{method} {target} HTTP/1.1".encode()]
    for name, values in (fields | given).items():
        for value in values:
            raw = value if isinstance(value, bytes) else value.encode()
            lines.append(name.encode() + b": " + raw)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _parse_head(head: bytes) -> Head:
    # Every byte of a field value is visible ASCII, a space or a tab: a raw newline would be seen.
    status_line, *lines = head.decode("ascii").split("\r\n")
    version, status, *_ = status_line.split(" ")
    if not version.startswith("HTTP/1."):
        raise BrokenAnswer(status_line)
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or not value.strip().isprintable():
            raise BrokenAnswer(f"{line!r} is not a header field")
        fields.append((name.lower(), value.strip()))
    return Head(int(status), tuple(fields))
