"""Header fields: all that an answer tells browsers and caches about a file or a refusal."""

from dataclasses import dataclass
from http import HTTPStatus

from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, http_date

from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.serving.ranges import ByteRange

#: Nothing in a stored file may run, load or frame anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SANDBOXED_POLICY = f"{_POLICY}; sandbox"

#: Browsers' PDF viewers don't start in a sandbox.
_VIEWER_TYPE = "application/pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How one answer shows its file: decided from the link, the file and the options."""

    #: Shown by the browser; otherwise a download.
    inline: bool
    #: The name that a download gets; None for the last segment of the file's own name.
    filename: str | None
    #: Whether the request carries a token, or the file is private.
    private: bool
    #: The whole Cache-Control field.
    cache_control: str


def present(
    file: FileStat, options: StorageOptions, grant: Grant | None, now: float
) -> Presentation:
    """Return how to show a file to somebody with this grant, or without one."""
    inline = may_show(file.content_type, options)
    if grant is None:
        return Presentation(
            inline=inline,
            filename=None,
            private=False,
            cache_control=cache_control(
                private=False, max_age_seconds=_capped(options.public_max_age, file, now)
            ),
        )
    remaining = max(0, grant.expires - int(now))
    return Presentation(
        inline=inline and not grant.attachment,
        filename=grant.filename,
        private=True,
        cache_control=cache_control(
            private=True,
            max_age_seconds=_capped(min(options.private_max_age, remaining), file, now),
            revalidate=bool(options.auth_hooks) and not file.is_public,
            store=not (grant.is_bound or grant.is_for_once),
        ),
    )


def may_show(content_type: str, options: StorageOptions) -> bool:
    """Tell whether a browser may show files of this type; it downloads others."""
    return content_type in options.inline_types


def answer_headers(
    file: FileStat, shown: Presentation, status: HTTPStatus, span: ByteRange
) -> dict[str, str]:
    """Return all header fields of a 200, 206 or 304 about these bytes of a file."""
    if status == HTTPStatus.NOT_MODIFIED:
        return validator_headers(file, shown)
    headers = file_headers(file, shown)
    headers["Content-Length"] = str(span.length)
    if status == HTTPStatus.PARTIAL_CONTENT:
        headers["Content-Range"] = span.content_range(file.size)
    return headers


def file_headers(file: FileStat, shown: Presentation) -> dict[str, str]:
    """Return the header fields that describe a whole file, without its Content-Length."""
    return {
        "Content-Type": _content_type(file.content_type),
        "Content-Disposition": _disposition(file, shown),
        "Content-Security-Policy": _content_security_policy(file, shown),
        "Accept-Ranges": "bytes",
        **validator_headers(file, shown),
    }


def validator_headers(file: FileStat, shown: Presentation) -> dict[str, str]:
    """Return the fields of a 304 (RFC 9110 section 15.4.5), with those that protect."""
    return {
        "ETag": file.etag,
        "Last-Modified": http_date(file.modified.timestamp()),
        "Cache-Control": shown.cache_control,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-site" if shown.private else "cross-origin",
        # In a 304 as well: XFrameOptionsMiddleware would say DENY, and caches update what they
        # keep with what a 304 says (RFC 9111 section 3.2).
        **({"X-Frame-Options": "SAMEORIGIN"} if shown.inline else {}),
        **(_PRIVATE if shown.private else {}),
    }


def cache_control(
    *, private: bool, max_age_seconds: int, revalidate: bool = False, store: bool = True
) -> str:
    """Return a Cache-Control field (RFC 9111 section 5.2.2).

    :param revalidate: ask again before each use, since a hook may have changed its mind.
    :param store: False keeps the answer out of every cache.
    """
    if not store:
        return "private, no-store"
    if revalidate:
        return "private, no-cache"
    return f"{'private' if private else 'public'}, max-age={max_age_seconds}"


def protect(response: HttpResponseBase) -> HttpResponseBase:
    """Keep a hook's own response out of caches, and the signed path out of Referer."""
    # The URL has lost its token by now, and the cache of Django 5.2.0 looks for "private" alone.
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


#: The fields of every answer that is not a file. No Vary: no cache keeps it.
REFUSAL_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _SANDBOXED_POLICY,
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

_PRIVATE = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def _capped(max_age_seconds: int, file: FileStat, now: float) -> int:
    """Return at most the seconds that a temporary file has left."""
    if file.expires is None:
        return max_age_seconds
    return min(max_age_seconds, max(0, int(file.expires.timestamp() - now)))


def _content_type(content_type: str) -> str:
    return f"{content_type}; charset=utf-8" if content_type.startswith("text/") else content_type


def _disposition(file: FileStat, shown: Presentation) -> str:
    filename = shown.filename or file.name.rpartition("/")[2]
    return content_disposition_header(not shown.inline, filename) or "attachment"


def _content_security_policy(file: FileStat, shown: Presentation) -> str:
    viewer = shown.inline and file.content_type == _VIEWER_TYPE
    return _POLICY if viewer else _SANDBOXED_POLICY
