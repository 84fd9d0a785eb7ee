"""Uploads: content that grows from request to request, and has no name yet.

The first row says how many bytes are to come, and until when. It has no name, so no listing and no
link finds it. Every statement that changes or deletes an upload requires that it still has none.
"""

import errno
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from secure_dbstorage.conf import project_time
from secure_dbstorage.exceptions import ContentVanished, UploadChanged, UploadGone
from secure_dbstorage.files import Content, Upload, utc
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.table import streams
from secure_dbstorage.table.dialects import rows


def begin(*, using: str, namespace: str, size: int, chunk_size: int, expires: datetime) -> Upload:
    """Insert the first row of an upload, without any bytes.

    :param size: how many bytes are to come.
    :param expires: when it may be deleted; aware.
    """
    content = Content(using=using, key=streams.new_key(), size=size, chunk_size=chunk_size)
    rows(using).insert_upload(
        {
            "content": content.key,
            "position": 0,
            "namespace": namespace,
            "size": size,
            "chunk_size": chunk_size,
            "created": timezone.now(),
            "expires": project_time(expires),
            "data": b"",
        }
    )
    return Upload(
        namespace=namespace, name=None, content=content, sha256=None, expires=expires, offset=0
    )


def find(key: int, *, namespace: str, using: str) -> Upload | None:
    """Return an upload, or the file that it has become, or None without either."""
    found = rows(using).upload(key, namespace)
    if found is None:
        return None
    name, size, chunk_size, sha256, expires, position, length = found
    return Upload(
        namespace=namespace,
        name=name,
        content=Content(using=using, key=key, size=size, chunk_size=chunk_size),
        sha256=sha256,
        expires=None if expires is None else utc(expires),
        # Past the end there is nothing but what another release may have put there.
        offset=min(size, position * chunk_size + length),
    )


# Note [Writers at one offset]
# Of several requests that continue an upload at one offset, only one may win, or pieces would mix.
# No lock decides. The last row grows only if it is still as long as the writer saw it, and a new
# row has a position that only one writer can take. The others fail as a whole.
# A new row doesn't show whether the upload is still there: one that was deleted while its body
# came would leave rows behind. So the first row is updated to what it is, unless it grows itself.
# Whoever deletes the upload waits for that, or was faster.
def append(content: Content, offset: int, pieces: Sequence[bytes]) -> None:
    """Write bytes behind those that are there, in one transaction.

    :param offset: how many bytes there are.
    :param pieces: as long as :meth:`Upload.row_lengths` says; the last one may be shorter.
    :raises UploadChanged: when another writer was faster, or the upload was deleted.
    """
    position, length = divmod(offset, content.chunk_size)
    stored = rows(content.using)
    try:
        with transaction.atomic(using=content.using):
            same = {"chunk_size": content.chunk_size}
            if position and not stored.update_upload(content.key, same):
                raise UploadChanged("The upload was deleted, or is a file by now")
            if length or not offset:  # There is a row with room: the first one is never missing.
                there = stored.run(content.key, position, 1) if length else []
                grown = b"".join([*there, pieces[0]])
                if not stored.grow(content.key, position, length, grown):
                    raise UploadChanged("Another request has written at this offset")
                position, pieces = position + 1, pieces[1:]
            most = max(1, STATEMENT_BYTES // content.chunk_size)
            for start in range(0, len(pieces), most):
                run = pieces[start : start + most]
                stored.insert_chunks(content.key, position + start, run)
    except IntegrityError as error:
        raise UploadChanged("Another request has written at this offset") from error


def digested(upload: Upload, *, sending: streams.Sending | None = None) -> Upload:
    """Return a complete upload with the SHA-256 of its bytes, which are read once if need be.

    :param sending: outside of any transaction, to give the connection back between pieces.
    :raises UploadGone: when it is deleted meanwhile.
    """
    if upload.sha256 is not None:
        return upload
    digest = hashlib.sha256()
    try:
        for piece in streams.read(upload.content, sending=sending):
            digest.update(piece)
    except ContentVanished as error:
        raise UploadGone(errno.ENOENT, "The upload was deleted") from error
    return replace(upload, sha256=digest.hexdigest())


def note_digest(upload: Upload) -> None:
    """Keep the SHA-256 of a complete upload in its first row.

    :raises UploadGone: when the upload was deleted, or is a file by now.
    """
    content = upload.content
    if not rows(content.using).update_upload(content.key, {"sha256": upload.sha256}):
        raise UploadGone(errno.ENOENT, "The upload was deleted, or is a file by now")


def delete(key: int, *, using: str) -> bool:
    """Delete an upload, unless it has a name, and tell whether it was deleted."""
    return _delete(key, None, using=using)


def delete_expired(key: int, *, now: datetime, using: str) -> bool:
    """Delete an upload, unless by now it has a name or more time.

    :param key: the content key of the upload.
    :returns: whether it was deleted.
    """
    return _delete(key, now, using=using)


def _delete(key: int, expired_by: datetime | None, *, using: str) -> bool:
    stored = rows(using)
    with transaction.atomic(using=using):
        # One update of its first row turns an upload into a file. If both come at once, the second
        # waits for the first, and then finds no such row.
        is_deleted = stored.delete_unfinished(key, expired_by)
        if is_deleted:
            stored.delete(key)
    return is_deleted
