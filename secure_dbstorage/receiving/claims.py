"""Claims: the file behind what a form or an API was sent in place of a file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.exceptions import BadToken, UploadGone, UploadIncomplete
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.links.grants import PlaceKind, UploadGrant, UploadPlace
from secure_dbstorage.links.paths import PARAMETER
from secure_dbstorage.receiving.faults import Rejected
from secure_dbstorage.receiving.fields import UNNAMED, Metadata
from secure_dbstorage.receiving.turns import takes_turns, turn_at
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.storage.uploads import cleaned_name, received_file

#: The longest URL of an upload: its token has room for little more than the client's metadata.
_MAX_LENGTH = 8192

_NOWHERE = UploadPlace(PlaceKind.NOWHERE, "")


@sensitive_variables()
def claim(
    url: str, storage: DatabaseStorage, *, user: object = None, ip: str | None = None
) -> ReceivedFile:
    """Return the upload that was given this URL, as a file that ``save()`` takes over.

    The URL comes from a client and is not believed. Its upload must be one to this storage, and
    one that waits for a form. Size and type are for the caller to check, since another form's link
    may have begun it.

    :param url: the URL that the client got in ``Location``, with or without a host.
    :param user: whom the link that began it is for, or their primary key; None for everybody.
    :param ip: the address of the client. Needed if that link is for a network.
    :raises SuspiciousFileOperation: when its name can't be that of a file.
    :raises BadToken: when we did not make it, or not for such an upload, client or content.
    :raises UploadGone: when the upload was taken, deleted, or has expired.
    :raises UploadIncomplete: when bytes are missing, or another request is reading the upload for
        the digest that its link names.
    """
    grant = _grant(url, storage)
    _check_bindings(grant, storage, user, ip)
    upload = _with_content(_waiting(grant.key or 0, storage), grant, storage)
    name = Metadata.parse(grant.metadata).filename or UNNAMED
    return received_file(storage, upload, name, saved_as=cleaned_name(storage, name))


def _grant(url: str, storage: DatabaseStorage) -> UploadGrant:
    path, token = _parts(url)
    if path.rpartition("/")[2] != _NOWHERE.spelling:
        raise BadToken("The URL is not that of an upload that waits for a form")
    grant = storage.signer.unsign_upload(
        _NOWHERE.spelling, token, storage.audience, max_lifetime=0, now=0
    )
    if grant.key is None or grant.place != _NOWHERE:
        raise BadToken("The URL is not that of an upload that waits for a form")
    return grant


def _check_bindings(
    grant: UploadGrant, storage: DatabaseStorage, user: object, ip: str | None
) -> None:
    signer = storage.signer
    key = None if user is None else str(getattr(user, "pk", user))
    is_theirs = grant.user is None if key is None else signer.is_for_user(grant, key)
    is_here = grant.network is None or (ip and signer.is_for_address(grant, ip_address(ip)))
    if not (is_theirs and is_here):
        raise BadToken("The upload is for another user, or for another network")


def _waiting(key: int, storage: DatabaseStorage) -> Upload:
    """Return a complete upload that is no file yet."""
    upload = storage.inbox.find(key)
    if upload is None or upload.name is not None or upload.has_expired(time.time()):
        raise UploadGone("The upload no longer exists")
    if not upload.is_complete:
        raise UploadIncomplete("The upload is not complete")
    return upload


def _with_content(upload: Upload, grant: UploadGrant, storage: DatabaseStorage) -> Upload:
    """Return an upload whose content is what the link that began it names, if it names any."""
    if grant.sha256 is None:
        return upload
    upload = _digested(upload, storage)
    if upload.sha256 != grant.sha256:
        raise BadToken("The upload is not the content that its link names")
    return upload


def _digested(upload: Upload, storage: DatabaseStorage) -> Upload:
    """Return an upload with its digest. See Note [Turns at an upload]."""
    if not takes_turns(upload):
        return storage.inbox.note_digest(upload)
    with _alone_at(upload, storage):  # Another request may have noted it after our first look.
        return storage.inbox.note_digest(_waiting(upload.content.key, storage))


@contextmanager
def _alone_at(upload: Upload, storage: DatabaseStorage) -> Iterator[None]:
    """Keep other requests from reading an upload.

    :raises UploadIncomplete: while another one does, or has read it in an open transaction.
    """
    error = UploadIncomplete("Another request is reading the upload")
    if storage.catalog.is_in_atomic_block:
        # As with ATOMIC_REQUESTS. Others would wait for the end of this transaction to take the
        # next turn. So they meet a lock, if the database can skip what is locked.
        if not storage.inbox.lock(upload):
            raise error
        yield
        return
    try:
        with turn_at(upload, storage):
            yield
    except Rejected as rejected:
        raise error from rejected


def _parts(url: str) -> tuple[str, str]:
    """Return the path and the token of a URL."""
    try:
        split = urlsplit(url if len(url) <= _MAX_LENGTH else "")
        (token,) = (value for name, value in parse_qsl(split.query) if name == PARAMETER)
    except ValueError as error:
        raise BadToken("The URL has no token, or more than one") from error
    return split.path, token
