"""Upload limits: how large an upload may be, and of which media types."""

import re
from collections.abc import Mapping, Sequence

from secure_dbstorage.content_types import content_type_of

#: The largest upload in bytes: one petabyte, which is beyond any database.
LARGEST = 10**15

#: A media type, or all of a kind.
_MEDIA_RANGE = re.compile(r"[a-z0-9.+-]+/(?:[a-z0-9.+-]+|\*)", re.ASCII)

#: A token has room for this many characters.
_MAX_TYPES_LENGTH = 1024


def size_limit(value: object) -> int:
    """Return the largest size of an upload in bytes.

    :raises ValueError: for anything that limits nothing, or allows nothing.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
        raise ValueError(f"max_size must be a number of bytes above zero, not {value!r}")
    return value


def media_ranges(value: object) -> tuple[str, ...]:
    """Return media types, exact or like ``image/*``.

    :raises ValueError: for none, and for anything else.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ValueError("types must be a list of one or more media types")
    types = tuple(value)
    for media_type in types:
        if not isinstance(media_type, str) or not _MEDIA_RANGE.fullmatch(media_type):
            raise ValueError(
                f"types must hold media types in lower case, like 'image/png' or 'image/*', not "
                f"{media_type!r}"
            )
    if sum(map(len, types)) > _MAX_TYPES_LENGTH:
        raise ValueError(f"types must be shorter than {_MAX_TYPES_LENGTH} characters together")
    return types


def is_among(content_type: str, types: Sequence[str]) -> bool:
    """Tell whether a media type is among exact ones and those like ``image/*``."""
    return content_type in types or f"{content_type.partition('/')[0]}/*" in types


def takes(types: Sequence[str], name: str, more: Mapping[str, str]) -> bool:
    """Tell whether a file of this name is of one of these types; none are all.

    :param more: the project's own media types by extension.
    """
    return not types or is_among(content_type_of(name, more), types)
