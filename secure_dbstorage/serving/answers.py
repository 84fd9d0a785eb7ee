"""Answers: what the visitor gets of a file, with its header fields and its bytes."""

from collections.abc import Iterator

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from secure_dbstorage.files import FileStat
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.serving.conditions import (
    Selection,
    drop_preconditions,
    drop_void_dates,
    select,
)
from secure_dbstorage.serving.guards import count_use, counts_uses, refuse_prefetch, refuse_used
from secure_dbstorage.serving.headers import (
    Presentation,
    answer_headers,
    is_played,
    present,
    untold,
)
from secure_dbstorage.serving.offload import hand_over, is_offloaded
from secure_dbstorage.serving.refusals import Reason, Refused
from secure_dbstorage.serving.responses import FileResponse, StreamingFileResponse, respond
from secure_dbstorage.serving.subresources import may_be_loaded
from secure_dbstorage.serving.visits import Visit, WatchedBody, record_answer, record_offloaded


def answer_file(visit: Visit, head: StoredHead) -> HttpResponseBase:
    """Return what a GET or HEAD gets: 200, 206 or 304."""
    shown = present(head.stat, visit.storage.options, visit.grant, visit.now)
    if not may_be_loaded(visit.request.META, head.stat.content_type, inline=shown.inline):
        raise Refused(Reason.SUBRESOURCE)
    selected, headers = _selected(visit, head.stat, shown)
    if selected.has_body:
        head.content.unlock()  # Before it is counted: a link isn't used up while a key is missing.
        if counts_uses(visit.grant, head.stat):
            with visit.storage.catalog.outages_told():
                count_use(visit, head.stat, selected.status, is_played=is_played(head.stat, shown))
    response = _response(visit, head, selected, headers, is_private=shown.private)
    if shown.is_framed_anywhere:
        response.allow_frames()
    return response


def _selected(
    visit: Visit, file: FileStat, shown: Presentation
) -> tuple[Selection, dict[str, str]]:
    """Return what the visitor gets of a file, and the header fields of the answer.

    A one-time link tells nothing of the content before it is used.
    """
    is_counted = counts_uses(visit.grant, file)
    if is_counted:
        refuse_prefetch(visit.request)
        drop_preconditions(visit.request)
    drop_void_dates(visit.request)
    try:
        selected = select(visit.request, file, tells_size=not is_counted)
    except Refused:
        # By one range after another, anyone with a used link could find out the size.
        with visit.storage.catalog.outages_told():
            refuse_used(visit, file, is_played=is_played(file, shown))
        raise
    headers = answer_headers(file, shown, selected.status, selected.span)
    if is_counted and not selected.has_body:
        headers = untold(headers)
    return selected, headers


def _response(
    visit: Visit,
    head: StoredHead,
    selected: Selection,
    headers: dict[str, str],
    *,
    is_private: bool,
) -> FileResponse | StreamingFileResponse:
    """Return the recorded answer: with the selected bytes, or telling a proxy to send them."""
    if selected.has_body and is_offloaded(visit, head.content, selected):
        answer = hand_over(visit, head.content, headers, is_private=is_private)
        record_offloaded(visit, selected.status)
        return answer
    body = _body(visit, head, selected) if selected.has_body else b""
    response = respond(selected.status, headers, body, is_private=is_private, pace=visit.pace)
    record_answer(visit, response)
    return response


def _body(visit: Visit, head: StoredHead, selected: Selection) -> bytes | Iterator[bytes]:
    """Return the selected bytes: from the head row, or in pieces read later."""
    span = selected.span
    chunk = head.first_chunk
    if chunk is not None and len(chunk) == head.content.size:
        return chunk[span.start : span.stop]
    # WSGI's threads bound what is read at once. An event loop has any number of readers.
    wanted = visit.pace.rows_wanted if isinstance(visit.request, ASGIRequest) else None
    pieces = visit.storage.catalog.stream(head, span.start, span.stop, rows_wanted=wanted)
    return WatchedBody(visit, pieces, status=selected.status, length=span.length)
