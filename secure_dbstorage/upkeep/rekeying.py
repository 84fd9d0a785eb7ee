"""Rekeying: the keys of files wrapped by the newest key, or their bytes sealed anew."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

from django.db import transaction

from secure_dbstorage.exceptions import (
    ContentVanished,
    FileBusy,
    KeyLost,
    KeyServiceUnavailable,
    SealBroken,
    SecureDBStorageError,
)
from secure_dbstorage.models import StoredFile, page_of
from secure_dbstorage.sealing.envelopes import Envelope
from secure_dbstorage.sealing.seals import Owner, Seal, seal_of
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import chunks, resealing

#: How many keys one transaction changes. Others wait no longer than it takes.
_BATCH = 100

#: How many unfinished uploads one query fetches.
_UPLOADS_PER_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """What became of one file or unfinished upload."""

    #: The file's name, or the content key of an upload.
    name: str
    size: int
    #: ``rewrapped``, ``resealed``, ``current`` (the newest key wraps it already), ``changed``
    #: (somebody else was faster) or ``failed``.
    outcome: str
    #: Why it failed.
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class KeysInUse:
    """Which keys wrap those of how many files, deleted ones and unfinished uploads included."""

    #: By id.
    counts: dict[str, int] = field(default_factory=dict)
    #: Files that are not encrypted.
    plain: int = 0
    #: Files whose sealed key says nothing.
    damaged: list[str] = field(default_factory=list)


def find_keys(storage: DatabaseStorage) -> KeysInUse:
    """Return which keys are in use. No byte of any file is read, and no key is unwrapped."""
    found = KeysInUse()
    for row in _rows(storage):
        if row.sealed_key is None:
            found.plain += 1
            continue
        try:
            key_id = Envelope.parse(bytes(row.sealed_key)).key_id
        except SecureDBStorageError:
            found.damaged.append(_name(row))
            continue
        found.counts[key_id] = found.counts.get(key_id, 0) + 1
    return found


def rewrap(storage: DatabaseStorage) -> Iterator[Rekeyed]:
    """Wrap the key of each encrypted file by the newest key, and yield what became of it.

    Deleted files and unfinished uploads are among them. No byte of any file is read. What is done
    already is left alone, so an interrupted run may be repeated.
    """
    rows = (row for row in _rows(storage) if row.sealed_key is not None)
    while batch := list(islice(rows, _BATCH)):
        wrapped = [_wrapped(storage, row) for row in batch]  # May ask a service: no transaction.
        try:
            written = storage.catalog.alone(partial(_write_free, storage, wrapped))
        except FileBusy:  # One by one, only those fail that are busy.
            written = {}
        # What is written comes first: a database that goes away ends all with the next one.
        for item in sorted(wrapped, key=partial(_is_left, written)):
            outcome, problem = item.outcome, item.problem
            try:
                if not _is_written(storage, item, written):
                    outcome = "changed"
            except FileBusy as error:
                outcome, problem = "failed", str(error)
            yield Rekeyed(
                name=_name(item.row), size=item.row.size or 0, outcome=outcome, problem=problem
            )


def reseal(storage: DatabaseStorage, *, prefix: str = "", after: str = "") -> Iterator[Rekeyed]:
    """Write the bytes of each file again under a new key, plain files too, and yield the result.

    The old rows are deleted, which breaks off downloads of them. Names, times, flags and links
    stay. Deleted files and unfinished uploads are left as they are.

    :param prefix: the canonical directory; "" for all.
    :param after: start after this name, to continue an interrupted run.
    """
    for row in storage.catalog.files().below(prefix).by_name(after):
        try:
            outcome, problem = storage.catalog.alone(partial(_outcome_of_reseal, storage, row))
        except (FileBusy, KeyLost, KeyServiceUnavailable, SealBroken) as error:
            outcome, problem = "failed", str(error)
        yield Rekeyed(name=_name(row), size=row.size or 0, outcome=outcome, problem=problem)


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """A row, and its new column; None to leave it as it is."""

    row: StoredFile
    column: bytes | None
    outcome: str
    problem: str = ""


def _rows(storage: DatabaseStorage) -> Iterator[StoredFile]:
    """Yield the head rows of a storage and of its trash, and the first rows of its uploads."""
    trash = storage.catalog.trash.files()
    return chain(storage.catalog.files().by_name(), trash.by_name(), _uploads(storage))


def _uploads(storage: DatabaseStorage) -> Iterator[StoredFile]:
    rows, last = storage.inbox.unfinished().defer("data").order_by("content"), -1
    while page := page_of(rows.filter(content__gt=last), _UPLOADS_PER_QUERY):
        yield from page
        last = page[-1].content


def _wrapped(storage: DatabaseStorage, row: StoredFile) -> _Wrapped:
    keyring = storage.options.encryption_keys
    seal = seal_of(
        row.sealed_key,
        namespace=str(row.namespace),
        content=row.content,
        size=row.size or 0,
        keyring=keyring,
    )
    assert seal is not None  # noqa: S101 -- plain rows are left out
    try:
        if Envelope.parse(seal.sealed_key).key_id == keyring.ids[0]:
            return _Wrapped(row, None, "current")
        return _Wrapped(row, seal.rewrapped(), "rewrapped")
    except SecureDBStorageError as error:
        return _Wrapped(row, None, "failed", str(error))


def _write_free(storage: DatabaseStorage, batch: Iterable[_Wrapped]) -> dict[int, bool]:
    """Write those new columns whose rows nobody has locked, in one transaction.

    See Note [Locks of many files] in ``table/resealing``.

    :returns: whether each was written, by primary key.
    """
    using = storage.catalog.writer
    new = {item.row.pk: item for item in batch if item.column is not None}
    if not new:
        return {}
    with transaction.atomic(using=using):
        free = resealing.lock_free(new, using=using)
        return {row_id: _write(storage, item) for row_id, item in new.items() if row_id in free}


def _is_left(written: Mapping[int, bool], item: _Wrapped) -> bool:
    return item.column is not None and item.row.pk not in written


def _is_written(storage: DatabaseStorage, item: _Wrapped, written: Mapping[int, bool]) -> bool:
    """Write a new column that was left, and return False if the row has another by now.

    :param written: what :func:`_write_free` returned.
    """
    if item.column is None:
        return True
    if item.row.pk in written:
        return written[item.row.pk]
    return storage.catalog.alone(partial(_write, storage, item))


def _write(storage: DatabaseStorage, item: _Wrapped) -> bool:
    """Write a new column, unless the row has another by now."""
    old, new = bytes(item.row.sealed_key or b""), item.column or b""
    return resealing.rewrap(item.row.pk, old, new, using=storage.catalog.writer)


def _outcome_of_reseal(storage: DatabaseStorage, row: StoredFile) -> tuple[str, str]:
    """Write the bytes of a file again, and return the outcome and the problem."""
    try:
        return "resealed" if _reseal(storage, row) else "changed", ""
    except ContentVanished:
        return _outcome_without_rows(storage, row)


def _reseal(storage: DatabaseStorage, row: StoredFile) -> bool:
    options = storage.options
    head = row.head(options.encryption_keys)
    seal = Seal.new(options.encryption_keys, Owner(options.namespace, chunks.new_key()))
    return resealing.reseal(
        row, head.content, head.stat.sha256, seal=seal, chunk_size=options.chunk_size
    )


def _outcome_without_rows(storage: DatabaseStorage, row: StoredFile) -> tuple[str, str]:
    """Return the outcome for a file whose rows are missing: somebody else may have deleted it."""
    head = storage.catalog.find(_name(row))
    if head is None or head.content.key != row.content:
        return "changed", ""
    return "failed", "rows are missing or too short"


def _name(row: StoredFile) -> str:
    return row.name or str(row.content)
