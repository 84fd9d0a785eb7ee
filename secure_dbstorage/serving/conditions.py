"""Conditional requests: which bytes a request gets, if any (RFC 9110 sections 13 and 14)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags, parse_http_date_safe

from secure_dbstorage.exceptions import UnsatisfiableRange
from secure_dbstorage.files import FileStat
from secure_dbstorage.serving.ranges import ByteRange, if_range_holds, parse_range
from secure_dbstorage.serving.refusals import Reason, Refused

_PRECONDITIONS = (
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
)

#: A date beside a list of entity tags doesn't count (RFC 9110 section 13.2.2).
_DATE_BESIDE = {
    "HTTP_IF_MATCH": "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH": "HTTP_IF_MODIFIED_SINCE",
}


class Selection(NamedTuple):
    """What a request gets of a file."""

    #: 200, 206 or 304.
    status: HTTPStatus
    #: The bytes that the answer is about.
    span: ByteRange
    #: Whether these bytes are sent: no for HEAD and 304.
    has_body: bool


def has_conditions(request: HttpRequest) -> bool:
    """Tell whether the answer may have no body, or a part of one."""
    return "HTTP_RANGE" in request.META or has_preconditions(request)


def has_preconditions(request: HttpRequest) -> bool:
    """Tell whether a request has a precondition (RFC 9110 section 13.1), If-Range aside."""
    return not request.META.keys().isdisjoint(_PRECONDITIONS)


def drop_void_dates(request: HttpRequest) -> None:
    """Remove the dates that don't count from a request.

    Django would compare them if the list of entity tags is garbled, first in :func:`select` and
    later in ConditionalGetMiddleware.
    """
    for tags, date in _DATE_BESIDE.items():
        if tags in request.META:
            request.META.pop(date, None)


def drop_preconditions(request: HttpRequest) -> None:
    """Remove the preconditions from a request: their answer would tell of the content.

    ConditionalGetMiddleware would look at them later. If-Range stays: it only chooses what is
    sent.
    """
    for name in _PRECONDITIONS:
        request.META.pop(name, None)


def select(request: HttpRequest, file: FileStat, *, tells_size: bool = True) -> Selection:
    """Return what a GET or HEAD without void dates gets of a file.

    :param tells_size: whether a 416 may tell the size of the file.
    :raises Refused: 412 and 416.
    """
    whole = ByteRange(0, file.size)
    if _is_not_modified(request, file):
        return Selection(HTTPStatus.NOT_MODIFIED, whole, has_body=False)
    if request.method != "GET":
        # RFC 9110 section 14.2: ranges are defined for GET alone.
        return Selection(HTTPStatus.OK, whole, has_body=False)
    part = _wanted_range(request.META, file, tells_size=tells_size)
    if part is None:
        return Selection(HTTPStatus.OK, whole, has_body=True)
    return Selection(HTTPStatus.PARTIAL_CONTENT, part, has_body=True)


def _is_not_modified(request: HttpRequest, file: FileStat) -> bool:
    """Tell whether the client has the file already.

    :raises Refused: 412.
    """
    if not has_preconditions(request):
        return False
    if _fails_to_the_letter(request.META):
        raise Refused(Reason.PRECONDITION)
    answer = get_conditional_response(request, file.etag, int(file.modified.timestamp()))
    if answer is None:
        return False
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise Refused(Reason.PRECONDITION)
    return True


def _fails_to_the_letter(meta: Mapping[str, Any]) -> bool:
    """Tell whether a precondition fails that Django ignores.

    Nothing matches an If-Match without an entity tag, and Django takes an If-Unmodified-Since of
    1970-01-01 for none.
    """
    if "HTTP_IF_MATCH" in meta and not parse_etags(meta["HTTP_IF_MATCH"]):
        return True
    return parse_http_date_safe(meta.get("HTTP_IF_UNMODIFIED_SINCE", "")) == 0


def _wanted_range(
    meta: Mapping[str, Any], file: FileStat, *, tells_size: bool
) -> ByteRange | None:
    header, condition = meta.get("HTTP_RANGE"), meta.get("HTTP_IF_RANGE")
    if header is None:
        return None
    if condition is not None and not if_range_holds(
        condition, etag=file.etag, last_modified=int(file.modified.timestamp())
    ):
        return None
    try:
        return parse_range(header, file.size)
    except UnsatisfiableRange:
        length = {"Content-Range": f"bytes */{file.size}"} if tells_size else {}
        raise Refused(Reason.RANGE, headers=length) from None
