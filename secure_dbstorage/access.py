"""Auth hooks decide who may open a private file. Write your own, or use one of these two.

Name hooks in the option ``auth_hooks``. All of them must return True. A hook looks like this::

    def members(request, file, grant):
        if not request.user.is_authenticated:
            return redirect_to_login(grant.return_path)
        return request.user.groups.filter(name="members").exists()
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from django.http import HttpRequest

from secure_dbstorage.files import FileStat, ReceivedFile
from secure_dbstorage.links.grants import Grant, UploadGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class HookGrant(Grant):
    """What a link allows, and where it leads."""

    #: The signed path and query, for a hook that sends the visitor to another page first.
    return_path: str = field(default="", repr=False)


class AuthHook(Protocol):
    """Decides whether a request may open a private file. May be a coroutine function."""

    def __call__(self, request: HttpRequest, file: FileStat, grant: HookGrant, /) -> Any:
        """Return True to let the request through, False to refuse it, or a response to send.

        Anything else refuses it too, and is logged as an error. A hook that raises causes a 500,
        or a 503 if its database is down.

        :param request: without its token.
        :param file: the file that was asked for. For a zip archive, each file in turn.
        :param grant: what the link allows.
        """


class UploadHook(Protocol):
    """Decides whether a complete upload becomes a file. May be a coroutine function."""

    def __call__(self, request: HttpRequest, file: ReceivedFile, grant: UploadGrant, /) -> Any:
        """Return True to make the upload a file, False to delete it, or a response to send.

        A response of 500 or more means "later": the bytes stay, and the hook is asked again. With
        any other response they are deleted. Anything else is a refusal, and is logged as an error.

        :param request: without its token.
        :param file: the complete upload.
        :param grant: what the link allows; its ``place`` is where the upload goes.
        """


def authenticated(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
    """Let in everyone who is signed in."""
    return bool(request.user.is_authenticated)


def staff(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
    """Let in active staff."""
    user: Any = request.user
    return bool(user.is_active and user.is_staff)
