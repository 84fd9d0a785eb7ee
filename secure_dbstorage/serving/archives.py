"""Archives: the files below a directory, as one download."""

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest

from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.serving.headers import ARCHIVE_TYPE, archive_headers
from secure_dbstorage.serving.outages import telling
from secure_dbstorage.serving.refusals import Reason, Refused
from secure_dbstorage.serving.responses import FileResponse, StreamingFileResponse, respond
from secure_dbstorage.serving.subresources import may_be_loaded
from secure_dbstorage.serving.visits import Visit, WatchedBody, record_answer
from secure_dbstorage.serving.zips import Archive

#: The most files in an archive, and the most where auth hooks are asked for each of them.
MAX_FILES, MAX_ASKED_FILES = 10_000, 1_000


def find_files(visit: Visit, grant: Grant) -> list[StoredHead]:
    """Return the files that a link packs, in the order of their names.

    :raises Refused: 404 without any, 413 for too many, 403 for a page that wants to run them.
    """
    if not may_be_loaded(visit.request.META, ARCHIVE_TYPE, inline=False):
        raise Refused(Reason.SUBRESOURCE)
    most = MAX_ASKED_FILES if visit.storage.options.auth_hooks else MAX_FILES
    heads = visit.storage.catalog.heads_below(
        visit.name, latest_epoch=grant.link_epoch, now=visit.now, limit=most + 1
    )
    if len(heads) > most:
        raise Refused(Reason.TOO_MANY_FILES)
    if not heads:
        raise Refused(Reason.MISSING)
    return heads


def first_encrypted(heads: Sequence[StoredHead]) -> Content:
    """Return the content that tells whether the key service can be asked; any if all are plain."""
    return next((head for head in heads if head.content.seal is not None), heads[0]).content


def answer_archive(
    visit: Visit, heads: Sequence[StoredHead], *, below: str, filename: str | None = None
) -> FileResponse | StreamingFileResponse:
    """Return what a GET or HEAD gets: always all of the archive, as a download.

    It has no validators, so no precondition is evaluated, and no ranges.

    :param below: the directory to which the names in the archive are relative; "" for the root.
    :param filename: the name of the download; None for that of the directory.
    """
    visit.packed = []
    archive = Archive([head.stat for head in heads], below=below, bodies=_bodies(visit, heads))
    headers = archive_headers(
        filename or f"{below.rpartition('/')[2] or 'files'}.zip",
        size=archive.size,
        cross_origin=visit.storage.options.cross_origin,
    )
    body: bytes | Iterator[bytes] = b""
    if visit.request.method != "HEAD":
        pieces = telling(archive.pieces())  # Each file has a key of its own.
        body = WatchedBody(visit, pieces, status=HTTPStatus.OK, length=archive.size)
    response = respond(HTTPStatus.OK, headers, body, is_private=True, pace=visit.pace)
    record_answer(visit, response)
    return response


def _bodies(visit: Visit, heads: Sequence[StoredHead]) -> Iterator[Iterable[bytes]]:
    """Yield the bytes of each file, and note that it is being sent."""
    wanted = visit.pace.rows_wanted if isinstance(visit.request, ASGIRequest) else None
    bodies = visit.storage.catalog.stream_all(heads, rows_wanted=wanted)
    for head, body in zip(heads, bodies, strict=True):
        if visit.packed is not None:
            visit.packed.append(head.stat)
        yield body
