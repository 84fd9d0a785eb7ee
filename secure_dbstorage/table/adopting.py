"""Adopting: how a complete upload becomes a file, without a copy of its bytes.

What one request brings may be a file at once: then its last rows and its name come in one
transaction, and all of it if that is little.
"""

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import replace

from django.db import IntegrityError

from secure_dbstorage.exceptions import ChangeConflict, ContentVanished, UploadChanged, UploadGone
from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.table import chunks, streams
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.lending import Sending
from secure_dbstorage.table.uploads import append, insert_pieces


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
    _update(upload.content, {"sha256": upload.tag}, namespace=upload.namespace)


def first_chunk(upload: Upload) -> bytes:
    """Return the first row's bytes, as they are stored, if they are written with the name."""
    pieces = upload.last_pieces if upload.brings_first_row else ()
    return upload.content.sealed(0, pieces[0]) if pieces else b""


def write_last(upload: Upload) -> None:
    """Write the last pieces of an upload, in the caller's transaction, which gives it its name.

    The first of all is left out: the caller writes it with the name, so that no row is written
    twice.

    :raises UploadChanged: as :func:`~secure_dbstorage.table.uploads.append` does.
    """
    content, pieces = upload.content, upload.last_pieces
    if not upload.brings_first_row:
        if pieces:
            append(content, upload.offset - sum(map(len, pieces)), pieces)
        return
    try:
        insert_pieces(content, 1, pieces[1:])
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
    _update(content, columns, namespace=upload.namespace, is_empty=is_empty)


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
        content = _update(content, {}, namespace=upload.namespace)
    stored = rows(content.using)
    chunk = b"" if upload.brings_first_row else b"".join(stored.run(content.key, 0, 1))
    # Only as it was seen: another request may just have been told that its piece was received.
    if not stored.delete_unchanged(content.key, len(chunk)):
        raise _not_updated(is_empty=upload.brings_first_row)
    if upload.brings_first_row:
        chunk = first_chunk(upload)
    return replace(written, content=content, first_chunk=chunk)


# Note [Keys wrapped anew]
# Between the query for an upload and the statement that finishes it, somebody may wrap its key by
# a newer one (dbstorage_rekey). The sealed key that is written then must not bring the older
# wrapping back: when that is thrown away, nobody could open the file. The facts in it are sealed
# under the key of the file, which is the same, so they are put beside the new wrapping.
def _update(
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
    return _update(content._replace(seal=newer), columns, namespace=namespace, is_empty=is_empty)


def _not_updated(*, is_empty: bool) -> UploadChanged | UploadGone:
    """Return why the first row of an upload is not as it was."""
    if is_empty:
        return UploadChanged("Another request has written at this offset")
    return UploadGone(errno.ENOENT, "The upload was deleted, or is a file by now")


def _digest(upload: Upload, sending: Sending | None) -> str:
    digest = hashlib.sha256()
    try:
        for piece in streams.read(upload.content, sending=sending):
            digest.update(piece)
    except ContentVanished as error:
        raise UploadGone(errno.ENOENT, "The upload was deleted") from error
    return digest.hexdigest()
