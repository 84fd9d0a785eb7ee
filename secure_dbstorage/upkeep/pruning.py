"""Pruning: removes files and rows that are no longer needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length

from secure_dbstorage.exceptions import FileBusy
from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.outages import alone
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import chunks, turns, uploads
from secure_dbstorage.table.trash import name_of
from secure_dbstorage.upkeep.references import ReferredNames, referred

#: How many files one query looks up.
_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A file, or rows without a file, that were removed, or would be, or should have been."""

    #: ``expired``, ``unreferenced``, ``deleted`` (a deleted file that can't be restored any more),
    #: ``unfinished`` (an upload that nobody finished in time), ``stray`` (rows without a file),
    #: ``used`` (the record that a one-time link was used, once that link has expired) or ``turn``
    #: (what is left of a turn at an upload, if a server has died).
    kind: str
    #: The file's name, or the content key of rows without a name.
    name: str
    #: The size in bytes.
    size: int = 0
    #: Why it could not be removed now; "" if it was.
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Pruning:
    """How things are removed from one database: each alone, so that one can't stop the others."""

    using: str
    dry_run: bool

    def remove(
        self,
        item: Pruned,
        remove: Callable[[], bool],
        measure: Callable[[], int] | None = None,
    ) -> Iterator[Pruned]:
        """Remove something, and yield it; nothing if it must not be removed any more.

        :param remove: tells whether it was removed.
        :param measure: returns the size, where *item* does not have it.
        """

        def pruned() -> list[Pruned]:
            measured = item if measure is None else replace(item, size=measure())
            return [measured] if self.dry_run or remove() else []

        try:
            yield from alone(pruned, self.using)
        except FileBusy as error:
            yield replace(item, problem=str(error))


def prune_expired(storage: DatabaseStorage, *, dry_run: bool) -> Iterator[Pruned]:
    """Delete temporary files that have expired, and yield each."""
    now, pruning = datetime.now(UTC), _Pruning(storage.catalog.writer, dry_run)

    def has_expired(row: StoredFile) -> bool:
        return row.expires is not None and row.expires <= now

    for row in storage.catalog.files().filter(expires__lte=now).by_name():
        item = Pruned(kind="expired", name=_name(row), size=row.size or 0)
        yield from pruning.remove(item, partial(storage.delete_if, item.name, has_expired))


def prune_deleted(storage: DatabaseStorage, *, dry_run: bool) -> Iterator[Pruned]:
    """Erase deleted files that can't be restored any more, and yield each.

    Without the option ``keep_deleted``, that is all of them.
    """
    trash, pruning = storage.catalog.trash, _Pruning(storage.catalog.writer, dry_run)
    for row in trash.over().by_name():
        item = Pruned(kind="deleted", name=name_of(row), size=row.size or 0)
        yield from pruning.remove(item, partial(trash.erase_row, row))


def prune_unfinished(storage: DatabaseStorage, *, dry_run: bool) -> Iterator[Pruned]:
    """Delete uploads that nobody finished in time, and yield each."""
    now, using = datetime.now(UTC), storage.catalog.writer
    pruning = _Pruning(using, dry_run)
    for key in storage.inbox.unfinished().filter(expires__lte=now).content_keys():
        remove = partial(uploads.delete_expired, key, now=now, using=using)
        item = Pruned(kind="unfinished", name=str(key))
        yield from pruning.remove(item, remove, partial(_size_of, key, using))


def prune_unreferenced(  # noqa: PLR0913 -- all that protects a file, or does not
    storage: DatabaseStorage,
    *,
    older_than: timedelta,
    prefix: str = "",
    keep: tuple[str, ...] = (),
    ignored_schemas: tuple[str, ...] = (),
    dry_run: bool,
) -> Iterator[Pruned]:
    """Delete files that no FileField of any model refers to, and yield each.

    With the option ``keep_deleted`` they can be restored for a while.

    :param older_than: how long ago a file must have been saved. An upload may be saved before the
        row that will refer to it.
    :param prefix: the canonical directory to search; "" for all.
    :param keep: canonical directories whose files stay.
    :param ignored_schemas: schemas of PostgreSQL, out of reach, whose rows refer to no file.
    :raises ReferencesHidden: when rows that can't be seen may refer to some; nothing is deleted.
    """
    old = storage.catalog.files().below(prefix).filter(modified__lt=datetime.now(UTC) - older_than)
    for directory in keep:
        old = old.exclude(pk__in=storage.catalog.files().at_or_below(directory).values("pk"))
    names = ReferredNames(storage, ignored_schemas=ignored_schemas)
    candidates: list[StoredFile] = []
    for row in old.by_name():
        if _name(row) not in names:
            candidates.append(row)
        if len(candidates) == _BATCH:
            yield from _delete_unreferenced(storage, candidates, dry_run=dry_run)
            candidates.clear()
    yield from _delete_unreferenced(storage, candidates, dry_run=dry_run)


def prune_rows(using: str, *, dry_run: bool) -> Iterator[Pruned]:
    """Delete rows without a file, and the records of used one-time links that have expired.

    Also what is left of a turn at an upload, if a server has died.

    :param using: alias of the database. All storages in it share the table.
    """
    pruning = _Pruning(using, dry_run)
    rows: StoredRowQuerySet = StoredFile.rows.using(using)
    over = rows.use_marks().filter(expires__lte=datetime.now(UTC))
    for key in over.content_keys():
        item = Pruned(kind="turn" if turns.is_turn(key) else "used", name=str(key))
        yield from pruning.remove(item, partial(_delete_mark, over, key))
    for key in rows.strays().content_keys():
        item, measure = Pruned(kind="stray", name=str(key)), partial(_size_of, key, using)
        yield from pruning.remove(item, partial(_delete_stray, key, using), measure)


def _delete_mark(over: StoredRowQuerySet, key: int) -> bool:
    """Delete a mark, unless it is not over any more: another request may have taken the turn."""
    mark = over.of(key)
    # QuerySet.delete() would load it if a signal receiver is connected.
    return bool(mark._raw_delete(mark.db))  # noqa: SLF001


def _delete_stray(key: int, using: str) -> bool:
    """Delete continuation rows, unless they have a first row by now.

    MySQL at READ UNCOMMITTED shows the rows of a save in progress. Locking them waits until it is
    committed or rolled back.
    """
    rows: StoredRowQuerySet = StoredFile.rows.using(using).of(key).select_for_update()
    with transaction.atomic(using=using):
        list(rows.continuations().values_list("pk"))
        if rows.filter(position=0).values_list("pk"):
            return False
        chunks.delete(key, using=using)
        return True


def _size_of(key: int, using: str) -> int:
    """Return how many bytes the rows of a content hold."""
    rows = StoredFile.rows.using(using).of(key).annotate(length=Length("data"))
    return rows.aggregate(size=Sum("length"))["size"] or 0


def _delete_unreferenced(
    storage: DatabaseStorage, candidates: list[StoredFile], *, dry_run: bool
) -> Iterator[Pruned]:
    # A row may refer to one of them by now: the names were read some time ago.
    still = referred(storage, [_name(row) for row in candidates])
    pruning = _Pruning(storage.catalog.writer, dry_run)
    for row in candidates:
        if _name(row) in still:
            continue
        item = Pruned(kind="unreferenced", name=_name(row), size=row.size or 0)
        is_same = partial(_has_same_content, row)
        yield from pruning.remove(item, partial(storage.delete_if, item.name, is_same))


def _has_same_content(one: StoredFile, other: StoredFile) -> bool:
    return one.content == other.content


def _name(row: StoredFile) -> str:
    return str(row.name)
