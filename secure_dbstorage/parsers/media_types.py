"""Parsers of media types."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from secure_dbstorage.content_types import is_active

#: The types that a browser may show. None of them can contain script.
INLINE_TYPES = frozenset(
    {
        "application/pdf",
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "image/apng",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/vnd.microsoft.icon",
        "image/webp",
        "text/plain",
        "video/mp4",
        "video/ogg",
        "video/quicktime",
        "video/webm",
    }
)

#: No type of the project's own.
CONTENT_TYPES: Mapping[str, str] = MappingProxyType({})

#: The width of the table's column (RFC 6838 section 4.2).
_MAX_MEDIA_TYPE_LENGTH = 127

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.ASCII)

#: The end of a name that decides its type, as `posixpath.splitext()` finds it.
_EXTENSION = re.compile(r"\.[^./\\A-Z\s]+")

#: Types that can contain script. Shown inline, it would run as part of the site. A part of a
#: multipart or a message may be HTML, and XSL produces HTML.
_ACTIVE_TYPE = re.compile(
    r"text/html|(multipart|message)/.*|.*(xml|xsl|xhtml|script|svg).*", re.ASCII
)


def inline_types(raw: object) -> frozenset[str]:
    """Return exact media types. None of them can contain script."""
    if isinstance(raw, str) or not isinstance(raw, Sequence | frozenset | set):
        raise ValueError("must be a list of media types")
    for media_type in raw:
        if not isinstance(media_type, str) or not _is_media_type(media_type):
            raise ValueError("must contain exact media types in lower case, like 'image/png'")
        if _ACTIVE_TYPE.fullmatch(media_type) or is_active(media_type):
            raise ValueError(f"must not contain {media_type}, which can carry script")
    return frozenset(raw)


def content_types(raw: object) -> Mapping[str, str]:
    """Return exact media types by extension."""
    if not isinstance(raw, Mapping):
        raise ValueError("must be a dictionary of media types by extension")
    for extension, media_type in raw.items():
        if not isinstance(extension, str) or not _EXTENSION.fullmatch(extension):
            raise ValueError("must have extensions in lower case as keys, like '.step'")
        if not isinstance(media_type, str) or not _is_media_type(media_type):
            raise ValueError("must contain exact media types in lower case, like 'model/step'")
    return dict(raw)


def _is_media_type(text: str) -> bool:
    return len(text) <= _MAX_MEDIA_TYPE_LENGTH and bool(_MEDIA_TYPE.fullmatch(text))
