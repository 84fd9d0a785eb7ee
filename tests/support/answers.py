"""Answers about one file, without a view and a table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import current_thread
from typing import Any

from django.test import RequestFactory

from secure_dbstorage.files import FileStat
from secure_dbstorage.serving.conditions import drop_void_dates, select
from secure_dbstorage.serving.headers import Presentation, answer_headers
from secure_dbstorage.serving.responses import respond

CONTENT = b"0123456789" * 100
STAT = FileStat(
    name="dir/file.txt",
    size=len(CONTENT),
    sha256="ab" * 32,
    content_type="text/plain",
    is_public=True,
    created=datetime(2024, 1, 1, tzinfo=UTC),
    modified=datetime(2024, 2, 29, 12, 30, 45, 999999, tzinfo=UTC),
)
SHOWN = Presentation(
    inline=True, filename=None, private=False, cache_control="public, max-age=300"
)
PRIVATE = Presentation(
    inline=True, filename=None, private=True, cache_control="private, max-age=300"
)


class Reader:
    """Gives the bytes of the file in small pieces, and remembers what was asked for."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.asked: list[tuple[int, int]] = []
        self.given: list[int] = []
        self.threads: set[str] = set()

    def __call__(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from *start* up to *stop*."""
        self.asked.append((start, stop))
        return self._pieces(start, stop)

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        for first in range(start, stop, 64):
            self.given.append(first)
            self.threads.add(current_thread().name)
            yield CONTENT[first : min(first + 64, stop)]


def answer(
    method: str = "GET",
    *,
    shown: Presentation = SHOWN,
    whole: bytes | None = None,
    read: Reader | None = None,
    **headers: str,
) -> Any:
    """Return the answer to a request for the file, composed as the view does."""
    request = RequestFactory().generic(method, "/", headers=dashed(headers))
    drop_void_dates(request)
    selected = select(request, STAT)
    span = selected.span
    body: bytes | Iterator[bytes] = b""
    if selected.has_body and whole is not None:
        body = whole[span.start : span.stop]
    elif selected.has_body:
        body = (read or Reader())(span.start, span.stop)
    fields = answer_headers(STAT, shown, selected.status, span)
    return respond(selected.status, fields, body, is_private=shown.private)


def dashed(headers: dict[str, str]) -> dict[str, str]:
    """Return header fields whose names are spelled with underscores."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
