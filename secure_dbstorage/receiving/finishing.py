"""Finishing: from complete rows to a file, once the link, the hooks and the names allow it.

After any failure, tus clients ask how far an upload is, and take the whole length for success.
So an upload to a named place counts as complete only once it has its name.
"""

import errno
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import NoReturn

from django.core.exceptions import SuspiciousFileOperation
from django.http.response import HttpResponseBase

from secure_dbstorage.exceptions import (
    ContentVanished,
    DatabaseUnavailable,
    FileChanged,
    FileTooLarge,
    FileTypeRefused,
    UploadChanged,
    UploadGone,
)
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.links.grants import PlaceKind, UploadGrant
from secure_dbstorage.receiving.arrivals import Arrival
from secure_dbstorage.receiving.faults import Fault, Rejected
from secure_dbstorage.receiving.fields import Metadata
from secure_dbstorage.receiving.turns import takes_turns, turn_at
from secure_dbstorage.serving.guards import ask_hooks
from secure_dbstorage.serving.headers import protect
from secure_dbstorage.serving.refusals import RETRY_WHEN_DOWN, Refused
from secure_dbstorage.storage.announcements import announce_saved
from secure_dbstorage.storage.uploads import cleaned_name, name_upload, received_file


class Instead(Exception):
    """Raised when an upload hook gives its own response."""

    def __init__(self, response: HttpResponseBase) -> None:
        super().__init__("A hook gives its own response")
        self.response = response


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request asks of the file that its upload becomes."""

    #: SHA-256 of the received bytes, if it is known already.
    sha256: str | None = None
    #: Whether it may replace a file.
    overwrite: bool = False
    #: The content key of the file that it must replace; None for any.
    replaced_key: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An upload that is a file now."""

    name: str
    #: The strong entity tag of its content.
    etag: str
    #: Whether the name was new.
    created: bool
    #: Whether this request gave it the name.
    is_ours: bool


def finish(arrival: Arrival, upload: Upload, wish: Wish) -> Finished:
    """Make a complete upload to a named place a file. Repeating this does no harm.

    An upload that can never become a file is deleted. One that may do so later stays.

    :raises Rejected: when it can never become a file: 403, 410, 412, 413, 415 or 422; 409 when
        another request has written its last pieces. 423, and it stays, while another one asks the
        hooks about it, or reads it.
    :raises Instead: when a hook gives its own response; one of 500 or more means "later".
    :raises DatabaseUnavailable: when it may succeed later.
    :raises KeyServiceUnavailable: likewise.
    """
    storage = arrival.storage
    try:
        with _turn(arrival, upload, wish) as found:
            noted = partial(storage.inbox.note_digest, found, wish.sha256)
            upload = storage.catalog.repeat(noted)
            _check_content(arrival, upload)
            _ask_hooks(arrival, upload)
            return _give_name(arrival, upload, wish)
    except (ContentVanished, UploadGone):  # The first one while a hook reads.
        return _finished_by_another(arrival, upload)


@contextmanager
def _turn(arrival: Arrival, upload: Upload, wish: Wish) -> Iterator[Upload]:
    """Yield an upload as it is now, while no other request asks hooks about it or reads it.

    See Note [Turns at an upload].

    :raises Rejected: 423 while another one does.
    :raises UploadGone: when another one has made it a file.
    """
    is_slow = arrival.storage.options.upload_hooks or takes_turns(upload, wish.sha256)
    if not is_slow or arrival.grant.key is None:  # Without a key, nobody else knows it.
        yield upload
        return
    with turn_at(upload, arrival.storage):
        upload = arrival.find()
        if upload.name is not None:  # Another request made it one after our first look.
            raise UploadGone(errno.ENOENT, "The upload is a file by now")
        yield upload


def _check_content(arrival: Arrival, upload: Upload) -> None:
    wanted = arrival.grant.sha256
    if wanted is not None and upload.sha256 != wanted:
        _give_up(arrival, upload, Rejected(Fault.CONTENT))


def _ask_hooks(arrival: Arrival, upload: Upload) -> None:
    hooks = arrival.storage.options.upload_hooks
    if not hooks:
        return
    # A scanner may be slow. Meanwhile, others can use the connection.
    arrival.storage.catalog.release()
    try:
        name = _cleaned_name(arrival)
    except SuspiciousFileOperation:
        _give_up(arrival, upload, Rejected(Fault.NAME))
    with received_file(arrival.storage, upload, name, lends=True) as file:
        try:
            response = ask_hooks(hooks, arrival.request, file, arrival.grant)
        except Refused:
            _give_up(arrival, upload, Rejected(Fault.NOT_ACCEPTED))
    if response is None:
        return
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        response.setdefault("Retry-After", str(RETRY_WHEN_DOWN))
    else:
        _delete(arrival, upload)
    raise Instead(protect(response))


def _give_name(arrival: Arrival, upload: Upload, wish: Wish) -> Finished:
    try:
        return arrival.storage.catalog.repeat(_Attempts(arrival, upload, wish).make)
    except FileChanged:
        _give_up(arrival, upload, Rejected(Fault.PRECONDITION))
    except UploadChanged:
        return _finished_by_another(arrival, upload, Rejected(Fault.OFFSET))
    except DatabaseUnavailable:
        _keep_last(arrival, upload)
        raise
    except FileTooLarge:
        _give_up(arrival, upload, Rejected(Fault.TOO_LARGE))
    except FileTypeRefused:
        _give_up(arrival, upload, Rejected(Fault.TYPE))
    except SuspiciousFileOperation:
        _give_up(arrival, upload, Rejected(Fault.NAME))
    except (FileExistsError, IsADirectoryError):
        _give_up(arrival, upload, Rejected(Fault.TAKEN))


@dataclass(slots=True)
class _Attempts:
    """The attempts to give an upload its name."""

    arrival: Arrival
    upload: Upload
    wish: Wish
    #: When each of them has saved the file, if it has succeeded. If the answer to a commit is
    #: lost, this tells its file from what another request makes of the upload.
    times: set[datetime] = field(default_factory=set)

    def make(self) -> Finished:
        """Make an attempt, unless an earlier one has succeeded and only its answer was lost."""
        try:
            return self._named()
        except (UploadChanged, UploadGone):
            head = _head_of(self.arrival, self.upload)
            if head is None or head.stat.modified not in self.times:
                raise
            finished = _finished(head, is_ours=True)
            announce_saved(self.arrival.storage, finished.name, created=finished.created)
            return finished

    def _named(self) -> Finished:
        storage, grant, wish = self.arrival.storage, self.arrival.grant, self.wish
        name, created = name_upload(
            storage,
            self.upload,
            grant.place,
            _client_name(grant),
            types=grant.types,
            overwrite=wish.overwrite,
            replaced_key=wish.replaced_key,
            note_time=self.times.add,
        )
        return Finished(name=name, etag=self.upload.etag, created=created, is_ours=True)


def _keep_last(arrival: Arrival, upload: Upload) -> None:
    """Write the bytes that would have come with the name, so that they need not be sent again.

    Unless nobody was told of the upload yet.
    """
    pieces = upload.last_pieces
    if pieces and upload.is_begun:
        offset = upload.offset - sum(map(len, pieces))
        with suppress(DatabaseUnavailable, Rejected):
            arrival.append(replace(upload, offset=offset, last_pieces=()), pieces)


def _finished_by_another(
    arrival: Arrival, upload: Upload, otherwise: Rejected | None = None
) -> Finished:
    """Return the file that another request has made of the upload meanwhile.

    :param otherwise: raised if it is no file; without it, that it was deleted.
    :raises Rejected: that, or 410; 409 when the file has other bytes than this request brought.
    """
    head = _head_of(arrival, upload)
    if head is None:
        raise otherwise or Rejected(Fault.GONE)
    # Who brings the whole upload writes its last rows with the name, so they may be lost to
    # another's. All other bytes were there before, and are those of the file. The entity tag of
    # encrypted content can be compared too: it is made with the key that both have.
    if upload.tag is not None and upload.etag != head.stat.etag:
        raise Rejected(Fault.OFFSET)
    return _finished(head, is_ours=False)


def _head_of(arrival: Arrival, upload: Upload) -> StoredHead | None:
    """Return the head of the file that an upload has become, or None."""
    catalog = arrival.storage.catalog
    with catalog.outages_told():
        return catalog.find_content(upload.content.key)


def _finished(head: StoredHead, *, is_ours: bool) -> Finished:
    stat = head.stat
    created = stat.created == stat.modified  # An overwrite keeps the time of creation.
    return Finished(name=stat.name, etag=stat.etag, created=created, is_ours=is_ours)


def _give_up(arrival: Arrival, upload: Upload, rejected: Rejected) -> NoReturn:
    """Delete an upload that can never become a file."""
    _delete(arrival, upload)
    raise rejected


def _delete(arrival: Arrival, upload: Upload) -> None:
    storage = arrival.storage
    storage.catalog.repeat(partial(storage.inbox.delete, upload))


def _cleaned_name(arrival: Arrival) -> str:
    """Return the last segment of the name that the file will have, unless that is taken.

    What cleaning leaves out could hide an extension from a hook.
    """
    name, place = _client_name(arrival.grant), arrival.grant.place
    if place.kind is not PlaceKind.FOLDER:
        return name
    return posixpath.basename(cleaned_name(arrival.storage, name, place.path))


def _client_name(grant: UploadGrant) -> str:
    """Return the last segment of the name that the link is for, or of the client's."""
    if grant.place.kind is PlaceKind.FILE:
        return grant.place.path.rpartition("/")[2]
    return Metadata.parse(grant.metadata).filename
