"""Who may open a private file: whom its link is for, and the auth hooks that a project names."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from asgiref.sync import async_to_sync
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from secure_dbstorage.addresses import Address
from secure_dbstorage.exceptions import Refused
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.links.tokens import LinkSigner

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookGrant(Grant):
    """What a link allows, and where it leads."""

    #: The signed path and query, for a hook that sends the visitor away and wants them back.
    return_path: str = field(default="", repr=False)


class AuthHook(Protocol):
    """Decides whether a request may open a private file; may be a coroutine function."""

    def __call__(self, request: HttpRequest, file: FileStat, grant: HookGrant, /) -> Any:
        """Return True to let through, False to refuse, or a response to send instead."""


def authenticated(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
    """Let in whoever is signed in."""
    return bool(request.user.is_authenticated)


def staff(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
    """Let in active staff."""
    user: Any = request.user
    return bool(user.is_active and user.is_staff)


def ask_hooks(
    hooks: Sequence[Callable[..., object]], request: HttpRequest, file: FileStat, grant: Grant
) -> HttpResponseBase | None:
    """Ask each hook in order, and return None if all of them say True.

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
                    "The auth hook %r returned %s instead of a bool", hook, type(answer).__name__
                )
            raise Refused(HTTPStatus.FORBIDDEN, "forbidden")
    return None


def check_bindings(
    request: HttpRequest, grant: Grant, signer: LinkSigner, address: Address | None
) -> None:
    """Return if a link is for this visitor.

    :param address: the client's; None behind a proxy that nobody configured, where no link that is
        bound to a network opens.
    :raises Refused: 403.
    """
    if grant.network is not None and not (address and signer.is_for_address(grant, address)):
        raise Refused(HTTPStatus.FORBIDDEN, "elsewhere")
    if grant.user is None:
        return
    user: Any = getattr(request, "user", None)
    if user is None:
        _logger.error("A link is for a user, and there are none without AuthenticationMiddleware")
    if user is None or not user.is_authenticated or not signer.is_for_user(grant, str(user.pk)):
        raise Refused(HTTPStatus.FORBIDDEN, "forbidden")


async def _wait(answer: Awaitable[object]) -> object:
    return await answer
