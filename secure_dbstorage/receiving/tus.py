"""tus 1.0.0: uploads in pieces, which can continue after any interruption.

The core of the protocol, and its extensions creation, creation-with-upload, expiration,
termination and checksum. A request is checked before its body is read.
"""

from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

from django.core.exceptions import SuspiciousFileOperation
from django.http.response import HttpResponseBase
from django.utils.encoding import filepath_to_uri

from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.links.grants import PlaceKind
from secure_dbstorage.links.upload_limits import takes
from secure_dbstorage.names import MAX_LENGTH, canonical_name
from secure_dbstorage.receiving.answers import TUS_VERSION, answer, progress
from secure_dbstorage.receiving.arrivals import Arrival
from secure_dbstorage.receiving.bodies import checked
from secure_dbstorage.receiving.faults import Fault, Rejected
from secure_dbstorage.receiving.fields import (
    UNNAMED,
    Checksum,
    Metadata,
    content_length,
    has_body,
    number,
)
from secure_dbstorage.receiving.finishing import Finished, Wish, finish
from secure_dbstorage.receiving.records import record
from secure_dbstorage.storage.alternatives import could_replace
from secure_dbstorage.storage.uploads import cleaned_name

#: The media type of a piece.
PIECE_TYPE = "application/offset+octet-stream"

#: What OPTIONS tells.
ABILITIES = {
    "Tus-Version": TUS_VERSION,
    "Tus-Extension": "creation,creation-with-upload,expiration,termination,checksum",
    "Tus-Checksum-Algorithm": "sha1,sha256",
}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a request has ended, unless it makes the upload a file."""

    #: A word of :class:`~secure_dbstorage.serving.visits.AccessRecord`.
    word: str
    status: HTTPStatus
    #: Bytes that were received.
    moved: int = 0
    #: SHA-256 of the whole upload, if this request has brought all of it.
    sha256: str | None = None


def create(arrival: Arrival) -> HttpResponseBase:
    """Begin an upload, and receive what comes with the request (POST)."""
    _check_version(arrival)
    size = _size(arrival)
    metadata = Metadata.parse(arrival.request.META.get("HTTP_UPLOAD_METADATA", ""))
    _check_name(arrival, metadata)
    length = _piece_length(arrival, size) if has_body(arrival.request.META) else None
    upload = arrival.new_upload(size)
    grant = replace(arrival.grant, key=upload.content.key, metadata=metadata.text)
    arrival = replace(arrival, grant=grant)
    with arrival.all_or_nothing(upload):
        sha256 = None
        if length is None:
            upload = arrival.append(upload, ())
        else:
            upload, sha256 = _receive(arrival, upload, length)
        location = arrival.storage.links.part(grant, arrival.storage.audience)
        headers = {"Location": location, **progress(upload)}
        if length is None and not upload.is_complete:
            del headers["Upload-Offset"]
        outcome = _Outcome("begun", HTTPStatus.CREATED, length or 0, sha256)
        return _answer(arrival, upload, headers, outcome)


def tell(arrival: Arrival) -> HttpResponseBase:
    """Say how far an upload is (HEAD)."""
    _check_version(arrival)
    upload = arrival.find()
    headers = {**progress(upload), "Upload-Length": str(upload.content.size)}
    if arrival.grant.metadata:
        headers["Upload-Metadata"] = arrival.grant.metadata
    return _answer(arrival, upload, headers, _Outcome("asked", HTTPStatus.OK))


def go_on(arrival: Arrival) -> HttpResponseBase:
    """Receive the next piece of an upload (PATCH)."""
    _check_version(arrival)
    offset = number(arrival.request.META, "Upload-Offset")
    length = _piece_length(arrival, None)
    upload = _unfinished(arrival)
    if offset != upload.offset:
        raise Rejected(Fault.OFFSET)
    if length > upload.content.size - offset:
        raise Rejected(Fault.TOO_LARGE)
    upload, sha256 = _receive(arrival, upload, length)
    outcome = _Outcome("continued", HTTPStatus.NO_CONTENT, upload.offset - offset, sha256)
    return _answer(arrival, upload, progress(upload), outcome)


def abandon(arrival: Arrival) -> HttpResponseBase:
    """Delete an upload (DELETE)."""
    _check_version(arrival)
    upload = _unfinished(arrival)
    storage = arrival.storage
    if not storage.catalog.repeat(partial(storage.inbox.delete, upload)):
        raise Rejected(Fault.GONE)
    record(arrival, "abandoned", HTTPStatus.NO_CONTENT)
    return answer(HTTPStatus.NO_CONTENT, {})


def _check_version(arrival: Arrival) -> None:
    if arrival.request.META.get("HTTP_TUS_RESUMABLE") != TUS_VERSION:
        raise Rejected(Fault.VERSION, headers={"Tus-Version": TUS_VERSION})


def _size(arrival: Arrival) -> int:
    """Return how long the upload will be."""
    meta = arrival.request.META
    for field in ("Upload-Defer-Length", "Upload-Concat"):  # Extensions that we don't support.
        if f"HTTP_{field.upper().replace('-', '_')}" in meta:
            raise Rejected(Fault.FIELD, field=field)
    size = number(meta, "Upload-Length")
    if size > arrival.most:
        raise Rejected(Fault.TOO_LARGE, headers={"Tus-Max-Size": str(arrival.most)})
    return size


def _check_name(arrival: Arrival, metadata: Metadata) -> None:
    """Refuse what can't become a file, before anything is sent."""
    storage, grant = arrival.storage, arrival.grant
    kind, path = grant.place.kind, grant.place.path
    name = path if kind is PlaceKind.FILE else _wanted_name(arrival, metadata)
    # A form may save the file under the client's own name too.
    for each in (metadata.filename or UNNAMED, name) if kind is PlaceKind.NOWHERE else (name,):
        if not takes(grant.types, each, storage.options.content_types):
            raise Rejected(Fault.TYPE)
    if kind is not PlaceKind.NOWHERE:
        _check_room(arrival, name)


def _check_room(arrival: Arrival, name: str) -> None:
    """Refuse a name that this upload can't get."""
    catalog, grant = arrival.storage.catalog, arrival.grant
    try:
        with catalog.outages_told():
            if grant.place.kind is PlaceKind.FOLDER:  # If it is taken, it gets another.
                catalog.check_place(canonical_name(name), is_placed=False)
                return
            room = catalog.room_for(name)
    except FileExistsError:  # It lies below a file.
        raise Rejected(Fault.TAKEN) from None
    except SuspiciousFileOperation:
        raise Rejected(Fault.NAME) from None
    if room.is_directory or (room.is_file and not grant.overwrite):
        raise Rejected(Fault.TAKEN)


def _wanted_name(arrival: Arrival, metadata: Metadata) -> str:
    """Return the name that the file gets, as long as that isn't taken."""
    storage, place, filename = arrival.storage, arrival.grant.place, metadata.filename
    if place.kind is PlaceKind.NOWHERE:
        filename = filename or UNNAMED
    if not filename:
        raise Rejected(Fault.FIELD, field="Upload-Metadata: filename")
    try:
        name = cleaned_name(storage, filename, place.path)
        if place.kind is PlaceKind.FOLDER and len(name) > MAX_LENGTH:
            with storage.catalog.outages_told():
                name = storage.get_available_name(name)
    except SuspiciousFileOperation:
        raise Rejected(Fault.NAME) from None
    return name


def _piece_length(arrival: Arrival, most: int | None) -> int:
    """Return the length of the piece that comes with a request.

    :param most: bytes that it may have, if that is known.
    """
    meta = arrival.request.META
    if meta.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != PIECE_TYPE:
        raise Rejected(Fault.FIELD, field="Content-Type", status=415)
    length = content_length(meta)
    if most is not None and length > most:
        raise Rejected(Fault.TOO_LARGE)
    return length


def _unfinished(arrival: Arrival) -> Upload:
    upload = arrival.find()
    if upload.name is not None:
        raise Rejected(Fault.GONE)
    return upload


def _receive(arrival: Arrival, upload: Upload, length: int) -> tuple[Upload, str | None]:
    given = arrival.request.META.get("HTTP_UPLOAD_CHECKSUM")
    checksum = None if given is None else Checksum.parse(given)
    with checked(arrival.body(length), checksum) as body:
        return arrival.receive(upload, body)


def _answer(
    arrival: Arrival, upload: Upload, headers: dict[str, str], outcome: _Outcome
) -> HttpResponseBase:
    """Return an answer about an upload, which becomes a file first if all of it is there."""
    word, finished = outcome.word, _finished(arrival, upload, outcome.sha256)
    name, is_ours = upload.name, False
    if finished is not None:
        headers.pop("Upload-Expires", None)
        name, is_ours = finished.name, finished.is_ours
        word = "received" if is_ours else word
    if name is not None and (is_ours or _could_get(name, arrival)):
        headers["Content-Location"] = arrival.storage.base_url + filepath_to_uri(name)
    record(arrival, word, outcome.status, outcome.moved, finished=finished)
    return answer(outcome.status, headers)


def _could_get(name: str, arrival: Arrival) -> bool:
    """Tell whether an upload could get this name. No client is told where else its file is.

    Its URL never expires once it is a file, which others may have renamed since.
    """
    place = arrival.grant.place
    if place.kind is not PlaceKind.FOLDER:
        return place.kind is PlaceKind.FILE and name == place.path
    filename = Metadata.parse(arrival.grant.metadata).filename
    try:
        return could_replace(name, cleaned_name(arrival.storage, filename, place.path))
    except SuspiciousFileOperation:  # Names are cleaned differently by now.
        return False


def _finished(arrival: Arrival, upload: Upload, sha256: str | None) -> Finished | None:
    """Return the file that a complete upload has become by this request."""
    is_named = arrival.grant.place.kind is not PlaceKind.NOWHERE
    if not (is_named and upload.is_complete and upload.name is None):
        return None
    return finish(arrival, upload, Wish(sha256=sha256, overwrite=arrival.grant.overwrite))
