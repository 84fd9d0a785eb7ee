"""Refusals: each reason with its status and texts, as a page or as JSON."""

import json
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from django.http import HttpRequest, HttpResponse
from django.template import Engine
from django.template.context import Context
from django.template.exceptions import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from secure_dbstorage.exceptions import SecureDBStorageError
from secure_dbstorage.serving.headers import NOTHING_THERE, REFUSAL_HEADERS
from secure_dbstorage.serving.negotiation import prefers_json
from secure_dbstorage.serving.responses import FileResponse

#: A project may put another template under this name. Its context is ``reason`` (one of the words
#: below), ``status``, ``title``, ``text``, and ``language`` (the code of their language). There is
#: no request, and no context processor runs, so that no session is touched.
REFUSED_TEMPLATE = "secure_dbstorage/refused.html"

#: Seconds after which a client may try again during an outage.
RETRY_WHEN_DOWN = 10

_PACKAGED = Path(__file__).parents[1] / "templates" / REFUSED_TEMPLATE


class Reason(Enum):
    """Why a request gets no file.

    The value is the word for logs, receivers and templates. Title and text tell people what to do,
    and nothing about the file.
    """

    #: Also a private file that was asked for without a token: nobody may tell the two apart.
    MISSING = (
        "missing",
        HTTPStatus.NOT_FOUND,
        _("There is nothing here"),
        _("Check that the address is complete, or ask the person who gave it to you."),
    )
    BAD_TOKEN = (
        "bad-token",
        HTTPStatus.FORBIDDEN,
        _("This link doesn’t work"),
        _("It may have been cut off when it was copied. Copy all of it, or ask for a new one."),
    )
    EXPIRED = (
        "expired",
        HTTPStatus.FORBIDDEN,
        _("This link has expired"),
        _("Ask for a new one."),
    )
    #: The file is missing, or has another link epoch.
    REVOKED = (
        "revoked",
        HTTPStatus.FORBIDDEN,
        _("This link no longer works"),
        _("Ask for a new one."),
    )
    #: The link is for another user, or a hook said no.
    FORBIDDEN = (
        "forbidden",
        HTTPStatus.FORBIDDEN,
        _("You don’t have permission to use this link"),
        _("If you have another account, sign in with it and try again."),
    )
    #: The link is for another network.
    ELSEWHERE = (
        "elsewhere",
        HTTPStatus.FORBIDDEN,
        _("This link doesn’t work from here"),
        _("It was made for a particular network. Open it from there, or ask for a new one."),
    )
    #: A page wants to run the file.
    SUBRESOURCE = (
        "subresource",
        HTTPStatus.FORBIDDEN,
        _("This file can’t be part of a page"),
        _("Open its link in a new tab, or download it."),
    )
    USED = (
        "used",
        HTTPStatus.FORBIDDEN,
        _("This link has already been used"),
        _("Ask for a new one."),
    )
    #: Below the directory that a link packs into an archive.
    TOO_MANY_FILES = (
        "too-many-files",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        _("Too many files for one download"),
        _("Ask for links to parts of the folder, or to single files."),
    )
    #: Not a success: browsers would show a page that was fetched ahead, and not ask again.
    PREFETCH = (
        "prefetch",
        HTTPStatus.SERVICE_UNAVAILABLE,
        _("This link can’t be previewed"),
        _("It works only once, so open it directly."),
    )
    TOO_MANY_REQUESTS = (
        "too-many-requests",
        HTTPStatus.TOO_MANY_REQUESTS,
        _("Too many requests"),
        _("Wait a moment, then try again."),
    )
    #: The database is down, or the cache that counts requests.
    UNAVAILABLE = (
        "unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        _("Not available right now"),
        _("Wait a moment, then try again."),
    )
    METHOD = (
        "method",
        HTTPStatus.METHOD_NOT_ALLOWED,
        _("This address is read-only"),
        _("Open it in a browser, or download it."),
    )
    PRECONDITION = (
        "precondition",
        HTTPStatus.PRECONDITION_FAILED,
        _("The file has changed"),
        _("This is no longer the version that you asked for. Start again from the beginning."),
    )
    RANGE = (
        "range",
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        _("This part of the file doesn’t exist"),
        _("The file ends before it. Start again from the beginning."),
    )

    status: HTTPStatus
    title: Promise
    text: Promise

    def __new__(cls, word: str, status: HTTPStatus, title: Promise, text: Promise) -> Self:
        """Make the word the value, and the rest attributes."""
        # The value is the word alone: Enum hashes it, and a lazy text can't be hashed before the
        # apps are ready.
        reason = object.__new__(cls)
        reason._value_ = word
        reason.status, reason.title, reason.text = status, title, text
        return reason


class Refused(SecureDBStorageError):
    """Raised when a request is answered with a refusal instead of a file."""

    def __init__(self, reason: Reason, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        #: Header fields that this answer carries besides those of every refusal.
        self.headers = dict(headers or {})


def unavailable() -> Refused:
    """Return the refusal of a request that came during an outage."""
    return Refused(Reason.UNAVAILABLE, headers={"Retry-After": str(RETRY_WHEN_DOWN)})


def refuse(
    request: HttpRequest,
    refused: Refused,
    *,
    had_token: bool = True,
    is_for_program: bool = False,
) -> HttpResponse:
    """Return the answer to a refused request.

    It is a page, or a problem (RFC 9457) if the client prefers JSON.

    :param had_token: False lets shared caches keep for a second that there is nothing, or they
        would keep what was there. A browser may get a problem for that second: with a Vary, caches
        would keep the file for all who accept something else.
    :param is_for_program: True makes it a problem, whatever the client prefers.
    """
    reason, language = refused.reason, language_of_texts()
    if is_for_program or prefers_json(request.META.get("HTTP_ACCEPT", "")):
        content_type, body = "application/problem+json", _problem(reason)
    else:
        content_type, body = "text/html; charset=utf-8", _page(reason, language)
    is_kept = reason is Reason.MISSING and not had_token
    headers = {
        "Content-Type": content_type,
        "Content-Language": language,
        **REFUSAL_HEADERS,
        **({"Cache-Control": NOTHING_THERE} if is_kept else {}),
        **refused.headers,
        "Content-Length": str(len(body)),
    }
    sent = b"" if request.method == "HEAD" else body
    response = FileResponse(sent, status=reason.status, headers=headers)
    if is_kept:
        response.drop_cookies()
    if reason.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Django would mail each one to the admins; whoever refused has logged the cause once.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def language_of_texts() -> str:
    """Return the language that the texts are in: the active one, or what it falls back to."""
    # Translators: the code of your language, such as "de".
    return pgettext("code of the language that you translate into", "en")


def _page(reason: Reason, language: str) -> bytes:
    context: dict[str, Any] = {
        "reason": reason.value,
        "status": int(reason.status),
        "title": reason.title,
        "text": reason.text,
        "language": language,
    }
    try:
        page = render_to_string(REFUSED_TEMPLATE, context)
    except TemplateDoesNotExist:  # The project has no engine that looks into apps.
        page = Engine().from_string(_PACKAGED.read_text("utf-8")).render(Context(context))
    return page.encode()


def _problem(reason: Reason) -> bytes:
    # A type of "about:blank" has the status's own phrase as its title (RFC 9457 section 4.2.1).
    # There is no "instance": it would repeat the signed path.
    problem = {
        "type": "about:blank",
        "title": reason.status.phrase,
        "status": int(reason.status),
        "detail": f"{reason.title}. {reason.text}",
        "reason": reason.value,
    }
    return json.dumps(problem).encode()
