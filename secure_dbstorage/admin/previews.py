"""Previews: what the admin shows of a file's content, through links like any other."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from secure_dbstorage.admin.homes import Home, home_of
from secure_dbstorage.admin.links import brief_link, brief_links, has_our_sessions
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.headers import may_show

#: The lifetime of links that a page may follow later, in seconds: players and viewers ask again
#: while they play, and a thumbnail is loaded when somebody scrolls to it.
_PLAYING = 3600

#: Raster images, which can't carry script.
_PICTURES = frozenset(
    f"image/{kind}"
    for kind in ("apng", "avif", "bmp", "gif", "jpeg", "png", "vnd.microsoft.icon", "webp")
)

#: What browsers show as a page in a frame. The view serves text in a sandbox.
_FRAMED = frozenset({"application/pdf", "text/plain"})

#: Larger files, in bytes, have no preview, unless they are played.
_MAX_PREVIEW = 5 * 1024 * 1024

#: Larger pictures, in bytes, have no thumbnail: a page may list a hundred, and loads them whole.
_MAX_THUMBNAIL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Preview:
    """What shows a file on its page."""

    #: Name of the element: ``img``, ``audio``, ``video`` or ``iframe``.
    element: str
    url: str


def preview_of(request: HttpRequest, file: StoredFile) -> Preview | None:
    """Return the preview of a file; None if it has none."""
    element, home = _element(str(file.content_type), file.size or 0), home_of(file)
    if not element or home is None or not may_show(str(file.content_type), home.storage.options):
        return None
    try:
        if element == "iframe" and not _may_be_framed(request, file, home):
            return None
        return Preview(element, brief_link(request, file, seconds=_PLAYING))
    except ValidationError:  # It is not served, so there is nothing to show.
        return None


def thumbnails(request: HttpRequest, files: Iterable[StoredFile]) -> list[tuple[StoredFile, str]]:
    """Return small pictures with their URLs, with one query for each storage.

    Auth hooks are asked when a browser loads them.
    """
    pictures = [file for file in files if _has_thumbnail(file)]
    try:
        return brief_links(request, pictures, seconds=_PLAYING)
    except ValidationError:  # One is not served, which must not break a list.
        return []


def _has_thumbnail(file: StoredFile) -> bool:
    if file.content_type not in _PICTURES or (file.size or 0) > _MAX_THUMBNAIL:
        return False
    home = home_of(file)
    return home is not None and may_show(str(file.content_type), home.storage.options)


def _element(content_type: str, size: int) -> str:
    """Return the name of the element that shows such files; "" if none does."""
    major = content_type.partition("/")[0]
    if major in ("audio", "video"):
        return major
    if size > _MAX_PREVIEW:
        return ""
    if content_type in _PICTURES:
        return "img"
    return "iframe" if content_type in _FRAMED else ""


def _may_be_framed(request: HttpRequest, file: StoredFile, home: Home) -> bool:
    """Tell whether the browser lets this page frame the file, see its X-Frame-Options."""
    is_anywhere = home.storage.options.cross_origin == "cross-origin"
    return is_anywhere or has_our_sessions(request, file)
