"""The serving view: the story of a request, from its token to the bytes of a file or a refusal."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.exceptions import (
    BadToken,
    DatabaseUnavailable,
    ExpiredToken,
    KeyServiceUnavailable,
)
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.names import MAX_LENGTH, is_canonical
from secure_dbstorage.serving.answers import answer_file
from secure_dbstorage.serving.archives import answer_archive, find_files, first_encrypted
from secure_dbstorage.serving.conditions import has_conditions
from secure_dbstorage.serving.entry import begin_visit
from secure_dbstorage.serving.guards import ask_guards, ask_guards_of_all, may_refuse
from secure_dbstorage.serving.headers import REFUSAL_HEADERS, protect
from secure_dbstorage.serving.outages import database_answered, database_failed, key_service_failed
from secure_dbstorage.serving.ratelimits import check_limit
from secure_dbstorage.serving.refusals import Reason, Refused, refuse, unavailable
from secure_dbstorage.serving.visits import Visit, record_refusal, record_sent_away

#: The methods that files support (RFC 9110 section 10.2.1).
ALLOW = "GET, HEAD, OPTIONS"


class EveryAlias(set[str]):
    """Every database alias: no download holds a transaction of ATOMIC_REQUESTS open."""

    def __contains__(self, alias: object) -> bool:
        return True


@csrf_exempt
@sensitive_variables()  # Also covers everything called from here.
def serve(request: HttpRequest, name: str, storage: str = "default") -> HttpResponseBase:
    """Serve the file *name* of ``STORAGES[storage]``.

    The cheapest steps, which reveal least, come first: a refused token costs no query, and a
    private file looks like a missing one.
    """
    try:
        visit = begin_visit(request, name, storage)
    except Refused as error:
        return refuse(request, error)
    try:
        return _serve(visit)
    except Refused as error:
        refused = error
    except DatabaseUnavailable as error:
        database_failed(visit.storage, error)
        refused = unavailable()
    except KeyServiceUnavailable as error:
        key_service_failed(error)
        refused = unavailable()
    record_refusal(visit, refused.reason)
    return refuse(request, refused, had_token=visit.credentials.has_token)


# The token is the key, and the hooks are the guards: a LoginRequiredMiddleware would send visitors
# of public files away, and put the token of a link into the login page's URL.
serve.login_required = False  # type: ignore[attr-defined]
# `non_atomic_requests` would add one alias at a time.
serve._non_atomic_requests = EveryAlias()  # type: ignore[attr-defined]  # noqa: SLF001


def _serve(visit: Visit) -> HttpResponseBase:
    if visit.request.method == "OPTIONS":
        return _methods()
    _check_target(visit)
    _read_token(visit)
    try:
        if visit.grant is not None and visit.grant.is_zip:
            return _pack(visit, visit.grant)
        head = _look_up(visit)
        instead = ask_guards(visit, head.stat)
        return answer_file(visit, head) if instead is None else _send_away(visit, instead)
    finally:
        visit.storage.catalog.release()


def _methods() -> HttpResponse:
    return HttpResponse(headers={**REFUSAL_HEADERS, "Allow": ALLOW, "Content-Length": "0"})


def _check_target(visit: Visit) -> None:
    if visit.request.method not in ("GET", "HEAD"):
        raise Refused(Reason.METHOD, headers={"Allow": ALLOW})
    if not is_canonical(visit.name) or len(visit.name) > MAX_LENGTH:
        raise Refused(Reason.MISSING)


def _read_token(visit: Visit) -> None:
    """Note what the token of the request grants, if it has one."""
    if not visit.credentials.has_token:
        return
    storage = visit.storage
    try:
        visit.grant = visit.credentials.read(
            visit.name,
            storage.signer,
            storage.audience,
            max_lifetime=storage.options.max_expires_in,
            now=visit.now,
        )
    except BadToken as error:
        reason = Reason.BAD_TOKEN
        if isinstance(error, ExpiredToken):
            reason, visit.link_id = Reason.EXPIRED, error.grant.link_id
        check_limit(visit, "refused")
        raise Refused(reason) from None
    visit.link_id = visit.grant.link_id


def _pack(visit: Visit, grant: Grant) -> HttpResponseBase:
    """Return the files below a directory as one archive."""
    check_limit(visit, "signed")
    with visit.storage.catalog.outages_told():
        heads = find_files(visit, grant)
    database_answered(visit.storage)
    instead = ask_guards_of_all(visit, grant, (head.stat for head in heads))
    if instead is not None:
        return _send_away(visit, instead)
    if visit.request.method != "HEAD":
        first_encrypted(heads).unlock()  # Before any byte is promised.
    return answer_archive(visit, heads, below=visit.name, filename=grant.filename)


def _look_up(visit: Visit) -> StoredHead:
    """Return the head of the file, within the limits."""
    check_limit(visit, "signed" if visit.grant else "plain")
    with visit.storage.catalog.outages_told():
        return _find(visit)


def _find(visit: Visit) -> StoredHead:
    """Return the head of the file, with its first chunk if all of it is sure to be sent."""
    is_plain_get = visit.request.method == "GET" and not has_conditions(visit.request)
    head = visit.storage.catalog.find(
        visit.name,
        public_only=visit.grant is None,
        with_chunk=is_plain_get and not may_refuse(visit),
        whole_only=visit.may_offload,  # A proxy needs no part of a larger file.
    )
    database_answered(visit.storage)
    if head is None or not _opens(visit, head):
        # Missing, revoked and replaced files get the same answer.
        raise Refused(Reason.REVOKED if visit.grant else Reason.MISSING)
    visit.file = head.stat
    return head


def _opens(visit: Visit, head: StoredHead) -> bool:
    if head.stat.has_expired(visit.now):
        return False
    return visit.grant is None or visit.grant.opens(head.link_epoch)


def _send_away(visit: Visit, response: HttpResponseBase) -> HttpResponseBase:
    """Return a hook's own response."""
    record_sent_away(visit, response)
    return protect(response)
