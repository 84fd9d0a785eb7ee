"""Faults: why an upload is refused, each with its status and text, as a problem in JSON."""

import json
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Self

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from secure_dbstorage.exceptions import SecureDBStorageError
from secure_dbstorage.receiving.answers import answer
from secure_dbstorage.serving.refusals import language_of_texts

#: The status of tus for a piece that doesn't match its checksum. HTTP doesn't define this number.
CHECKSUM_MISMATCH = 460


class Fault(Enum):
    """Why an upload is refused.

    The value is the word for clients, logs and receivers.
    """

    FIELD = "field", 400, _("A header field is missing, or its value can’t be used.")
    INCOMPLETE = "incomplete", 400, _("The body ended too early. Send it again.")
    DIGEST = "digest", 400, _("The content doesn’t match its digest. Send it again.")
    #: An upload hook refused the file.
    NOT_ACCEPTED = "not-accepted", 403, _("This file is not accepted here.")
    METHOD = "method", 405, _("This link doesn’t allow this method.")
    #: Another request was faster, or the client sent the wrong offset.
    OFFSET = "offset", 409, _("The upload is at a different offset. Send HEAD to get it.")
    GONE = "gone", 410, _("This upload no longer exists. Begin again.")
    NO_LENGTH = "no-length", 411, _("The request has no Content-Length. Send one.")
    #: Also what a form gets that posts to a link: its author has to be told what to do.
    VERSION = (
        "version",
        412,
        _("Only tus 1.0.0 is supported. A link for a single file also accepts PUT."),
    )
    PRECONDITION = "precondition", 412, _("The file already exists, or it has changed.")
    TOO_LARGE = "too-large", 413, _("The file is too large.")
    TYPE = "type", 415, _("Files of this type are not accepted here.")
    #: tus clients repeat a request that gets a 409, so they get another status.
    TAKEN = "taken", 422, _("This name is already taken.")
    #: Nothing is left of it when it is cleaned, or it can't be shortened.
    NAME = "name", 422, _("This file name can’t be used. Rename the file.")
    #: The link is for other content.
    CONTENT = "content", 422, _("This is not the content that the link is for.")
    #: RFC 4918 section 11.3, as tus servers use it. See Note [Turns at an upload].
    LOCKED = "locked", 423, _("Another request is finishing this upload. Try again in a moment.")
    CHECKSUM = "checksum", CHECKSUM_MISMATCH, _("A piece was damaged on the way. Send it again.")

    status: int
    text: Promise

    def __new__(cls, word: str, status: int, text: Promise) -> Self:
        """Make the word the value, and the rest attributes."""
        fault = object.__new__(cls)
        fault._value_ = word
        fault.status, fault.text = status, text
        return fault


class Rejected(SecureDBStorageError):
    """Raised when a request about an upload is rejected."""

    def __init__(
        self,
        fault: Fault,
        *,
        field: str = "",
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Note why.

        :param field: the header field at fault.
        :param status: instead of the fault's own.
        :param headers: header fields to add to the usual ones.
        """
        super().__init__(fault.value)
        self.fault = fault
        self.field = field
        self.status = status or fault.status
        self.headers = dict(headers or {})


def reject(request: HttpRequest, rejected: Rejected) -> HttpResponse:
    """Return the answer to a rejected request: a problem (RFC 9457)."""
    detail = str(rejected.fault.text)
    problem = {
        "type": "about:blank",
        "title": _phrase(rejected.status),
        "status": rejected.status,
        "detail": f"{detail} ({rejected.field})" if rejected.field else detail,
        "reason": rejected.fault.value,
    }
    body = b"" if request.method == "HEAD" else json.dumps(problem).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Language": language_of_texts(),
        **rejected.headers,
    }
    return answer(rejected.status, headers, body)


def _phrase(status: int) -> str:
    return "Checksum Mismatch" if status == CHECKSUM_MISMATCH else HTTPStatus(status).phrase
