"""Streams: the bytes of a content, read from its rows."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import count

from secure_dbstorage.exceptions import ContentVanished
from secure_dbstorage.files.contents import Content
from secure_dbstorage.sealing.ciphers import OVERHEAD_BYTES
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.heap import raise_trim_threshold
from secure_dbstorage.table.lending import Sending, Source, in_crowd

#: The most bytes that one query fetches, unless a row is longer. Half as much takes 1.2 times as
#: long on PostgreSQL. More gains nothing.
MAX_RUN_BYTES = 2 * 1024 * 1024

#: The most contents that one query fetches together.
_MAX_TOGETHER = 500

raise_trim_threshold(4 * MAX_RUN_BYTES)  # See Note [A block for glibc].


def read(  # noqa: PLR0913 -- a part, and all that makes it quick
    content: Content,
    *,
    start: int = 0,
    stop: int | None = None,
    first_chunk: bytes | None = None,
    sending: Sending | None = None,
    at_once: bool = False,
) -> Iterator[bytes]:
    """Yield the bytes of a content from *start* up to *stop*, row by row.

    One short query fetches a run of rows of at most 2 MiB, so nothing stays open between two
    pieces. The rows are not joined: that would take as long as SQLite needs to find them. If the
    content has a replica, that is asked first; see Note [Bytes of a replica] in ``lending``.

    :param first_chunk: the head row's bytes, if they were fetched already.
    :param sending: for a response, whose reader may be slow.
    :param at_once: whether all of it is wanted, so that the first query may fetch 2 MiB as well.
    :raises ContentVanished: when rows are missing. Pieces of two contents are never mixed.
    :raises SecureDBStorageError: when encrypted content can't be opened.
    """
    content.unlock()  # While no connection is lent.
    stop = content.size if stop is None else stop
    run: list[bytes] = []
    # Of another length, it is not what was saved. Read again, it will be missed.
    is_whole = first_chunk is not None and len(first_chunk) == content.length_at(0)
    if first_chunk is not None and is_whole and start < len(first_chunk):
        run.append(first_chunk[start:stop])
        start += len(run[0])
    first_chunk = None
    with in_crowd(content.using, sending):
        while run:
            yield run.pop()  # Let go: a slow reader holds no more than what is still to come.
        if start < stop:
            pieces = _pieces if content.seal is None else _opened_pieces
            lengths = _run_lengths(content, sending, at_once=at_once)
            yield from pieces(content, start, stop, lengths, sending)


def read_now(
    content: Content,
    *,
    start: int = 0,
    first_chunk: bytes | None = None,
    sending: Sending | None = None,
) -> Generator[bytes, None, None]:
    """Yield what :func:`read` does, to a caller who doesn't use the connection until the end.

    On SQLite and MySQL one query stays open. Its caller copies each row while it is still in the
    processor's cache, which takes 0.7 of the time. Arguments and errors are those of :func:`read`.
    """
    stored = rows(content.using)
    if content.seal or content.replica or sending or not stored.gives_rows_as_they_come:
        yield from read(
            content, start=start, first_chunk=first_chunk, sending=sending, at_once=True
        )
        return
    left = content.size - start
    if first_chunk is not None and start < len(first_chunk) == content.length_at(0):
        yield first_chunk[start:]
        left = content.size - len(first_chunk)
    if left > 0:
        position, offset = divmod(content.size - left, content.chunk_size)
        for chunk in stored.each(content.key, position, content.chunk_count - position):
            left -= len(chunk) - offset
            yield chunk[offset:]
            offset = 0
        if left:
            raise _vanished()


def read_all(contents: Iterable[Content], *, sending: Sending) -> Iterator[Iterable[bytes]]:
    """Yield the bytes of each content, to be read in this order.

    Neighbours that have one row each are fetched together, by one query for at most 2 MiB.

    :raises ContentVanished: as :func:`read` does.
    """
    for batch in _batches(contents, sending):
        if len(batch) == 1:
            yield read(batch[0], sending=sending)
        else:
            yield from _read_together(batch, sending)


def _run_lengths(content: Content, sending: Sending | None, *, at_once: bool) -> Iterator[int]:
    """Yield how many rows each query may fetch."""
    longest = max(1, MAX_RUN_BYTES // content.chunk_size)
    if sending and sending.rows_wanted:
        while True:
            yield min(longest, sending.rows_wanted())
    # A small file is read whole; of a large one, a part may be all that is wanted.
    length = longest if at_once or content.size <= MAX_RUN_BYTES else 1
    while True:
        yield length
        length = min(2 * length, longest)


def _pieces(
    content: Content, start: int, stop: int, lengths: Iterator[int], sending: Sending | None
) -> Iterator[bytes]:
    """Yield the bytes of a content as its rows have them.

    :param lengths: how many rows each query may fetch.
    """
    run: list[bytes] = []
    source = Source(content, sending)
    while run or start < stop:
        if not run:
            run = source.fetch(partial(_run, content, start, stop, next(lengths)))
            start += sum(map(len, run))
            run.reverse()
        yield run.pop()


def _opened_pieces(
    content: Content, start: int, stop: int, lengths: Iterator[int], sending: Sending | None
) -> Iterator[bytes]:
    """Yield the plain bytes of encrypted content. Each row is authentic only as a whole."""
    size, first = content.chunk_size, start // content.chunk_size
    stored = content._replace(
        size=content.size + content.chunk_count * OVERHEAD_BYTES,
        chunk_size=size + OVERHEAD_BYTES,
        seal=None,
    )
    end = min(-(-stop // size) * stored.chunk_size, stored.size)
    sealed = _pieces(stored, first * stored.chunk_size, end, lengths, sending)

    def opened(position: int, row: bytes) -> bytes:
        chunk, begin = content.opened(position, row), position * size
        if len(chunk) != content.length_at(position):
            raise _vanished()
        return chunk[max(0, start - begin) : stop - begin]

    # Each is opened when it is wanted, while it is in the processor's cache.
    yield from map(opened, count(first), sealed)


def _run(content: Content, start: int, stop: int, run_length: int, using: str) -> list[bytes]:
    stored = rows(using)
    position, offset = divmod(start, content.chunk_size)
    whole_chunks = content.chunk_count if stop == content.size else stop // content.chunk_size
    count = min(run_length, whole_chunks - position)
    if offset == 0 and count > 0:
        end = min((position + count) * content.chunk_size, stop)
        run = stored.run(content.key, position, count)
    else:
        # The range begins or ends inside this chunk. Only that part of it travels.
        end = min((position + 1) * content.chunk_size, stop)
        base, length = position * content.chunk_size, content.length_at(position)
        part = stored.part(content.key, position, offset, end - base, length=length)
        run = [part or b""]
    if sum(map(len, run)) != end - start:
        raise _vanished()
    return run


def _batches(contents: Iterable[Content], sending: Sending) -> Iterator[list[Content]]:
    """Yield contents one by one, or several together that have one row each."""
    batch: list[Content] = []
    length = most = 0
    for content in contents:
        is_alone = content.chunk_count > 1
        is_full = length + content.size > most or len(batch) >= _MAX_TOGETHER
        if batch and (is_alone or is_full):
            yield batch
            batch, length = [], 0
        if not batch:
            most = _most_together(content, sending)
        batch.append(content)
        length += content.size
        if is_alone:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def _most_together(first: Content, sending: Sending) -> int:
    """Return how many bytes may be fetched together, from this content on."""
    if sending.rows_wanted is None:
        return MAX_RUN_BYTES
    return min(MAX_RUN_BYTES, sending.rows_wanted() * first.chunk_size)


def _read_together(batch: Sequence[Content], sending: Sending) -> Iterator[Iterable[bytes]]:
    for content in batch:
        content.unlock()  # While no connection is lent.
    with in_crowd(batch[0].using, sending):
        found = Source(batch[0], sending).fetch(partial(_first_chunks, batch))
        for content in batch:
            yield [found.pop(content.key, b"")]


def _first_chunks(batch: Sequence[Content], using: str) -> dict[int, bytes]:
    found = rows(using).first_chunks([content.key for content in batch])
    for content in batch:
        chunk = content.opened(0, found.get(content.key, b""))
        if len(chunk) != content.size:
            raise _vanished()
        found[content.key] = chunk
    return found


def _vanished() -> ContentVanished:
    return ContentVanished("The content was deleted or replaced while it was being read")
