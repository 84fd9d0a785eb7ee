"""Response header fields: what a browser and a cache may do with a file."""

from dataclasses import dataclass

from django.utils.http import content_disposition_header, http_date

from secure_dbstorage.files import FileStat

#: Nothing in a stored file runs, loads or frames anything, whatever its content.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SANDBOXED_POLICY = f"{_POLICY}; sandbox"

#: Browsers' PDF viewers do not start in a sandbox.
_VIEWER_TYPE = "application/pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How one answer shows its file: decided from the token and the options."""

    #: Shown by the browser; otherwise a download.
    inline: bool
    #: The name that a download gets; None for the last segment of the file's own.
    filename: str | None
    #: Whether the request carries a token, or the file is private.
    private: bool
    #: The whole Cache-Control field.
    cache_control: str


def file_headers(stat: FileStat, shown: Presentation) -> dict[str, str]:
    """Return the header fields of a whole file, without its Content-Length."""
    return {
        "Content-Type": _content_type(stat.content_type),
        "Content-Disposition": _disposition(stat, shown),
        "Content-Security-Policy": _content_security_policy(stat, shown),
        "Accept-Ranges": "bytes",
        **validator_headers(stat, shown),
    }


def validator_headers(stat: FileStat, shown: Presentation) -> dict[str, str]:
    """Return the fields of a 304 too (RFC 9110 section 15.4.5), and the protective ones."""
    return {
        "ETag": stat.etag,
        "Last-Modified": http_date(stat.modified.timestamp()),
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


#: What every answer carries that is not a file.
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


def _content_type(content_type: str) -> str:
    return f"{content_type}; charset=utf-8" if content_type.startswith("text/") else content_type


def _disposition(stat: FileStat, shown: Presentation) -> str:
    filename = shown.filename or stat.name.rpartition("/")[2]
    return content_disposition_header(not shown.inline, filename) or "attachment"


def _content_security_policy(stat: FileStat, shown: Presentation) -> str:
    viewer = shown.inline and stat.content_type == _VIEWER_TYPE
    return _POLICY if viewer else _SANDBOXED_POLICY
