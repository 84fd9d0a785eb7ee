"""Content negotiation: the Accept header field of RFC 9110 section 12.5.1."""

import re

#: A media range and its parameters.
_MEDIA_RANGE = re.compile(r"[ \t]*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)[ \t]*(?:;(.*))?", re.ASCII)

_QUALITY = re.compile(
    r"(?:^|;)[ \t]*q=([01](?:\.[0-9]{0,3})?)[ \t]*(?:;|$)", re.ASCII | re.IGNORECASE
)

#: A longer header is an attack or a mistake; browsers send 200 characters.
MAX_HEADER_LENGTH = 4096

_HTML = ("text/html",)
_JSON = ("application/problem+json", "application/json")


def prefers_json(accept: str) -> bool:
    """Tell whether an Accept field prefers JSON to HTML.

    Of two types of the same quality the one that is named more exactly wins, so that
    ``application/json, */*`` means JSON. A field that names neither, such as ``*/*``, means HTML.
    """
    if len(accept) > MAX_HEADER_LENGTH:
        return False
    ranges = dict(filter(None, map(_media_range, accept.split(","))))
    return max(_preference(ranges, name) for name in _JSON) > max(
        _preference(ranges, name) for name in _HTML
    )


def _media_range(text: str) -> tuple[str, float] | None:
    """Return a media range in lower case and its quality, or None for what is not one."""
    match = _MEDIA_RANGE.fullmatch(text)
    if match is None:
        return None
    quality = _QUALITY.search(match[2] or "")
    return match[1].lower(), min(1.0, float(quality[1])) if quality else 1.0


def _preference(ranges: dict[str, float], media_type: str) -> tuple[float, int]:
    """Return the quality of a type, and how exactly it is named: from 3 to 0."""
    main_type = media_type.partition("/")[0]
    for exactness, name in (3, media_type), (2, f"{main_type}/*"), (1, "*/*"):
        if name in ranges:
            return (ranges[name], exactness) if ranges[name] else (0.0, 0)
    return 0.0, 0
