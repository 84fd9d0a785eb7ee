"""Chunks: content, cut into the rows of the table."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from django.core.files import File

from secure_dbstorage.exceptions import FileTooLarge
from secure_dbstorage.files.contents import Content
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.sealing.seals import Seal
from secure_dbstorage.table.dialects import rows

#: Random bits of a content key: a positive bigint.
_KEY_BITS = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Content whose continuation rows are in the table. Its head row is not yet."""

    content: Content
    #: What the column holds: of encrypted content, its tag.
    sha256: str
    #: As the head row holds it.
    first_chunk: bytes


def write(
    pieces: Iterable[bytes | str],
    *,
    using: str,
    chunk_size: int,
    max_size: int | None,
    seal: Seal | None = None,
) -> Written:
    """Insert the continuation rows of new content, in the caller's transaction.

    The memory needed is that of one statement and two chunks, whatever the size.

    :param pieces: the content in pieces of any length. Text is encoded as UTF-8.
    :param seal: of new content, to encrypt it.
    :raises FileTooLarge: as soon as more than *max_size* bytes were read.
    """
    insert_chunks = rows(using).insert_chunks
    key = new_key() if seal is None else seal.content_key
    digest, size = hashlib.sha256(), 0

    def digested() -> Iterator[bytes]:
        nonlocal size
        for chunk in _chunks(pieces, chunk_size):
            size += len(chunk)
            if max_size is not None and size > max_size:
                raise FileTooLarge(f"The file is larger than {max_size} bytes")
            digest.update(chunk)
            yield chunk

    chunks = digested() if seal is None else map(seal.seal, count(), digested())
    first_chunk = next(chunks, b"")
    position, most = 1, max(1, STATEMENT_BYTES // chunk_size)
    while batch := list(islice(chunks, most)):
        insert_chunks(key, position, batch)
        position += len(batch)
        batch.clear()  # Before the next batch needs memory as well.
    sha256 = digest.hexdigest()
    if seal is not None:
        seal = seal.described(size, sha256)
        sha256 = seal.tag
    return Written(
        content=Content(using=using, key=key, size=size, chunk_size=chunk_size, seal=seal),
        sha256=sha256,
        first_chunk=first_chunk,
    )


def columns_of(written: Written) -> dict[str, object]:
    """Return the columns of a head row that its content fills."""
    content = written.content
    return {
        "content": content.key,
        "size": content.size,
        "chunk_size": content.chunk_size,
        "sha256": written.sha256,
        "sealed_key": None if content.seal is None else content.seal.sealed_key,
        "data": written.first_chunk,
    }


def pieces_of(file: "File[Any]", length: int) -> Iterable[bytes | str]:
    """Return the content of a file in pieces, from its start if it can seek.

    :param length: how many bytes a piece should have: a row takes such a one without a copy.
    """
    try:
        seekable = file.seekable()
    except AttributeError:  # Nothing but `read()`, which `chunks()` is prepared for.
        seekable = True
    if not seekable:
        return _rest(file, length)
    # The project's own may take no argument.
    is_djangos = getattr(file.chunks, "__func__", None) is File.chunks
    return file.chunks(length) if is_djangos else file.chunks()


def new_key() -> int:
    """Return a random content key. A unique constraint catches a collision."""
    return secrets.randbits(_KEY_BITS)


def delete(key: int, *, using: str) -> None:
    """Delete the rows of a content."""
    rows(using).delete(key)


def _rest(file: "File[Any]", length: int) -> Iterator[bytes | str]:
    """Read a stream from its position. ``chunks()`` would rewind, which some streams can't."""
    while piece := file.read(length):
        yield piece


def _chunks(pieces: Iterable[bytes | str], chunk_size: int) -> Iterator[bytes]:
    """Cut pieces of any length into chunks of one length. Only the last may be shorter."""
    buffer = bytearray()
    for piece in pieces:
        if type(piece) is bytes and len(piece) == chunk_size and not buffer:
            yield piece  # Without a copy: see `pieces_of()`.
            continue
        rest = memoryview(piece.encode() if isinstance(piece, str) else piece)
        while not buffer and len(rest) >= chunk_size:
            yield bytes(rest[:chunk_size])
            rest = rest[chunk_size:]
        while rest:
            room = chunk_size - len(buffer)
            buffer += rest[:room]
            rest = rest[room:]
            if len(buffer) == chunk_size:
                yield bytes(buffer)
                buffer.clear()
    if buffer:
        yield bytes(buffer)
