"""The view of a route: receives requests with a token for uploads, and serves all others."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.exceptions import (
    BadToken,
    DatabaseUnavailable,
    ExpiredToken,
    KeyServiceUnavailable,
    SecureDBStorageError,
)
from secure_dbstorage.links.grants import PlaceKind, UploadGrant
from secure_dbstorage.links.paths import UPLOAD_IN_QUERY
from secure_dbstorage.receiving import puts, tus
from secure_dbstorage.receiving.answers import answer, with_version
from secure_dbstorage.receiving.arrivals import Arrival
from secure_dbstorage.receiving.bodies import drain
from secure_dbstorage.receiving.faults import Fault, Rejected, reject
from secure_dbstorage.receiving.finishing import Instead
from secure_dbstorage.receiving.records import record_rejection
from secure_dbstorage.serving.entry import begin_visit
from secure_dbstorage.serving.guards import check_bindings
from secure_dbstorage.serving.outages import (
    database_answered,
    database_failed,
    key_service_failed,
)
from secure_dbstorage.serving.ratelimits import check_limit
from secure_dbstorage.serving.refusals import Reason, Refused, refuse, unavailable
from secure_dbstorage.serving.views import EveryAlias, serve
from secure_dbstorage.serving.visits import Visit, record_refusal, record_sent_away

_Step = Callable[[Arrival], HttpResponseBase]

#: What a link that begins uploads takes, and what the link of one upload takes.
_BEGINNINGS: Mapping[str, _Step] = {"POST": tus.create, "PUT": puts.put}
_PARTS: Mapping[str, _Step] = {"HEAD": tus.tell, "PATCH": tus.go_on, "DELETE": tus.abandon}

#: Why a good link may be refused for now. A program reads it: people are told of bad links only.
TEMPORARY = (Reason.TOO_MANY_REQUESTS, Reason.UNAVAILABLE)

#: The methods that a POST may stand for, where a proxy lets no others through.
_OVERRIDES = ("PATCH", "DELETE")


@csrf_exempt
def serve_or_receive(
    request: HttpRequest, name: str, storage: str = "default"
) -> HttpResponseBase:
    """Serve a file, or receive an upload if the request has a token for one.

    Without such a token nothing is ever received, whatever the method.
    """
    if UPLOAD_IN_QUERY.match(request.META.get("QUERY_STRING", "")):
        return receive(request, name, storage)
    return serve(request, name, storage)


# As those of `serve`: the token is the authority.
serve_or_receive.login_required = False  # type: ignore[attr-defined]
serve_or_receive._non_atomic_requests = EveryAlias()  # type: ignore[attr-defined]  # noqa: SLF001


@sensitive_variables()  # Also covers everything called from here.
def receive(request: HttpRequest, name: str, storage: str) -> HttpResponseBase:
    """Receive an upload, or a part of one."""
    try:
        visit = begin_visit(request, name, storage)
    except Refused as error:
        return with_version(refuse(request, error, is_for_program=True))
    try:
        return _receive(visit)
    except Instead as error:
        record_sent_away(visit, error.response)
        return with_version(error.response)
    except Rejected as error:
        record_rejection(visit, error)
        is_read_on, response = True, reject(request, error)
    except (Refused, DatabaseUnavailable, KeyServiceUnavailable) as error:
        refused = _refused(visit, error)
        record_refusal(visit, refused.reason)
        # A client beyond its budget could keep a thread waiting again and again.
        is_read_on = not isinstance(error, Refused) or error.reason is Reason.UNAVAILABLE
        is_temporary = refused.reason in TEMPORARY
        response = with_version(refuse(request, refused, is_for_program=is_temporary))
    finally:
        visit.storage.catalog.release()
    if is_read_on and visit.grant is not None:  # Nobody else may keep a thread waiting.
        drain(request)
    return response


def _receive(visit: Visit) -> HttpResponseBase:
    if visit.request.method == "OPTIONS":
        return answer(HTTPStatus.NO_CONTENT, {**tus.ABILITIES, "Allow": _allow(None)})
    method = _method(visit.request)
    grant = _read_token(visit)
    check_limit(visit, "upload")
    step = _steps(grant).get(method)
    if step is None:
        raise Rejected(Fault.METHOD, headers={"Allow": _allow(grant)})
    if grant.key is None:
        check_limit(visit, "begun")
    check_bindings(visit, grant)
    answered = step(Arrival(visit, grant))
    database_answered(visit.storage)
    return answered


def _method(request: HttpRequest) -> str:
    """Return the method that is meant.

    :raises Rejected: 400 for one that a POST can't stand for.
    """
    override = request.META.get("HTTP_X_HTTP_METHOD_OVERRIDE")
    if request.method != "POST" or override is None:
        return str(request.method)
    if override not in _OVERRIDES:
        raise Rejected(Fault.FIELD, field="X-HTTP-Method-Override")
    return str(override)


def _read_token(visit: Visit) -> UploadGrant:
    """Return what the token of the request allows.

    :raises Refused: 403, or 429 for a client with too many bad tokens.
    """
    storage, tokens = visit.storage, visit.credentials.query_tokens
    try:
        if visit.credentials.path_token is not None or len(tokens) != 1:
            raise BadToken("The request has more than one token")
        grant = storage.signer.unsign_upload(
            visit.name,
            tokens[0],
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
    visit.grant, visit.link_id = grant, grant.link_id
    return grant


def _steps(grant: UploadGrant) -> Mapping[str, _Step]:
    if grant.key is not None:
        return _PARTS
    if grant.place.kind is PlaceKind.FILE:
        return _BEGINNINGS
    return {"POST": tus.create}


def _allow(grant: UploadGrant | None) -> str:
    steps = {**_BEGINNINGS, **_PARTS} if grant is None else _steps(grant)
    return ", ".join([*steps, "OPTIONS"])


def _refused(visit: Visit, error: SecureDBStorageError) -> Refused:
    """Return how a request is refused that has met an error, and note an outage."""
    if isinstance(error, Refused):
        return _lasting(visit, error)
    if isinstance(error, DatabaseUnavailable):
        database_failed(visit.storage, error)
    elif isinstance(error, KeyServiceUnavailable):
        key_service_failed(error)
    return unavailable()


def _lasting(visit: Visit, refused: Refused) -> Refused:
    """Return a refusal that no client mistakes for the end of an upload.

    To a tus client, any 4xx in answer to a HEAD means that the upload is gone, and it sends
    everything again.
    """
    if visit.request.method != "HEAD" or refused.reason is not Reason.TOO_MANY_REQUESTS:
        return refused
    return Refused(Reason.UNAVAILABLE, headers=refused.headers)
