"""Verification: checks that each file is still what was saved."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from django.db.models import Q
from django.db.models.functions import Length

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.exceptions import (
    ContentVanished,
    FileBusy,
    KeyLost,
    KeyServiceUnavailable,
    SealBroken,
)
from secure_dbstorage.files import SealedFileStat
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.sealing.ciphers import OVERHEAD_BYTES
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.storage.announcements import announce_changed
from secure_dbstorage.table import streams
from secure_dbstorage.table.trash import name_of, version_of

_PAST_END = "there are rows past the end of the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The result for one file."""

    name: str
    #: The size in bytes that the file should have.
    size: int
    #: The problems that remain; none for an intact file.
    problems: tuple[str, ...] = ()
    #: The problems that were repaired.
    repaired: tuple[str, ...] = ()
    #: Whether it was read. Without that, the one problem says why not.
    was_read: bool = True
    #: Of a deleted file, its version.
    version: str = ""

    @property
    def label(self) -> str:
        """What tells the file from all others of its storage."""
        return f"{self.name} (deleted, version {self.version})" if self.version else self.name


def verify(
    storage: DatabaseStorage, *, prefix: str = "", after: str = "", repair: bool = False
) -> Iterator[Verified]:
    """Read every file, compare it with its size and SHA-256, and yield the result.

    Lost bytes can't be repaired. Rows past the end of an intact file can, and so can a media type
    chosen by an older version. A file that is deleted or replaced in the meantime is skipped.
    Deleted files that can be restored come last.

    :param prefix: the canonical directory to read; "" for all.
    :param after: start after this name, to continue an interrupted run.
    """
    for row in storage.catalog.files().below(prefix).by_name(after):
        head = row.head(storage.options.encryption_keys)
        content_type = content_type_of(head.stat.name, storage.options.content_types)
        if (verified := _verify(storage, head, content_type, repair=repair)) is not None:
            yield verified
    for row in storage.catalog.trash.kept().below(prefix).by_name():
        head = row.head(storage.options.encryption_keys)  # Restoring it decides on its type.
        verified = _verify(storage, head, head.stat.content_type, repair=repair)
        if verified is not None:
            yield replace(verified, name=name_of(row), version=version_of(row))


def _verify(
    storage: DatabaseStorage, head: StoredHead, content_type: str, *, repair: bool
) -> Verified | None:
    alone, verified = storage.catalog.alone, Verified(name=head.stat.name, size=head.stat.size)
    try:
        found = alone(partial(_read, storage, head, content_type))
    except FileBusy as error:
        return replace(verified, problems=(f"not read: {error}",), was_read=False)
    if found is None:
        return None
    if not repair:
        return replace(verified, problems=(*found.problems, *found.repairs))
    problems, repaired = list(found.problems), list[str]()
    for problem, do_repair in found.repairs.items():
        try:
            alone(do_repair)
            repaired.append(problem)
        except FileBusy as error:
            problems.append(f"{problem}; not repaired: {error}")
    return replace(verified, problems=tuple(problems), repaired=tuple(repaired))


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found about a file."""

    #: The problems that can't be repaired.
    problems: tuple[str, ...]
    #: What repairs the others.
    repairs: Mapping[str, Callable[[], None]]


def _read(storage: DatabaseStorage, head: StoredHead, content_type: str) -> _Found | None:
    problems = _problems_of_bytes(head)
    if problems and not _is_there(head):
        return None  # The file was deleted, restored or replaced while it was being read.
    repairs: dict[str, Callable[[], None]] = {}
    if _rows_past_end(head).exists():
        if problems:  # Its size may be what is wrong, and then these rows are its content.
            problems += (f"{_PAST_END}; they stay, because the rest of it is not intact",)
        else:
            repairs[_PAST_END] = partial(_delete_rows_past_end, head)
    if head.stat.content_type != content_type:
        correct = partial(_correct_type, head, storage=storage, content_type=content_type)
        repairs["the media type does not match the name"] = correct
    return _Found(problems, repairs)


def _problems_of_bytes(head: StoredHead) -> tuple[str, ...]:
    digest, size = hashlib.sha256(), 0
    try:
        for piece in streams.read(head.content):
            digest.update(piece)
            size += len(piece)
    except ContentVanished:
        return (_lost_rows(head),)
    except SealBroken:
        return (f"encrypted content was changed after {size:,} of {head.stat.size:,} bytes",)
    except (KeyLost, KeyServiceUnavailable) as error:
        return (str(error),)
    if digest.hexdigest() != head.stat.sha256:
        return ("the content has changed: its SHA-256 differs from the recorded one",)
    if isinstance(head.stat, SealedFileStat) and head.stat.tag != head.stat.seal.tag:
        return ("the entity tag is not that of the content",)  # A cache would keep another file.
    return ()


def _lost_rows(head: StoredHead) -> str:
    """Say how much is left of a file whose rows are missing or too short."""
    content, last = head.content, head.content.chunk_count - 1
    overhead = 0 if content.seal is None else OVERHEAD_BYTES
    rows: StoredRowQuerySet = StoredFile.rows.using(content.using).of(content.key)
    is_whole = Q(position__lt=last, length=content.chunk_size + overhead)
    is_whole |= Q(position=last, length=content.length_at(last) + overhead)
    whole = rows.annotate(length=Length("data")).filter(is_whole).count()
    return f"rows are missing or too short: {whole:,} of {content.chunk_count:,} are whole"


def _is_there(head: StoredHead) -> bool:
    rows: StoredRowQuerySet = StoredFile.rows.using(head.content.using).of(head.content.key)
    return rows.filter(name=head.stat.name).exists()


def _rows_past_end(head: StoredHead) -> StoredRowQuerySet:
    content = head.content
    rows: StoredRowQuerySet = StoredFile.rows.using(content.using).of(content.key)
    return rows.filter(position__gte=content.chunk_count)


def _delete_rows_past_end(head: StoredHead) -> None:
    rows = _rows_past_end(head)
    # QuerySet.delete() would load the content if a signal receiver is connected.
    rows._raw_delete(rows.db)  # noqa: SLF001


def _correct_type(head: StoredHead, *, storage: DatabaseStorage, content_type: str) -> None:
    files = StoredFile.objects.using(head.content.using).filter(content=head.content.key)
    files.update(content_type=content_type)
    announce_changed(storage, head.stat.name, "content_type")
