"""Guards of a private file: its link's bindings, the project's auth hooks, and one-time use."""

import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from secure_dbstorage.access import HookGrant
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.serving.outages import USERS, asking
from secure_dbstorage.serving.refusals import Reason, Refused
from secure_dbstorage.serving.visits import Visit

#: What a link says, which hooks are shown.
_CLAIMS = tuple(field.name for field in dataclasses.fields(Grant))

#: How long a client may ask for parts after it began to use a one-time link.
_PART_SECONDS = 600

#: Where browsers say that they fetch ahead: the Fetch standard's field, and older ones.
_PURPOSE_FIELDS = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_FETCHES_AHEAD = ("prefetch", "prerender", "preview")

_logger = logging.getLogger("secure_dbstorage.serving")


def may_refuse(visit: Visit) -> bool:
    """Tell whether a guard might refuse this visit if its file is private."""
    grant = visit.grant
    if grant is None:
        return False
    return grant.is_bound or grant.is_for_once or bool(visit.storage.options.auth_hooks)


def ask_guards(visit: Visit, file: FileStat) -> HttpResponseBase | None:
    """Return None if this visit may open the file, or the response that a hook gives instead.

    :raises Refused: 403, and 503 while the database of the users or of a hook is down.
    """
    if visit.grant is None or file.is_public or not may_refuse(visit):
        return None
    return ask_guards_of_all(visit, visit.grant, [file])


def ask_guards_of_all(
    visit: Visit, grant: Grant, files: Iterable[FileStat]
) -> HttpResponseBase | None:
    """Return None if this visit may open all files, or a response that a hook gives instead.

    One refusal refuses all. Hooks aren't asked for the public files among them; the bindings of
    the link hold for those too.

    :raises Refused: as :func:`ask_guards` does.
    """
    check_bindings(visit, grant)
    if not (hooks := visit.storage.options.auth_hooks):
        return None
    shown = _for_hooks(grant, visit.credentials.return_path)
    answers = (
        ask_hooks(hooks, visit.request, file, shown) for file in files if not file.is_public
    )
    with asking(f"database of the auth hooks of {visit.alias!r}", visit.storage):
        return next((answer for answer in answers if answer is not None), None)


def check_bindings(visit: Visit, grant: Grant) -> None:
    """Check that a link is for this visitor.

    If the address isn't certain, no link that is bound to a network opens.

    :raises Refused: 403, and 503 while the database of the users is down.
    """
    signer, address = visit.storage.signer, visit.client.certain_address
    if grant.network is not None and not (address and signer.is_for_address(grant, address)):
        raise Refused(Reason.ELSEWHERE)
    if grant.user is None:
        return
    user: Any = getattr(visit.request, "user", None)
    if user is None:
        _logger.error("A link is for a user, but AuthenticationMiddleware is not installed")
        raise Refused(Reason.FORBIDDEN)
    with asking(USERS, visit.storage):
        is_theirs = user.is_authenticated and signer.is_for_user(grant, str(user.pk))
    if not is_theirs:
        raise Refused(Reason.FORBIDDEN)


def ask_hooks(
    hooks: Sequence[Callable[..., object]], request: HttpRequest, file: object, grant: Grant
) -> HttpResponseBase | None:
    """Ask each hook in order, and return None if all of them say True.

    :param file: what this kind of hook is shown.
    :returns: the response of the first hook that gives one.
    :raises Refused: at the first hook that says anything else.
    """
    for hook in hooks:
        answer = hook(request, file, grant)
        # The answer is judged, not the function: a lambda or a partial may return an awaitable.
        if inspect.isawaitable(answer):
            answer = async_to_sync(_wait)(answer)
        if isinstance(answer, HttpResponseBase):
            return answer
        if answer is not True:
            if answer is not False:
                _logger.error(
                    "The hook %s returned %s instead of a bool",
                    _dotted_path(hook),
                    type(answer).__name__,
                )
            raise Refused(Reason.FORBIDDEN)
    return None


def counts_uses(grant: Grant | None, file: FileStat) -> bool:
    """Tell whether a link opens a file only once."""
    return grant is not None and grant.is_for_once and not file.is_public


def refuse_prefetch(request: HttpRequest) -> None:
    """Return unless a browser fetches ahead, which neither uses a link up nor learns anything.

    :raises Refused: 503.
    """
    purposes = " ".join(request.headers.get(name, "") for name in _PURPOSE_FIELDS).lower()
    if request.method == "GET" and any(word in purposes for word in _FETCHES_AHEAD):
        raise Refused(Reason.PREFETCH)


def count_use(visit: Visit, file: FileStat, status: HTTPStatus, *, is_played: bool) -> None:
    """Let a one-time link to a private file be used once, just before bytes are sent.

    Players, PDF viewers and download managers ask for a file in parts: Safari's first request is
    for two bytes. So parts that the same address asks for soon enough belong to one use. Another
    whole body is a second use, whatever was asked for.

    :param status: of the answer: 206 for a part, 200 for a whole body.
    :param is_played: whether a player shows the file; it may ask for parts until the link expires.
    :raises Refused: 403 when the link has been used.
    """
    grant = visit.grant
    if grant is None or not counts_uses(grant, file):
        return
    is_part = status == HTTPStatus.PARTIAL_CONTENT
    since = _oldest(visit, is_played=is_played)
    # Looked up first, since most parts are not the first, and again after a race for the use.
    if is_part and _has_begun(visit, grant, since):
        return
    client = _client_digest(visit, grant)
    begin = visit.storage.catalog.begin_use
    if begin(grant.use_key, client, now=visit.now, needed_until=grant.usable_until):
        return
    if not (is_part and _has_begun(visit, grant, since)):
        raise Refused(Reason.USED)


def refuse_used(visit: Visit, file: FileStat, *, is_played: bool) -> None:
    """Return unless a link has been used up, so that no answer tells more of the file.

    :raises Refused: 403.
    """
    grant = visit.grant
    if grant is None or not counts_uses(grant, file):
        return
    is_used = visit.storage.catalog.use_of(grant.use_key) is not None
    if is_used and not _has_begun(visit, grant, _oldest(visit, is_played=is_played)):
        raise Refused(Reason.USED)


def _oldest(visit: Visit, *, is_played: bool) -> float:
    """Return the earliest start of a use whose client may still ask for parts."""
    return 0 if is_played else visit.now - _PART_SECONDS


def _client_digest(visit: Visit, grant: Grant) -> bytes:
    """Return what a use is remembered by: b"" for a client that can't be told from others.

    The agent doesn't count: iOS and Android hand films and downloads to another one.
    """
    address = visit.client.certain_address
    if address is None:
        return b""
    return visit.storage.signer.client_digest(grant, address)


def _has_begun(visit: Visit, grant: Grant, since: float) -> bool:
    """Tell whether this client began to use a link at or after *since*."""
    address, use = visit.client.certain_address, visit.storage.catalog.use_of(grant.use_key)
    if address is None or use is None or use.began < since:
        return False
    return visit.storage.signer.is_client(grant, use.client, address)


def _for_hooks(grant: Grant, return_path: str) -> HookGrant:
    # Not `asdict()`, which copies each value.
    claims = {name: getattr(grant, name) for name in _CLAIMS}
    return HookGrant(**claims, return_path=return_path)


def _dotted_path(hook: Callable[..., object]) -> str:
    """Return where a hook is defined, as settings would say it; of an object, its class."""
    while isinstance(hook, partial):
        hook = hook.func
    named: Any = hook if hasattr(hook, "__qualname__") else type(hook)
    return f"{named.__module__}.{named.__qualname__}"


async def _wait(answer: Awaitable[object]) -> object:
    return await answer
