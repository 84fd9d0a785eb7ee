"""The serving view: from a request to the bytes of a file, or a refusal."""

import dataclasses
import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.access import HookGrant, ask_hooks, check_bindings
from secure_dbstorage.addresses import certain_address
from secure_dbstorage.exceptions import BadToken, ExpiredToken, Refused
from secure_dbstorage.files import FileStat, StoredHead
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.names import is_canonical
from secure_dbstorage.serving.credentials import Credentials
from secure_dbstorage.serving.headers import Presentation, cache_control
from secure_dbstorage.serving.ratelimits import check_limit
from secure_dbstorage.serving.responses import (
    ALLOW,
    answer_with_file,
    answer_with_methods,
    has_preconditions,
    protect,
    refuse,
)
from secure_dbstorage.serving.visits import Visit
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import uses

#: For so long after its begin, a client may go on with a broken download of a one-time link.
_RESUME_SECONDS = 600

#: Where browsers say that nobody asked for a page yet: the Fetch standard's, and older ones.
_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class _EveryAlias(set[str]):
    """Every database alias: no download holds a transaction of ATOMIC_REQUESTS open."""

    def __contains__(self, alias: object) -> bool:
        return True


@csrf_exempt
@sensitive_variables()  # Also of all that is called from here.
def serve(request: HttpRequest, name: str, storage: str = "default") -> HttpResponseBase:
    """Serve the file *name* of ``STORAGES[storage]``.

    The order is the cheapest and the least telling first: a refused token costs no query, and
    nothing tells a private file from a missing one.
    """
    credentials, name = Credentials.take(request, name)
    visit = Visit(request=request, storage=_database_storage(storage), name=name)
    try:
        return _serve(visit, credentials)
    except Refused as refused:
        visit.refused(refused)
        return refuse(request, refused)


# The token is the key, and the hooks are the guards: a LoginRequiredMiddleware would send visitors
# of public files away, and put the token of a link into the login page's URL.
serve.login_required = False  # type: ignore[attr-defined]
# What `non_atomic_requests` sets, for one alias at a time.
serve._non_atomic_requests = _EveryAlias()  # type: ignore[attr-defined]  # noqa: SLF001


def _serve(visit: Visit, credentials: Credentials) -> HttpResponseBase:
    request, name, storage = visit.request, visit.name, visit.storage
    if request.method == "OPTIONS":
        return answer_with_methods()
    if request.method not in ("GET", "HEAD"):
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method", headers={"Allow": ALLOW})
    if not is_canonical(name):
        raise Refused(HTTPStatus.NOT_FOUND, "missing")
    grant = visit.grant = _read_tokens(request, name, storage, credentials)
    check_limit(request, "signed" if grant else "plain", storage.options, grant)
    try:
        head = _find(request, name, storage, grant)
        visit.file = head.stat
        if grant is not None and not head.stat.is_public:
            answer = _ask_guards(visit, head.stat, grant, credentials)
            if answer is not None:
                visit.sent_away(answer)
                return protect(answer)
        response = answer_with_file(
            request,
            head.stat,
            _presentation(head, storage, grant),
            read=partial(_read, visit, head),
        )
        visit.answered(response)
        return response
    finally:
        storage.catalog.release()


def _ask_guards(
    visit: Visit, file: FileStat, grant: Grant, credentials: Credentials
) -> HttpResponseBase | None:
    request, storage = visit.request, visit.storage
    if grant.is_bound:
        address = certain_address(request.META, storage.options.trusted_proxies)
        check_bindings(request, grant, storage.signer, address)
    hooks = storage.options.auth_hooks
    if not hooks:
        return None
    fields = {field.name: getattr(grant, field.name) for field in dataclasses.fields(grant)}
    shown = HookGrant(**fields, return_path=credentials.return_path)
    return ask_hooks(hooks, request, file, shown)


def _read(visit: Visit, head: StoredHead, start: int, stop: int) -> bytes | Iterator[bytes]:
    """Return the bytes of a file: those that its head row brought along, or pieces to come."""
    if visit.grant is not None and visit.grant.is_for_once and not head.stat.is_public:
        _count_use(visit, visit.grant, start)
    if head.first_chunk is not None and head.content.chunk_count == 1:
        return head.first_chunk[start:stop]
    pieces: Iterator[bytes] = visit.storage.catalog.stream(head, start, stop)
    return visit.watch(pieces)


def _count_use(visit: Visit, grant: Grant, start: int) -> None:
    """Let a one-time link be used once.

    The rest of a broken download by the same client, shortly after it began, is no second use.
    """
    request, storage = visit.request, visit.storage
    purposes = " ".join(request.headers.get(name, "").lower() for name in _PURPOSES)
    if any(word in purposes for word in ("prefetch", "prerender", "preview")):
        # A success would be shown later, instead of asking once more.
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "prefetch")
    address = certain_address(request.META, storage.options.trusted_proxies)
    agent = request.headers.get("User-Agent", "")
    client = hashlib.sha256(f"{address}\n{agent}".encode()).digest()
    using = storage.catalog.writer
    if start == 0:
        needed_until = datetime.fromtimestamp(grant.usable_until, tz=UTC)
        is_good = uses.begin(grant.use_key, client, needed_until, using=using)
    else:
        # Behind a proxy that nobody configured there is no telling clients apart.
        is_good = address is not None and uses.has_begun(
            grant.use_key, client, within_seconds=_RESUME_SECONDS, using=using
        )
    if not is_good:
        raise Refused(HTTPStatus.FORBIDDEN, "used")


def _database_storage(alias: str) -> DatabaseStorage:
    storage = storages[alias]
    if not isinstance(storage, DatabaseStorage):
        raise ImproperlyConfigured(f"STORAGES[{alias!r}] is not a DatabaseStorage")
    return storage


def _read_tokens(
    request: HttpRequest, name: str, storage: DatabaseStorage, credentials: Credentials
) -> Grant | None:
    """Return what the token of a request grants; None without a token."""
    max_lifetime = storage.options.max_expires_in
    try:
        return credentials.read(name, storage.signer, max_lifetime=max_lifetime)
    except BadToken as error:
        check_limit(request, "refused", storage.options)
        reason = "expired" if isinstance(error, ExpiredToken) else "bad-token"
        raise Refused(HTTPStatus.FORBIDDEN, reason) from None


def _find(
    request: HttpRequest, name: str, storage: DatabaseStorage, grant: Grant | None
) -> StoredHead:
    # The bytes come along where nothing can decide against sending all of them.
    is_plain_get = request.method == "GET" and not has_preconditions(request)
    head = storage.catalog.find(
        name,
        public_only=grant is None,
        with_chunk=is_plain_get
        and not (grant and (grant.is_bound or grant.is_for_once or storage.options.auth_hooks)),
    )
    if head is not None and head.stat.has_expired(time.time()):
        head = None
    if grant is None:
        if head is None:
            raise Refused(HTTPStatus.NOT_FOUND, "missing")
    elif head is None or not grant.opens(head.link_epoch):
        # Missing, revoked and replaced are one answer.
        raise Refused(HTTPStatus.FORBIDDEN, "revoked")
    return head


def _presentation(head: StoredHead, storage: DatabaseStorage, grant: Grant | None) -> Presentation:
    options, now = storage.options, time.time()
    inline = head.stat.content_type in options.inline_types
    if grant is None:
        return Presentation(
            inline=inline,
            filename=None,
            private=False,
            cache_control=cache_control(
                private=False, max_age_seconds=_capped(options.public_max_age, head.stat, now)
            ),
        )
    remaining = max(0, grant.expires - int(now))
    return Presentation(
        inline=inline and not grant.attachment,
        filename=grant.filename,
        private=True,
        cache_control=cache_control(
            private=True,
            max_age_seconds=_capped(min(options.private_max_age, remaining), head.stat, now),
            revalidate=bool(options.auth_hooks) and not head.stat.is_public,
            store=not (grant.is_bound or grant.is_for_once),
        ),
    )


def _capped(max_age_seconds: int, file: FileStat, now: float) -> int:
    """Return no more than the seconds that a temporary file has left."""
    if file.expires is None:
        return max_age_seconds
    return min(max_age_seconds, max(0, int(file.expires.timestamp() - now)))
