"""Answers: what every answer about an upload carries."""

from collections.abc import Mapping
from typing import TypeVar

from django.http.response import HttpResponseBase
from django.utils.http import http_date

from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from secure_dbstorage.serving.responses import FileResponse

Response = TypeVar("Response", bound=HttpResponseBase)

#: The supported version of tus.
TUS_VERSION = "1.0.0"


def answer(status: int, headers: Mapping[str, str], body: bytes = b"") -> FileResponse:
    """Return a response with these header fields and those of every answer."""
    # wsgiref, which serves `runserver`, refuses the signed path in Location: it is a kind of str.
    plain = {name: str(value) for name, value in headers.items()}
    response = FileResponse(body, status=status, headers={**REFUSAL_HEADERS, **plain})
    if "Content-Type" not in headers:
        del response["Content-Type"]
    if status != 204:  # noqa: PLR2004 -- RFC 9110 section 8.6 forbids a Content-Length there
        response["Content-Length"] = str(len(body))
    return with_version(response)


def with_version(response: Response) -> Response:
    """Add the version of tus, which every response must name."""
    response["Tus-Resumable"] = TUS_VERSION
    return response


def progress(upload: Upload) -> dict[str, str]:
    """Return the fields that say how far an upload is, and when it expires."""
    fields = {"Upload-Offset": str(upload.offset)}
    if upload.name is None and upload.expires is not None:
        fields["Upload-Expires"] = http_date(upload.expires.timestamp())
    return fields
