"""A client that uploads made-up bytes, in each way that there is."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPMessage
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from django.core.files.storage import storages

from tests.benchmarks.environment import Workspace
from tests.benchmarks.load import LoadFailed
from tests.benchmarks.sites import SETTINGS
from tests.benchmarks.upload_views import DIRECTORY

_MIB = 1024 * 1024

#: Bytes of one PATCH where a file is sent in pieces: as our own form does it.
_PIECE = 4 * _MIB

#: Seconds that a server may take for an answer.
_PATIENCE = 600

_BLOCK = memoryview(os.urandom(_MIB))

_FORM_HEAD = (
    b"--between\r\n"
    b'Content-Disposition: form-data; name="file"; filename="form.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
_FORM_TAIL = b"\r\n--between--\r\n"
_FORM_TYPE = "multipart/form-data; boundary=between"

_TUS = {"Tus-Resumable": "1.0.0"}
_PIECE_TYPE = {"Content-Type": "application/offset+octet-stream"}
#: The name "up.bin".
_NAME = {"Upload-Metadata": "filename dXAuYmlu"}

#: Uploads so many bytes.
Way = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Uploader:
    """A client of one server."""

    #: Scheme, host and port.
    base: str
    #: Takes files by PUT.
    put_link: str
    #: Takes any number of files by tus.
    tus_link: str

    def ways(self) -> dict[str, Way]:
        """Return each way to upload, by its name; the first is what others are compared with."""
        return {
            "form POST and save()": self._form,
            "PUT": self._put,
            "tus in one POST": self._tus_at_once,
            "tus in one PATCH": partial(self._tus, piece=0),
            f"tus in pieces of {_PIECE // _MIB} MiB": partial(self._tus, piece=_PIECE),
        }

    def forget(self) -> None:
        """Let the server delete all that was uploaded."""
        with closing(self._connected()) as connection:
            _send(connection, "POST", "/uploaded/forget/", [], 0, {})

    def stall(self, size: int) -> socket.socket:
        """Begin an upload, and return a connection over which half of it has been sent."""
        parts = urlsplit(self.base)
        with closing(self._connected()) as connection:
            place = self._begun(connection, size)
        fields = self._fields(0) | {"Host": parts.netloc, "Content-Length": str(size)}
        lines = [f"PATCH {place} HTTP/1.1", *(f"{key}: {text}" for key, text in fields.items())]
        sending = socket.create_connection((parts.hostname, parts.port), timeout=_PATIENCE)
        sending.sendall("\r\n".join([*lines, "", ""]).encode() + _BLOCK[: size // 2])
        return sending

    def go_on(self, sending: socket.socket, size: int) -> None:
        """Send the other half.

        :raises LoadFailed: it is not received.
        """
        sending.sendall(_BLOCK[: size - size // 2])
        answer = sending.recv(4096)
        if not answer.startswith(b"HTTP/1.1 204"):
            raise LoadFailed(f"A stalled upload was refused: {answer[:80]!r}")

    def _form(self, size: int) -> None:
        body = chain([_FORM_HEAD], _blocks(size), [_FORM_TAIL])
        length = len(_FORM_HEAD) + size + len(_FORM_TAIL)
        with closing(self._connected()) as connection:
            _send(connection, "POST", "/uploaded/", body, length, {"Content-Type": _FORM_TYPE})

    def ask(self) -> None:
        """Send a request that an empty view answers: what Django and the server take for one."""
        with closing(self._connected()) as connection:
            _send(connection, "POST", "/uploaded/nothing/", [], 0, {})

    def _put(self, size: int) -> None:
        with closing(self._connected()) as connection:
            _send(connection, "PUT", self.put_link, _blocks(size), size, {})

    def _tus(self, size: int, *, piece: int) -> None:
        """Send a file in pieces, or in one for a piece of 0 bytes."""
        with closing(self._connected()) as connection:
            place = self._begun(connection, size)
            for offset in range(0, size, piece or size):
                length = min(piece or size, size - offset)
                _send(connection, "PATCH", place, _blocks(length), length, self._fields(offset))

    def _tus_at_once(self, size: int) -> None:
        fields = {**_TUS, **_NAME, **_PIECE_TYPE, "Upload-Length": str(size)}
        with closing(self._connected()) as connection:
            _send(connection, "POST", self.tus_link, _blocks(size), size, fields)

    def _begun(self, connection: HTTPConnection, size: int) -> str:
        fields = {**_TUS, **_NAME, "Upload-Length": str(size)}
        return str(_send(connection, "POST", self.tus_link, [], 0, fields)["Location"])

    def _fields(self, offset: int) -> dict[str, str]:
        return {**_TUS, **_PIECE_TYPE, "Upload-Offset": str(offset)}

    def _connected(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.base).netloc, timeout=_PATIENCE)


def uploader(workspace: Workspace) -> Uploader:
    """Return a client with the links of a workspace, and no server as yet."""
    return Uploader("", *workspace.call(links, DJANGO_SETTINGS_MODULE=SETTINGS))


def links() -> tuple[str, str]:
    """Return the links of an uploader."""
    storage: Any = storages["default"]
    most = 2**40
    put_link = storage.upload_url(f"{DIRECTORY}/put.bin", max_size=most)
    return put_link, storage.upload_url(prefix=DIRECTORY, max_size=most)


def _blocks(size: int) -> Iterator[memoryview]:
    for start in range(0, size, _MIB):
        yield _BLOCK[: size - start]


def _send(
    connection: HTTPConnection,
    method: str,
    target: str,
    body: Iterable[bytes | memoryview],
    length: int,
    fields: Mapping[str, str],
) -> HTTPMessage:
    """Send a request, and return the fields of the answer.

    :raises LoadFailed: it is not a good one.
    """
    try:
        connection.request(method, target, body, {**fields, "Content-Length": str(length)})
        response = connection.getresponse()
        text = response.read()
    except (OSError, HTTPException) as error:
        raise LoadFailed(f"{type(error).__name__}: {error}") from error
    if response.status not in (201, 204):
        raise LoadFailed(f"{method} got {response.status}: {text[:80]!r}")
    return response.headers
