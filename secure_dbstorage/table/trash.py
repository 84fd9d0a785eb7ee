"""The trash: what was deleted or overwritten, for as long as the option ``keep_deleted`` says."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, digits
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Length

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.files import DeletedFile, SealedDeletedFile, SealedFileStat
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.names import directory_range
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.sealing.seals import TRASH_MARK
from secure_dbstorage.table import chunks
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.heads import Columns, is_public_by_default, later_epoch
from secure_dbstorage.table.statements import FIELDS

#: The digits of a version, and their number: a content key has 62 bits.
_DIGITS = digits + ascii_lowercase
_VERSION_LENGTH = 13

_COPIED_COLUMNS = FIELDS.keys() - {"id", "data"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# Note [Names in the trash]
# A deleted file is a head row like any other, in a namespace that no storage has, so nothing that
# looks for a storage's files finds it. It is called by its old name, a slash and its version: its
# content key, which no other deleted file has. So the index finds the versions of a name as the
# files directly below a directory. What was deleted below a directory of that name is there too,
# but its names are longer.
# The link epoch of a deleted file is the instant of its deletion. That needs no other column, and
# whoever restores it gets a later one than any link has.
class Trash:
    """The deleted files of one namespace in one database."""

    def __init__(self, options: StorageOptions, using: str) -> None:
        self._options = options
        self._using = using

    def files(self) -> StoredFileQuerySet:
        """Return the head rows of all deleted files, without their bytes."""
        files: StoredFileQuerySet = StoredFile.deleted.using(self._using)
        return files.in_namespace(f"{TRASH_MARK}{self._options.namespace}")

    def kept(self) -> StoredFileQuerySet:
        """Return the head rows of those that can be restored now."""
        return self.files().filter(self._is_kept())

    def over(self) -> StoredFileQuerySet:
        """Return the head rows of those whose time is over: all, without ``keep_deleted``."""
        return self.files().exclude(self._is_kept())

    def versions(self, name: str) -> list[DeletedFile]:
        """Return what can be restored under a name, the last one deleted first."""
        return [self.described(row) for row in _of_name(self.kept(), name)]

    def described(self, row: StoredFile) -> DeletedFile:
        """Return a deleted file as a value."""
        stat, deleted = row.head(self._options.encryption_keys).stat, _deleted_at(row)
        ends = [deleted + (self._options.keep_deleted or timedelta(0)), stat.expires]
        described: dict[str, Any] = {
            "name": name_of(row),
            "size": stat.size,
            "content_type": stat.content_type,
            "is_public": stat.is_public,
            "created": stat.created,
            "modified": stat.modified,
            "expires": stat.expires,
            "version": version_of(row),
            "deleted": deleted,
            "kept_until": min(end for end in ends if end is not None),
        }
        if isinstance(stat, SealedFileStat):
            return SealedDeletedFile(tag=stat.tag, seal=stat.seal, **described)
        return DeletedFile(sha256=stat.sha256, **described)

    def take(self, row: StoredFile) -> None:
        """Delete a file, whose row the caller's transaction has locked."""
        if self._takes(row):
            rows(self._using).update(row.pk, self._moved(row))
        else:
            chunks.delete(row.content, using=self._using)

    def replace(self, row: StoredFile, changes: Mapping[str, object]) -> None:
        """Point a locked head row to new content, and delete the old content.

        :param changes: the columns that change, the content key and the bytes among them.
        """
        stored = rows(self._using)
        if not self._takes(row):
            stored.update(row.pk, changes)
            chunks.delete(row.content, using=self._using)
            return
        # The file keeps its row: whoever waits for its lock finds this file. So it is the old head
        # that is written again. Not by INSERT ... SELECT, for which MySQL locks the whole table.
        kept = {name: getattr(row, name) for name in _COPIED_COLUMNS}
        data = stored.locked_chunk(row.content)
        stored.update(row.pk, changes)
        stored.insert({**kept, **self._moved(row), "data": data})

    def restore(self, name: str, version: str | None) -> bool:
        """Make a deleted file a file again, in the caller's transaction.

        :param name: must be free.
        :param version: None for the last one deleted.
        :returns: False when there is none.
        :raises django.db.IntegrityError: when the name is taken meanwhile.
        """
        found = list(_of_name(self.kept(), name).select_for_update())
        chosen = [row for row in found if version in (None, version_of(row))]
        if not chosen:
            return False
        # Later than that of any file that had the name.
        columns = self._restored(name, chosen[0], latest=found[0].link_epoch or 0)
        with transaction.atomic(using=self._using):
            rows(self._using).update(chosen[0].pk, columns)
        return True

    def erase(self, name: str, version: str | None = None) -> int:
        """Delete what was deleted under a name for good, and return how many versions that was.

        :param version: None for all.
        """
        found = _of_name(self.files(), name)
        return sum(self.erase_row(row) for row in found if version in (None, version_of(row)))

    def erase_row(self, row: StoredFile) -> bool:
        """Delete a deleted file for good, unless it was restored, and tell whether it was."""
        with transaction.atomic(using=self._using):
            # By its name, as `restore()` finds it: MySQL locks the index first that it reads.
            locked = self.files().filter(name=row.name).select_for_update()
            if is_there := bool(locked):
                chunks.delete(row.content, using=self._using)
            return is_there

    def _takes(self, row: StoredFile) -> bool:
        # A temporary file must not live longer because it was deleted.
        has_expired = row.expires is not None and row.expires <= datetime.now(UTC)
        return self._options.keep_deleted is not None and not has_expired

    def _moved(self, row: StoredFile) -> Columns:
        return {
            "namespace": f"{TRASH_MARK}{self._options.namespace}",
            "name": f"{row.name}/{version_of(row)}",
            "link_epoch": later_epoch(row.link_epoch or 0),
        }

    def _restored(self, name: str, row: StoredFile, *, latest: int) -> Columns:
        now, lifetime = datetime.now(UTC), self._options.delete_after(name)
        ends = [row.expires, None if lifetime is None else now + lifetime]
        return {
            "namespace": self._options.namespace,
            "name": name,
            "content_type": content_type_of(name, self._options.content_types),
            # What was private stays private.
            "is_public": bool(row.is_public) and is_public_by_default(name, self._options),
            # Later than that of the content that it had last, for those who ask by date.
            "modified": now,
            "link_epoch": later_epoch(latest),
            "expires": min((end for end in ends if end is not None), default=None),
        }

    def _is_kept(self) -> Q:
        kept = self._options.keep_deleted
        if kept is None:
            return Q(name__isnull=True)  # None is.
        since = time.time_ns() // 1000 - kept // timedelta(microseconds=1)
        is_in_time = Q(expires__isnull=True) | Q(expires__gt=datetime.now(UTC))
        return Q(link_epoch__gt=since) & is_in_time


def name_of(row: StoredFile) -> str:
    """Return the name that a deleted file had."""
    return str(row.name)[: -_VERSION_LENGTH - 1]


def version_of(row: StoredFile) -> str:
    """Return what tells a deleted file from others of its name."""
    version, rest = "", row.content
    while len(version) < _VERSION_LENGTH:
        rest, digit = divmod(rest, len(_DIGITS))
        version = _DIGITS[digit] + version
    return version


def _of_name(files: StoredFileQuerySet, name: str) -> StoredFileQuerySet:
    """Return the versions of a name, the last one deleted first."""
    low, high = directory_range(name)
    found = files.filter(name__gte=low, name__lt=high).alias(length=Length("name"))
    whole = found.filter(length=len(name) + 1 + _VERSION_LENGTH)
    return whole.order_by("-link_epoch", "-pk")


def _deleted_at(row: StoredFile) -> datetime:
    return _EPOCH + timedelta(microseconds=row.link_epoch or 0)
