"""Contents that can be told apart, and how a download of one ended."""

import hashlib
import random
from collections.abc import Callable, Iterable
from functools import lru_cache

from tests.support.http_client import BrokenAnswer, Download

MIB = 1024 * 1024

#: The bytes of a row, by default.
CHUNK = 261_120

#: How a download ended. MIXED must never be: a body of the promised length, and wrong.
WHOLE, BROKEN, REFUSED, MIXED = "whole", "broken", "refused", "mixed"

#: Seconds in which a client of a crowd gets its turn.
PATIENCE_SECONDS = 240

#: A few packets of the loopback. With room for less than one, each waits for a timer.
_BUFFER_BYTES = 256 * 1024


@lru_cache(maxsize=4)
def content_of(number: int, size: int) -> bytes:
    """Return the content of this number: no part of it is found in another."""
    return random.Random(number).randbytes(size)


@lru_cache(maxsize=4)
def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


def open_download(port: int, target: str) -> Download:
    """Ask for a file, and return when the head of the answer is there."""
    return Download(port, target, timeout_seconds=PATIENCE_SECONDS, buffer_bytes=_BUFFER_BYTES)


def receive(
    port: int, target: str, known: Iterable[str], *, midway: Callable[[], object] | None = None
) -> str:
    """Download a file and return how it ended.

    :param known: the digests of the contents that may come.
    :param midway: is called when the first bytes have come, and before the others are read.
    """
    try:
        with open_download(port, target) as download:
            return finish(download, known, midway=midway)
    except (BrokenAnswer, ConnectionError):
        return BROKEN


def finish(
    download: Download, known: Iterable[str], *, midway: Callable[[], object] | None = None
) -> str:
    """Read a download to its end, close it, and return how it ended."""
    digest, length = hashlib.sha256(), 0
    # Closed at once, as clients do: gunicorn's main thread waits two seconds for each to do it.
    with download:
        if midway is not None:
            first = download.read(4096)
            digest.update(first)
            length = len(first)
            midway()
        for piece in download.pieces():
            digest.update(piece)
            length += len(piece)
    if download.head.status != 200:
        return REFUSED
    if length < download.expected_length:
        return BROKEN
    whole = digest.hexdigest()
    # The entity tag is the content's digest, so the head must be of the same content.
    is_one = whole in known and download.head["etag"] == f'"{whole}"'
    return WHOLE if is_one and length == download.expected_length else MIXED
