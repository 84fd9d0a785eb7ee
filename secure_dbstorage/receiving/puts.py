"""PUT: a whole file in one request, by any client of HTTP (RFC 9110 section 9.3.4)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus

from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

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
    must_be, must_not_be = _conditions(arrival)
    with catalog.outages_told():
        head = catalog.find(name)
        is_taken = head is not None or catalog.is_directory(name)
    if is_taken and not grant.overwrite:
        # Before anything is compared: with such a link, nobody may find out by guessing what a
        # private file has in it, or when it was saved.
        raise Rejected(Fault.TAKEN)
    etag = None if head is None else head.stat.etag
    if (must_be and not _is_among(etag, must_be)) or _is_among(etag, must_not_be):
        raise Rejected(Fault.PRECONDITION)
    replaced_key = head.content.key if must_be and head is not None else None
    return Wish(overwrite=grant.overwrite and "*" not in must_not_be, replaced_key=replaced_key)


def _conditions(arrival: Arrival) -> tuple[list[str], list[str]]:
    """Return the entity tags of which the file must have one, and those that it must not have.

    :raises Rejected: 412 for an If-Match that nothing can match.
    """
    meta = arrival.request.META
    must_be = parse_etags(meta.get("HTTP_IF_MATCH", ""))
    if "HTTP_IF_MATCH" in meta and not must_be:
        raise Rejected(Fault.PRECONDITION)
    return must_be, parse_etags(meta.get("HTTP_IF_NONE_MATCH", ""))


def _is_among(etag: str | None, etags: Sequence[str]) -> bool:
    return etag is not None and ("*" in etags or etag in etags)


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
