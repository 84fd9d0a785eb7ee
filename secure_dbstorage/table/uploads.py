"""Uploads: content that grows from request to request, and has no name yet.

The first row says how many bytes are to come, and until when. It has no name, so no listing and no
link finds it. Every statement that changes or deletes an upload requires that it still has none.

What one request brings may be a file at once: then its last rows and its name come in one
transaction, and all of it if that is little.
"""

import errno
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from django.db import IntegrityError, transaction

from secure_dbstorage.exceptions import ChangeConflict, ContentVanished, UploadChanged, UploadGone
from secure_dbstorage.files import Seal, utc
from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.models import seal_of
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.seals import Seal, plain_length, seal_of
from secure_dbstorage.table import chunks, streams
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.lending import Sending


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
        _insert(content, 1, pieces[1:])


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
            _insert(content, position, pieces)
    except IntegrityError as error:
        raise UploadChanged("Another request has written at this offset") from error


def digested(
    upload: Upload, *, sha256: str | None = None, sending: Sending | None = None
) -> Upload:
    """Return a complete upload with the SHA-256 of its bytes, which are read once if need be.

    :param sha256: if it is known.
    :param sending: outside of any transaction, to give the connection back between pieces.
    :raises UploadGone: when it is deleted meanwhile.
    """
    if upload.tag is not None:
        return upload
    sha256 = sha256 or _digest(upload, sending)
    if upload.content.seal is None:
        return replace(upload, tag=sha256)
    seal = upload.content.seal.described(upload.content.size, sha256)
    return replace(upload, tag=seal.tag, content=upload.content._replace(seal=seal))


def note_digest(upload: Upload) -> None:
    """Keep the SHA-256 of a complete upload in its first row.

    :raises UploadGone: when the upload was deleted, or is a file by now.
    """
    update(upload.content, {"sha256": upload.tag}, namespace=upload.namespace)


# Note [Keys wrapped anew]
# Between the query for an upload and the statement that finishes it, somebody may wrap its key by
# a newer one (dbstorage_rekey). The sealed key that is written then must not bring the older
# wrapping back: when that is thrown away, nobody could open the file. The facts in it are sealed
# under the key of the file, which is the same, so they are put beside the new wrapping.
def update(
    content: Content, columns: Mapping[str, object], *, namespace: str, is_empty: bool = False
) -> Content:
    """Give the first row of an upload new values, its sealed key among them.

    :param namespace: of the storage that receives it.
    :param is_empty: only while the row has no bytes.
    :returns: the content, with the sealed key that the row has now.
    :raises ChangeConflict: when only another transaction can tell.
    :raises UploadChanged: when another writer was faster.
    :raises UploadGone: when the upload was deleted, or is a file by now.
    :raises django.db.IntegrityError: when the values have a name that is taken.
    """
    stored, key, seal = rows(content.using), content.key, content.seal
    if seal is None:
        if not stored.update_upload(key, columns, is_empty=is_empty):
            raise _not_updated(is_empty=is_empty)
        return content
    columns = {**columns, "sealed_key": seal.sealed_key}
    if stored.update_upload(key, columns, is_empty=is_empty, wrapping=seal.wrapping):
        return content
    found = stored.upload(key, namespace)
    if found is None or found[0] is not None:
        raise _not_updated(is_empty=is_empty)
    newer = seal.wrapped_as(bytes(found[5] or b""))
    if newer.wrapping == seal.wrapping:
        if is_empty and any(found[6:]):
            raise _not_updated(is_empty=True)
        raise ChangeConflict("This transaction can't see how the upload was changed")
    return update(content._replace(seal=newer), columns, namespace=namespace, is_empty=is_empty)


def _not_updated(*, is_empty: bool) -> UploadChanged | UploadGone:
    """Return why the first row of an upload is not as it was."""
    if is_empty:
        return UploadChanged("Another request has written at this offset")
    return UploadGone(errno.ENOENT, "The upload was deleted, or is a file by now")


def first_chunk(upload: Upload) -> bytes:
    """Return the first row's bytes, as they are stored, if they are written with the name."""
    pieces = upload.last_pieces if upload.brings_first_row else ()
    return upload.content.sealed(0, pieces[0]) if pieces else b""


def write_last(upload: Upload) -> None:
    """Write the last pieces of an upload, in the caller's transaction, which gives it its name.

    The first of all is left out: the caller writes it with the name, so that no row is written
    twice.

    :raises UploadChanged: as :func:`append` does.
    """
    content, pieces = upload.content, upload.last_pieces
    if not upload.brings_first_row:
        if pieces:
            append(content, upload.offset - sum(map(len, pieces)), pieces)
        return
    try:
        _insert(content, 1, pieces[1:])
    except IntegrityError as error:
        if not upload.is_begun:  # Its key is taken: by itself.
            raise UploadGone(errno.ENOENT, "The upload is a file by now") from error
        raise UploadChanged("Another request has written at this offset") from error


def name_it(upload: Upload, content: Content, columns: Mapping[str, object]) -> None:
    """Give an upload the columns of a file, in the caller's transaction.

    :param content: of the upload, with its digest.
    :param columns: those that it doesn't have yet. Its last pieces have been written.
    :raises django.db.IntegrityError: when the name is taken.
    :raises UploadChanged: when another writer was faster.
    :raises UploadGone: when the upload was deleted, or is a file by now.
    """
    is_empty = upload.brings_first_row
    if is_empty:
        columns = {**columns, "data": first_chunk(upload)}
    update(content, columns, namespace=upload.namespace, is_empty=is_empty)


def take_first_row(upload: Upload, written: chunks.Written) -> chunks.Written:
    """Delete the first row of a complete upload, and return its content with the bytes of that.

    In the caller's transaction, which gives them to the head row of a file. The last pieces have
    been written.

    :param written: the content of the upload, with its digest.
    :raises UploadChanged: when another writer was faster.
    :raises UploadGone: when the upload was deleted, or is a file by now.
    """
    if not upload.is_begun:
        return written
    content = written.content
    if content.seal is not None:  # From now on, nobody wraps its key.
        content = update(content, {}, namespace=upload.namespace)
    stored = rows(content.using)
    chunk = b"" if upload.brings_first_row else b"".join(stored.run(content.key, 0, 1))
    # Only as it was seen: another request may just have been told that its piece was received.
    if not stored.delete_unchanged(content.key, len(chunk)):
        raise _not_updated(is_empty=upload.brings_first_row)
    if upload.brings_first_row:
        chunk = first_chunk(upload)
    return replace(written, content=content, first_chunk=chunk)


def delete(key: int, *, using: str) -> bool:
    """Delete an upload, unless it has a name, and tell whether it was deleted."""
    return _delete(key, None, using=using)


def delete_expired(key: int, *, now: datetime, using: str) -> bool:
    """Delete an upload, unless by now it has a name or more time.

    :param key: the content key of the upload.
    :returns: whether it was deleted.
    """
    return _delete(key, now, using=using)


def _insert(content: Content, position: int, pieces: Sequence[bytes]) -> None:
    """Insert continuation rows, the first of them at this position."""
    most = max(1, STATEMENT_BYTES // content.chunk_size)
    for start in range(0, len(pieces), most):
        first, run = position + start, pieces[start : start + most]
        sealed = list(map(content.sealed, count(first), run))
        rows(content.using).insert_chunks(content.key, first, sealed)


def _digest(upload: Upload, sending: Sending | None) -> str:
    digest = hashlib.sha256()
    try:
        for piece in streams.read(upload.content, sending=sending):
            digest.update(piece)
    except ContentVanished as error:
        raise UploadGone(errno.ENOENT, "The upload was deleted") from error
    return digest.hexdigest()


def _delete(key: int, expired_by: datetime | None, *, using: str) -> bool:
    stored = rows(using)
    with transaction.atomic(using=using):
        # One update of its first row turns an upload into a file. If both come at once, the second
        # waits for the first, and then finds no such row.
        is_deleted = stored.delete_unfinished(key, expired_by)
        if is_deleted:
            stored.delete(key)
    return is_deleted
