"""Uploads: content that grows from request to request, and has no name yet.

The first row says how many bytes are to come, and until when. It has no name, so no listing and no
link finds it. Every statement that changes or deletes an upload requires that it still has none.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import count

from django.db import IntegrityError, transaction

from secure_dbstorage.exceptions import UploadChanged
from secure_dbstorage.files import utc
from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.seals import Seal, plain_length, seal_of
from secure_dbstorage.table import chunks
from secure_dbstorage.table.dialects import rows


def draft(  # noqa: PLR0913 -- all that an upload begins with
    *,
    using: str,
    namespace: str,
    size: int,
    chunk_size: int,
    expires: datetime,
    seal: Seal | None = None,
) -> Upload:
    """Return a new upload, none of which is in the table.

    :param size: how many bytes are to come.
    :param expires: when it may be deleted; aware.
    :param seal: of new content of this size, to encrypt it.
    """
    key = chunks.new_key() if seal is None else seal.content_key
    return Upload(
        namespace=namespace,
        name=None,
        content=Content(using=using, key=key, size=size, chunk_size=chunk_size, seal=seal),
        tag=None,
        expires=expires,
        offset=0,
        is_begun=False,
    )


def begin(upload: Upload, pieces: Sequence[bytes] = ()) -> None:
    """Insert the first row of a new upload, and more if there are more bytes.

    :param pieces: as long as :meth:`Upload.row_lengths` says; the last one may be shorter.
    """
    content, expires = upload.content, upload.expires
    first_row = {
        "content": content.key,
        "position": 0,
        "namespace": upload.namespace,
        "size": content.size,
        "chunk_size": content.chunk_size,
        "created": datetime.now(UTC),
        "expires": expires,
        "sealed_key": None if content.seal is None else content.seal.sealed_key,
        "data": content.sealed(0, pieces[0]) if pieces else b"",
    }
    with transaction.atomic(using=content.using) if pieces[1:] else nullcontext():
        rows(content.using).insert_upload(first_row)
        insert_pieces(content, 1, pieces[1:])


def find(key: int, *, namespace: str, using: str, keyring: Keyring = NO_KEYS) -> Upload | None:
    """Return an upload, or the file that it has become, or None without either.

    :param keyring: the option ``encryption_keys`` of its storage. Without it, encrypted content
        can't be opened.
    """
    found = rows(using).upload(key, namespace)
    if found is None:
        return None
    name, size, chunk_size, tag, expires, sealed_key, position, length = found
    seal = seal_of(sealed_key, namespace=namespace, content=key, size=size, keyring=keyring)
    if seal is not None:
        length = plain_length(length)
    return Upload(
        namespace=namespace,
        name=name,
        content=Content(using=using, key=key, size=size, chunk_size=chunk_size, seal=seal),
        tag=tag,
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
    content.unlock()  # Before the transaction.
    position, length = divmod(offset, content.chunk_size)
    stored = rows(content.using)
    try:
        with transaction.atomic(using=content.using):
            same = {"chunk_size": content.chunk_size}
            if position and not stored.update_upload(content.key, same):
                raise UploadChanged("The upload was deleted, or is a file by now")
            if length or not offset:  # There is a row with room: the first one is never missing.
                there = b"".join(stored.run(content.key, position, 1)) if length else b""
                plain = content.opened(position, there)
                grown = content.sealed(position, b"".join((plain, pieces[0])))
                is_ours = len(plain) == length
                if not (is_ours and stored.grow(content.key, position, len(there), grown)):
                    raise UploadChanged("Another request has written at this offset")
                position, pieces = position + 1, pieces[1:]
            insert_pieces(content, position, pieces)
    except IntegrityError as error:
        raise UploadChanged("Another request has written at this offset") from error


def insert_pieces(content: Content, position: int, pieces: Sequence[bytes]) -> None:
    """Insert continuation rows, the first of them at this position."""
    most = max(1, STATEMENT_BYTES // content.chunk_size)
    for start in range(0, len(pieces), most):
        first, run = position + start, pieces[start : start + most]
        sealed = list(map(content.sealed, count(first), run))
        rows(content.using).insert_chunks(content.key, first, sealed)


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
