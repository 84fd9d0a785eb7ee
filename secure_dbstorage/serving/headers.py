"""Header fields: all that an answer tells browsers and caches about a file or a refusal."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from django.http.response import HttpResponseBase

from secure_dbstorage.content_types import UNKNOWN, is_active
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.serving.ranges import ByteRange

#: Nothing in a stored file may run, load or frame anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SANDBOXED_POLICY = f"{_POLICY}; sandbox"

#: Browsers' PDF viewers don't start in a sandbox.
_VIEWER_TYPE = "application/pdf"

#: A browser's own player loads the file once more, as media and from the page's own origin.
_PLAYER_POLICY = f"{_POLICY}; media-src 'self'; sandbox allow-same-origin"
_PLAYED_TYPES = ("audio/", "video/")

#: The media type of a zip archive.
ARCHIVE_TYPE = "application/zip"

#: What a client might not write into the name of a file, or reads as something else: wget decodes
#: "%", and Chromium drops a field with "=?".
_UNSAFE = re.compile(r'[^ -~]|["\\%/?:*<>|]')

#: Characters that RFC 8187 section 3.2.1 lets stand in a parameter as they are.
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Looked up faster than formatted.
_TWO_DIGITS = tuple(f"{number:02}" for number in range(60))


class Presentation(NamedTuple):
    """How one answer shows its file: decided from the link, the file and the options."""

    #: Shown by the browser; otherwise a download.
    inline: bool
    #: The name that a download gets; None for the last segment of the file's own name.
    filename: str | None
    #: Whether the request carries a token, or the file is private.
    private: bool
    #: The whole Cache-Control field.
    cache_control: str
    #: Whose pages may load a private file: the option of this name.
    cross_origin: str = "same-site"

    @property
    def is_framed_anywhere(self) -> bool:
        """Whether the pages of any site may show the file in a frame."""
        return self.inline and self.cross_origin == "cross-origin"


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
            cache_control=_public_cache_control(options.public_max_age, file, now),
            cross_origin=options.cross_origin,
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
        cross_origin=options.cross_origin,
    )


def may_show(content_type: str, options: StorageOptions) -> bool:
    """Tell whether a browser may show files of this type; it downloads others."""
    return content_type in options.inline_types


def is_played(file: FileStat, shown: Presentation) -> bool:
    """Tell whether a browser shows the file in a player."""
    return shown.inline and file.content_type.startswith(_PLAYED_TYPES)


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


def untold(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header fields of a HEAD, without those that tell of the content."""
    telling = ("Content-Length", "ETag", "Last-Modified")
    return {name: value for name, value in headers.items() if name not in telling}


def file_headers(file: FileStat, shown: Presentation) -> dict[str, str]:
    """Return the header fields that describe a whole file, without its Content-Length."""
    return {
        "Content-Type": _content_type(file.content_type),
        "Content-Disposition": _disposition(
            shown.filename or file.name.rpartition("/")[2], inline=shown.inline
        ),
        "Content-Security-Policy": _content_security_policy(file, shown),
        "Accept-Ranges": "bytes",
        **validator_headers(file, shown),
    }


def archive_headers(filename: str, *, size: int, cross_origin: str) -> dict[str, str]:
    """Return all header fields of a zip archive, which is never kept, shown or sent in parts.

    :param size: its length in bytes.
    :param cross_origin: the option of this name.
    """
    return {
        "Content-Type": ARCHIVE_TYPE,
        "Content-Disposition": _disposition(filename, inline=False),
        "Content-Length": str(size),
        "Content-Security-Policy": _SANDBOXED_POLICY,
        "Accept-Ranges": "none",
        "Cache-Control": cache_control(private=True, max_age_seconds=0, store=False),
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": cross_origin,
        **_PRIVATE,
    }


def validator_headers(file: FileStat, shown: Presentation) -> dict[str, str]:
    """Return the fields of a 304 (RFC 9110 section 15.4.5), with those that protect."""
    return {
        "ETag": file.etag,
        "Last-Modified": _http_date(file.modified),
        "Cache-Control": shown.cache_control,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": shown.cross_origin if shown.private else "cross-origin",
        # In a 304 as well: XFrameOptionsMiddleware would say DENY, and caches update what they
        # keep with what a 304 says (RFC 9111 section 3.2).
        **_frame_options(shown),
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


def _public_cache_control(max_age: int | tuple[int, int], file: FileStat, now: float) -> str:
    """Return the Cache-Control field of a public file.

    :param max_age: seconds, or a pair: for browsers, and for shared caches.
    """
    if isinstance(max_age, int):
        return cache_control(private=False, max_age_seconds=_capped(max_age, file, now))
    browsers, shared = (_capped(each, file, now) for each in max_age)
    return f"{cache_control(private=False, max_age_seconds=browsers)}, s-maxage={shared}"


def protect(response: HttpResponseBase) -> HttpResponseBase:
    """Keep a hook's own response out of caches, and the signed path out of Referer."""
    # The URL has lost its token by now, and the cache of Django 5.2.0 looks for "private" alone.
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


#: Lets shared caches keep that there is nothing, for a second, and browsers not at all. One that
#: refreshes in the background would keep a public file for good after it was made private: it
#: replaces what it has by what it may keep.
NOTHING_THERE = "public, max-age=0, s-maxage=1"

#: The fields of every answer that is not a file.
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


@lru_cache(maxsize=1024)  # A file that was asked for is asked for again.
def _http_date(instant: datetime) -> str:
    """Return an instant as RFC 9110 section 5.6.7 spells it.

    Django's function takes four times as long, by way of a timestamp.
    """
    moment = instant.astimezone(UTC)
    weekday, month = _WEEKDAYS[moment.weekday()], _MONTHS[moment.month - 1]
    day, hour = _TWO_DIGITS[moment.day], _TWO_DIGITS[moment.hour]
    minute, second = _TWO_DIGITS[moment.minute], _TWO_DIGITS[moment.second]
    return f"{weekday}, {day} {month} {moment.year:04} {hour}:{minute}:{second} GMT"


def _capped(max_age_seconds: int, file: FileStat, now: float) -> int:
    """Return at most the seconds that a temporary file has left."""
    if file.expires is None:
        return max_age_seconds
    return min(max_age_seconds, max(0, int(file.expires.timestamp() - now)))


def _content_type(content_type: str) -> str:
    if is_active(content_type):
        return UNKNOWN
    return f"{content_type}; charset=utf-8" if content_type.startswith("text/") else content_type


@lru_cache(maxsize=1024)  # As the date: the file is asked for again.
def _disposition(name: str, *, inline: bool) -> str:
    """Return a Content-Disposition (RFC 6266), whose every name is safe in every client.

    curl reads ``filename`` alone, so it is plain ASCII. Where that is not the name, ``filename*``
    comes after it. Nothing needs to be escaped.
    """
    kind = "inline" if inline else "attachment"
    plain = f'{kind}; filename="{(ascii_name := _ascii(name))}"'
    if ascii_name == name:
        return plain
    return f"{plain}; filename*=UTF-8''{quote(name, safe=_ATTRIBUTE_CHARACTERS)}"


def _ascii(name: str) -> str:
    safe = _UNSAFE.sub("_", name if name.isascii() else _without_marks(name))
    return safe if safe.strip(" ._") else "file"


def _without_marks(name: str) -> str:
    # Decomposed first: that makes "/", "%" and quotes of their full-width forms.
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _content_security_policy(file: FileStat, shown: Presentation) -> str:
    policy = _SANDBOXED_POLICY
    if shown.inline and file.content_type == _VIEWER_TYPE:
        policy = _POLICY
    elif is_played(file, shown):
        policy = _PLAYER_POLICY
    return f"{policy}; frame-ancestors *" if shown.is_framed_anywhere else policy


def _frame_options(shown: Presentation) -> dict[str, str]:
    if not shown.inline or shown.is_framed_anywhere:
        return {}
    return {"X-Frame-Options": "SAMEORIGIN"}
