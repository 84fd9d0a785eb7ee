"""Pruning: files and rows that nobody needs any more."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone

from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import streams
from secure_dbstorage.upkeep.references import ReferredNames, referred

#: How many files are looked at with one query.
_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A file, or the rows of something that is no file, that went or would go."""

    #: ``expired``, ``unreferenced``, ``stray`` (rows of no file) or ``used`` (notes that a
    #: one-time link was used, which has expired since).
    kind: str
    #: The file's name; of rows, their content key.
    name: str
    #: Bytes.
    size: int = 0


def prune_expired(storage: DatabaseStorage, *, dry_run: bool) -> Iterator[Pruned]:
    """Delete temporary files whose time is over, and yield each."""
    now = timezone.now()

    def has_ended(row: StoredFile) -> bool:
        return row.expires is not None and row.expires <= now

    for row in storage.catalog.files().filter(expires__lte=now).by_name():
        if dry_run or storage.delete_if(_name(row), has_ended):
            yield Pruned(kind="expired", name=_name(row), size=row.size or 0)


def prune_unreferenced(
    storage: DatabaseStorage,
    *,
    older_than: timedelta,
    prefix: str = "",
    keep: tuple[str, ...] = (),
    dry_run: bool,
) -> Iterator[Pruned]:
    """Delete files that no FileField of any model names, and yield each.

    :param older_than: the age, by the last save, below which a file stays: an upload may be saved
        before the row that is to name it.
    :param prefix: the canonical directory to look at; "" for all.
    :param keep: canonical directories whose files stay.
    """
    old = storage.catalog.files().below(prefix).filter(modified__lt=timezone.now() - older_than)
    for directory in keep:
        old = old.exclude(pk__in=storage.catalog.files().at_or_below(directory).values("pk"))
    names = ReferredNames(storage)
    candidates: list[StoredFile] = []
    for row in old.by_name():
        if _name(row) not in names:
            candidates.append(row)
        if len(candidates) == _BATCH:
            yield from _delete_unreferenced(storage, candidates, dry_run=dry_run)
            candidates.clear()
    yield from _delete_unreferenced(storage, candidates, dry_run=dry_run)


def prune_rows(using: str, *, dry_run: bool) -> Iterator[Pruned]:
    """Delete rows that belong to no file, and notes of used links that have expired.

    :param using: alias of the database; its storages share the table.
    """
    rows: StoredRowQuerySet = StoredFile.rows.using(using)
    for used in rows.use_marks().filter(expires__lte=timezone.now()).content_keys():
        if not dry_run:
            streams.delete(used, using=using)
        yield Pruned(kind="used", name=str(used))
    for key in rows.strays().content_keys():
        size = rows.of(key).annotate(length=Length("data")).aggregate(size=Sum("length"))["size"]
        if not dry_run:
            streams.delete(key, using=using)
        yield Pruned(kind="stray", name=str(key), size=size or 0)


def _delete_unreferenced(
    storage: DatabaseStorage, candidates: list[StoredFile], *, dry_run: bool
) -> Iterator[Pruned]:
    # The names were read some time ago.
    still = referred(storage, [_name(row) for row in candidates])
    for row in candidates:
        if _name(row) in still:
            continue
        if dry_run or storage.delete_if(_name(row), partial(_has_same_content, row)):
            yield Pruned(kind="unreferenced", name=_name(row), size=row.size or 0)


def _has_same_content(one: StoredFile, other: StoredFile) -> bool:
    return one.content == other.content


def _name(row: StoredFile) -> str:
    return str(row.name)
