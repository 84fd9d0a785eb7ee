"""Uploads: as rows that nobody has finished, and as requests."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django.utils import timezone

from secure_dbstorage.models import StoredFile
from secure_dbstorage.signals import file_saved

#: When the deadline of an upload was.
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def begin_upload(using: str, *, key: int, rows: int = 1, **changes: Any) -> StoredFile:
    """Insert the first row of an upload, and as many rows behind it as make up that number."""
    values = {
        "namespace": "",
        "size": 4096 * rows,
        "chunk_size": 4096,
        "created": timezone.now(),
        "expires": PAST,
        "data": b"x" * 4096,
        **changes,
    }
    stored = StoredFile.rows.using(using)
    first: StoredFile = stored.create(content=key, position=0, **values)
    for position in range(1, rows):
        stored.create(content=key, position=position, data=b"x" * 4096)
    return first


def finish_upload(using: str, *, key: int, name: str) -> int:
    """Give an upload its name, if it has none, and return how many rows that changed."""
    changed: int = (
        StoredFile.rows.using(using)
        .unfinished()
        .of(key)
        .update(
            name=name,
            sha256="0" * 64,
            content_type="text/plain",
            is_public=False,
            modified=timezone.now(),
            expires=None,
            link_epoch=1,
        )
    )
    return changed


#: The media type of a piece.
PIECE = "application/offset+octet-stream"

#: Bytes that differ from place to place, so that a piece in the wrong place is seen.
CONTENT = b"".join(number.to_bytes(4) for number in range(5000))


class Wire(io.BytesIO):
    """A body as it comes from the network."""

    def __init__(
        self,
        data: bytes,
        *,
        meanwhile: Callable[[], object] = lambda: None,
        breaks_after: int | None = None,
    ) -> None:
        """Send these bytes.

        :param meanwhile: called when they are first waited for.
        :param breaks_after: fail after so many bytes, as a connection does that is reset.
        """
        super().__init__(data if breaks_after is None else data[:breaks_after])
        self._meanwhile = [meanwhile]
        self._breaks = breaks_after is not None

    def read(self, size: int | None = -1) -> bytes:
        """Return what has come."""
        while self._meanwhile:
            self._meanwhile.pop()()
        data = super().read(size)
        if self._breaks and not data:
            raise ConnectionResetError
        return data


def metadata(**values: str) -> dict[str, str]:
    """Return the field Upload-Metadata with these values."""
    pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in values.items())
    return {"Upload-Metadata": ",".join(pairs)}


class Uploader:
    """A client that sends uploads to the view, by PUT and by tus.

    It checks what every answer must carry.
    """

    def __init__(self, client: Client | None = None) -> None:
        """Use this client of Django's."""
        self.client = client or Client()

    def ask(
        self,
        method: str,
        url: str,
        data: bytes = b"",
        fields: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        """Send a request with these header fields alone.

        :param more: variables of CGI.
        """
        # Django's client says nothing of an empty body.
        ours = {"CONTENT_LENGTH": str(len(data)), **more}
        answer: Any = self.client.generic(method, url, data, headers=fields or {}, **ours)
        assert answer["Tus-Resumable"] == "1.0.0"
        # The server of `runserver` takes no other kind of text, not even one that is derived.
        assert {type(value) for value in answer.headers.values()} == {str}
        assert answer["Cache-Control"] in ("no-store", "private, no-store")
        assert answer["Referrer-Policy"] == "no-referrer"
        return answer

    def create(self, url: str, length: object, data: bytes | None = None, **fields: str) -> Any:
        """Begin an upload, with its first bytes if there are any."""
        headers = {"Upload-Length": str(length)}
        kind = "" if data is None else PIECE
        return self.tus("POST", url, data or b"", headers, content_type=kind, **fields)

    def patch(self, url: str, offset: object, data: bytes, **fields: str) -> Any:
        """Send a piece."""
        headers = {"Upload-Offset": str(offset)}
        return self.tus("PATCH", url, data, headers, content_type=PIECE, **fields)

    def tus(
        self,
        method: str,
        url: str,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str = "",
        **fields: str,
    ) -> Any:
        """Send a request of tus. Underscores in the names of fields stand for hyphens."""
        given = {name.replace("_", "-"): value for name, value in fields.items()}
        ours = {"Tus-Resumable": "1.0.0", **(headers or {}), **given}
        return self.ask(method, url, data, ours, CONTENT_TYPE=content_type)

    def put(self, url: str, data: bytes = b"", fields: Mapping[str, str] | None = None) -> Any:
        """Send a whole file."""
        return self.ask("PUT", url, data, fields, CONTENT_TYPE="application/x-anything")

    def begun(self, url: str, length: int, name: str = "a.txt") -> str:
        """Begin an upload, and return its URL."""
        answer = self.create(url, length, **metadata(filename=name))
        assert answer.status_code == 201, answer.content
        return str(answer["Location"])

    def sent(self, url: str, data: bytes = CONTENT, name: str = "a.txt") -> str:
        """Send an upload in one request, and return its URL."""
        answer = self.create(url, len(data), data, **metadata(filename=name))
        assert answer.status_code == 201, answer.content
        assert answer["Upload-Offset"] == str(len(data))
        return str(answer["Location"])

    def offset(self, url: str) -> int:
        """Return how far an upload is."""
        answer = self.tus("HEAD", url)
        assert answer.status_code == 200
        return int(answer["Upload-Offset"])


@contextmanager
def announced() -> Iterator[list[tuple[str, bool]]]:
    """Give the list of what is announced meanwhile: names, and whether they are new."""
    saved: list[tuple[str, bool]] = []

    def note(name: str, *, created: bool, **_: object) -> None:
        saved.append((name, created))

    file_saved.connect(note)
    try:
        yield saved
    finally:
        file_saved.disconnect(note)
