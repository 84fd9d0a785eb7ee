"""Resealing: the same content under another key."""

from collections.abc import Iterable

from django.db import connections, transaction

from secure_dbstorage.exceptions import SealBroken
from secure_dbstorage.files.contents import Content
from secure_dbstorage.models import StoredFile, StoredRowQuerySet
from secure_dbstorage.sealing.seals import Seal
from secure_dbstorage.table import chunks, streams
from secure_dbstorage.table.dialects import rows


# Note [Locks of many files]
# Whoever restores or erases a file locks all versions of its name, the last one first. Rekeying
# locks a hundred files, in the order of their names. If each waited for the other, that would be a
# deadlock. So a transaction that rekeys many files takes only those that nobody has locked, and
# waits for none. The others are left for later, one by one.
def lock_free(row_ids: Iterable[int], *, using: str) -> set[int]:
    """Lock those rows that nobody has locked for the caller's transaction, and return their ids.

    :param row_ids: the primary keys of first rows.
    """
    features = connections[using].features
    if features.has_select_for_update and not features.has_select_for_update_skip_locked:
        return set()
    found: StoredRowQuerySet = StoredFile.rows.using(using).filter(pk__in=row_ids, position=0)
    return set(found.select_for_update(skip_locked=True).values_list("pk", flat=True))


def rewrap(row_id: int, old: bytes, new: bytes, *, using: str) -> bool:
    """Give a content its key wrapped anew. No byte of it is read.

    :param row_id: the primary key of its first row.
    :param old: the column as it was read.
    :returns: False when it has changed since.
    """
    return rows(using).rewrap(row_id, old, new)


def reseal(row: StoredFile, content: Content, sha256: str, *, seal: Seal, chunk_size: int) -> bool:
    """Write the bytes of a file again under a new key, in one transaction.

    Nothing else of the file changes: times, flag and link epoch stay, so that its links live on.

    :param row: the head row of the file.
    :param content: what it has.
    :param sha256: of that, 64 hexadecimal digits.
    :param seal: of new content.
    :returns: False when the file was deleted or replaced meanwhile.
    :raises SealBroken: when the bytes are not those of the SHA-256; nothing is changed.
    """
    using = content.using
    with transaction.atomic(using=using):
        written = chunks.write(
            streams.read(content), using=using, chunk_size=chunk_size, max_size=None, seal=seal
        )
        if written.content.seal is None or written.content.seal.sha256 != sha256:
            raise SealBroken("The content has changed: its SHA-256 differs from the recorded one")
        unchanged = StoredFile.objects.using(using).filter(pk=row.pk, content=content.key)
        is_ours = bool(unchanged.select_for_update().values_list("pk"))
        if is_ours:
            rows(using).update(row.pk, chunks.columns_of(written))
        # Of the two contents, the one that no row names is deleted.
        chunks.delete(content.key if is_ours else seal.content_key, using=using)
    return is_ours
