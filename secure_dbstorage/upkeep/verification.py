"""Verification: whether each file is still what was saved."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.exceptions import ContentVanished
from secure_dbstorage.files import StoredHead
from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one file when it was read again."""

    name: str
    #: Bytes that the file should have.
    size: int
    #: What is wrong with it, each a sentence; none for a file that is intact.
    problems: tuple[str, ...] = ()
    #: What was wrong and has been put right.
    repaired: tuple[str, ...] = ()


def verify(
    storage: DatabaseStorage, *, prefix: str = "", after: str = "", repair: bool = False
) -> Iterator[Verified]:
    """Read every file again, compare it with its size and SHA-256, and yield it.

    Bytes that are gone are gone: what can be repaired are rows behind a file's end, and a media
    type of an older table of types. A file that is deleted or replaced meanwhile is left out.

    :param prefix: the canonical directory to look at; "" for all.
    :param after: the name after which to begin, to go on where a run was interrupted.
    """
    for row in storage.catalog.files().below(prefix).by_name(after):
        verified = _verify(storage, row.head(), repair=repair)
        if verified is not None:
            yield verified


def _verify(storage: DatabaseStorage, head: StoredHead, *, repair: bool) -> Verified | None:
    problems = _problems_of_bytes(head)
    if problems and _key_of(storage, head.stat.name) != head.content.key:
        return None  # It was deleted or replaced while it was read.
    mendable = {}
    if _rows_behind(head).exists():
        mendable["rows behind its end"] = _delete_rows_behind
    if head.stat.content_type != content_type_of(head.stat.name):
        mendable["the media type is not what the name says"] = _correct_type
    if repair:
        for mend in mendable.values():
            mend(head)
        return _verified(head, problems, repaired=tuple(mendable))
    return _verified(head, (*problems, *mendable))


def _verified(
    head: StoredHead, problems: tuple[str, ...], repaired: tuple[str, ...] = ()
) -> Verified:
    stat = head.stat
    return Verified(name=stat.name, size=stat.size, problems=problems, repaired=repaired)


def _problems_of_bytes(head: StoredHead) -> tuple[str, ...]:
    digest, size = hashlib.sha256(), 0
    try:
        for piece in streams.read(head.content):
            digest.update(piece)
            size += len(piece)
    except ContentVanished:
        return (f"rows are missing or too short after {size:,} of {head.stat.size:,} bytes",)
    if digest.hexdigest() != head.stat.sha256:
        return ("the bytes are not those that were saved: their SHA-256 differs",)
    return ()


def _key_of(storage: DatabaseStorage, name: str) -> int | None:
    head = storage.catalog.find(name)
    return head.content.key if head else None


def _rows_behind(head: StoredHead) -> StoredRowQuerySet:
    content = head.content
    rows: StoredRowQuerySet = StoredFile.rows.using(content.using).of(content.key)
    return rows.filter(position__gte=content.chunk_count)


def _delete_rows_behind(head: StoredHead) -> None:
    rows = _rows_behind(head)
    # A queryset's own delete() would load the bytes for any receiver of a signal.
    rows._raw_delete(rows.db)  # noqa: SLF001


def _correct_type(head: StoredHead) -> None:
    files = StoredFile.objects.using(head.content.using).filter(content=head.content.key)
    files.update(content_type=content_type_of(head.stat.name))
