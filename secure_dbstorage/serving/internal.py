"""The internal view: sends contents to a proxy that keeps them in its cache.

Whoever has a token for it gets one content, and nothing of the file: its link, its hooks and its
limits were asked before the token was made. The visitor never sees the token.
"""

import time
from http import HTTPStatus

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.content_types import UNKNOWN
from secure_dbstorage.exceptions import BadToken, DatabaseUnavailable
from secure_dbstorage.files import FileStat
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.links.paths import read_content, spelled_content
from secure_dbstorage.serving.conditions import Selection, select
from secure_dbstorage.serving.credentials import Credentials
from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from secure_dbstorage.serving.offload import offloads
from secure_dbstorage.serving.outages import database_answered, database_failed
from secure_dbstorage.serving.pacing import Pace
from secure_dbstorage.serving.refusals import Reason, Refused, refuse, unavailable
from secure_dbstorage.serving.responses import respond
from secure_dbstorage.serving.views import EveryAlias
from secure_dbstorage.storage import DatabaseStorage, named


@csrf_exempt
@sensitive_variables()  # Also covers everything called from here.
def send(request: HttpRequest, content: str) -> HttpResponseBase:
    """Send a content to a proxy.

    :param content: as :func:`~secure_dbstorage.links.paths.spelled_content` spells it.
    """
    credentials, content = Credentials.take(request, content)
    try:
        return _send(request, content, credentials)
    except Refused as error:
        refused = error
    return refuse(request, refused)


# For the same reasons as those of `serve`.
send.login_required = False  # type: ignore[attr-defined]
send._non_atomic_requests = EveryAlias()  # type: ignore[attr-defined]  # noqa: SLF001


def _send(request: HttpRequest, content: str, credentials: Credentials) -> HttpResponseBase:
    if request.method not in ("GET", "HEAD"):
        raise Refused(Reason.METHOD, headers={"Allow": "GET, HEAD"})
    now = time.time()
    storage, key = _storage_and_key(content)
    try:
        credentials.check_content(content, storage.signer, storage.audience, now=now)
    except BadToken:
        raise Refused(Reason.BAD_TOKEN) from None
    try:
        with storage.catalog.outages_told():
            head = storage.catalog.find_content(key)
    except DatabaseUnavailable as error:
        database_failed(storage, error)
        raise unavailable() from None
    finally:
        storage.catalog.release()
    database_answered(storage)
    if head is None or head.stat.has_expired(now):
        raise Refused(Reason.MISSING)
    return _answer(request, storage, head)


def _storage_and_key(content: str) -> tuple[DatabaseStorage, int]:
    """Return the storage and the key of a content, if its table is ours at this moment."""
    try:
        alias, key = read_content(content)
        storage = named(alias)
    except (ValueError, ImproperlyConfigured, InvalidStorageError):
        raise Refused(Reason.MISSING) from None
    is_ours = spelled_content(alias, key, storage.catalog.place) == content
    if not offloads(storage.options) or not is_ours:
        raise Refused(Reason.MISSING)
    return storage, key


def _answer(request: HttpRequest, storage: DatabaseStorage, head: StoredHead) -> HttpResponseBase:
    selected, pace = select(request, head.stat), Pace()
    headers = _headers(head.stat, selected)
    if not selected.has_body:
        return respond(selected.status, headers, b"", is_private=False)
    span = selected.span
    wanted = pace.rows_wanted if isinstance(request, ASGIRequest) else None
    body = storage.catalog.stream(head, span.start, span.stop, rows_wanted=wanted)
    return respond(selected.status, headers, body, is_private=False, pace=pace)


def _headers(file: FileStat, selected: Selection) -> dict[str, str]:
    """Return header fields that protect, in case that somebody exposes the route.

    Without the validators, nginx would answer each If-Range with the whole file.
    """
    headers = {
        **REFUSAL_HEADERS,
        "Content-Type": UNKNOWN,
        "Accept-Ranges": "bytes",
        "ETag": file.etag,
        "Last-Modified": http_date(file.modified.timestamp()),
    }
    if selected.status != HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(selected.span.length)
    if selected.status == HTTPStatus.PARTIAL_CONTENT:
        headers["Content-Range"] = selected.span.content_range(file.size)
    return headers
