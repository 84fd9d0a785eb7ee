"""PUT: a whole file in one request, by any client of HTTP (RFC 9110 section 9.3.4)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Self

from django.http.response import HttpResponseBase
from django.utils.http import parse_etags, parse_http_date_safe

from secure_dbstorage.files import FileStat
from secure_dbstorage.receiving.answers import answer
from secure_dbstorage.receiving.arrivals import Arrival
from secure_dbstorage.receiving.faults import Fault, Rejected
from secure_dbstorage.receiving.fields import content_length, sha256_digests
from secure_dbstorage.receiving.finishing import Wish, finish
from secure_dbstorage.receiving.records import record
from secure_dbstorage.serving.refusals import unavailable


def put(arrival: Arrival) -> HttpResponseBase:
    """Receive a whole file."""
    length, digests = _described(arrival)
    with _as_put(arrival):
        wish = _wish(arrival)
        upload = arrival.new_upload(length)
        with arrival.all_or_nothing(upload):
            upload, sha256 = arrival.receive(upload, arrival.body(length))
            if not upload.is_complete:
                raise Rejected(Fault.INCOMPLETE)
            if digests - {sha256}:
                raise Rejected(Fault.DIGEST)
            finished = finish(arrival, upload, replace(wish, sha256=sha256))
    status = HTTPStatus.CREATED if finished.created else HTTPStatus.OK
    record(arrival, "received", status, length, finished=finished)
    return answer(status, {"ETag": finished.etag})


def _described(arrival: Arrival) -> tuple[int, set[str]]:
    """Return the length of the file and what its SHA-256 must be, as the fields say."""
    meta = arrival.request.META
    if "HTTP_CONTENT_RANGE" in meta:  # RFC 9110 section 14.4: a part is not a whole file.
        raise Rejected(Fault.FIELD, field="Content-Range")
    if meta.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise Rejected(Fault.FIELD, field="Content-Encoding", status=415)
    digests = sha256_digests(meta)
    length = content_length(meta)
    if length > arrival.most:
        raise Rejected(Fault.TOO_LARGE)
    return length, digests


def _wish(arrival: Arrival) -> Wish:
    """Return what is asked for, after a first look at what is there.

    :raises Rejected: 409 or 412 if that can't be.
    """
    name, catalog, grant = arrival.grant.place.path, arrival.storage.catalog, arrival.grant
    try:
        with catalog.outages_told():
            head = catalog.find(name)
            is_directory = head is None and catalog.room_for(name).is_directory
    except FileExistsError:  # The name lies below a file.
        raise Rejected(Fault.TAKEN) from None
    if is_directory or (head is not None and not grant.overwrite):
        # Before anything is compared: with such a link, nobody may find out by guessing what a
        # private file has in it, or when it was saved.
        raise Rejected(Fault.TAKEN)
    conditions = _Conditions.parse(arrival.request.META)
    if not conditions.hold(None if head is None else head.stat):
        raise Rejected(Fault.PRECONDITION)
    if not conditions.are_given:
        return Wish(overwrite=grant.overwrite)
    # They hold for what is there now, so that must still be there when it is replaced.
    return Wish(
        overwrite=grant.overwrite and head is not None,
        replaced_key=None if head is None else head.content.key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conditions:
    """What must be true of the file that is there (RFC 9110 section 13.1)."""

    #: The entity tags of which it must have one; None for any or no file.
    tags: Sequence[str] | None
    #: When it may have been saved at the latest, in whole seconds since 1970; None for any time.
    date: int | None
    #: The entity tags that it must not have.
    other_tags: Sequence[str]

    @classmethod
    def parse(cls, meta: Mapping[str, Any]) -> Self:
        """Return the conditions of a request. A date that can't be read doesn't count."""
        others = parse_etags(meta.get("HTTP_IF_NONE_MATCH", ""))
        if "HTTP_IF_MATCH" in meta:  # Then the date doesn't count (section 13.2.2).
            tags, date = parse_etags(meta["HTTP_IF_MATCH"]), None
        else:
            tags, date = None, parse_http_date_safe(meta.get("HTTP_IF_UNMODIFIED_SINCE", ""))
        # If-None-Match compares weakly (section 13.1.2).
        return cls(tags=tags, date=date, other_tags=[tag.removeprefix("W/") for tag in others])

    @property
    def are_given(self) -> bool:
        """Whether there are any."""
        return self.tags is not None or self.date is not None or bool(self.other_tags)

    def hold(self, file: FileStat | None) -> bool:
        """Tell whether they are true of a file, or of none: one that was deleted has changed."""
        if file is None:
            return self.tags is None and self.date is None
        if self.tags is not None and not _is_among(file.etag, self.tags):
            return False
        # As Last-Modified, which says whole seconds.
        if self.date is not None and int(file.modified.timestamp()) > self.date:
            return False
        return not _is_among(file.etag, self.other_tags)


def _is_among(etag: str, tags: Sequence[str]) -> bool:
    return "*" in tags or etag in tags


@contextmanager
def _as_put(arrival: Arrival) -> Iterator[None]:
    """Say it as HTTP does for a PUT: a taken name is a conflict, or a condition that fails."""
    try:
        yield
    except Rejected as error:
        if error.fault is Fault.TAKEN and "HTTP_IF_NONE_MATCH" in arrival.request.META:
            raise Rejected(Fault.PRECONDITION) from None
        if error.fault is Fault.OFFSET:
            # Nobody else can write: it has expired meanwhile, or the answer to one of our commits
            # was lost.
            raise unavailable() from None
        if error.fault is Fault.TAKEN:
            raise Rejected(Fault.TAKEN, status=HTTPStatus.CONFLICT) from None
        raise
