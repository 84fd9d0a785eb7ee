"""Byte ranges: the Range and If-Range header fields of RFC 9110 section 14."""

import re
from typing import NamedTuple

from django.utils.http import parse_http_date_safe

from secure_dbstorage.exceptions import UnsatisfiableRange

#: A longer header is an attack or a mistake; a single range needs 50 characters.
MAX_HEADER_LENGTH = 4096

# ASCII digits by the grammar; `int()` alone would take "+1", "1_0" and other scripts' digits.
_RANGE_SPEC = re.compile(r"([0-9]*)-([0-9]*)")

# Python refuses to convert more digits than a few thousand; no file is that long.
_MAX_DIGITS = 20


class ByteRange(NamedTuple):
    """The bytes from *start* up to, not including, *stop*."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """Return the Content-Range of a 206 (RFC 9110 section 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse_range(header: str, size: int) -> ByteRange | None:
    """Return the range that a Range header asks for, or None to ignore the header.

    One range is honoured. Several, another unit, or what the grammar does not allow get the whole
    file, as RFC 9110 section 14.2 permits; so does any range of an empty file.

    :raises UnsatisfiableRange: when the range begins past the end, or is a suffix of no bytes.
    """
    unit, _, range_set = header.partition("=")
    if size == 0 or len(header) > MAX_HEADER_LENGTH or unit.lower() != "bytes":
        return None
    # The list rule of section 5.6.1 lets empty elements stand between the commas.
    specs = [spec for spec in map(_strip, range_set.split(",")) if spec]
    match = _RANGE_SPEC.fullmatch(specs[0]) if len(specs) == 1 else None
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(_number(last), size) if last else None
    if last and _order(last) < _order(first):
        return None
    start = _number(first)
    if start >= size:
        raise UnsatisfiableRange
    return ByteRange(start, min(_number(last) + 1, size) if last else size)


def if_range_holds(header: str, *, etag: str, last_modified: int) -> bool:
    """Tell whether a Range header may be honoured beside this If-Range (RFC 9110 section 13.1.5).

    :param etag: the strong entity tag of the file, quotes included.
    :param last_modified: the file's Last-Modified in seconds since the epoch.
    """
    value = _strip(header)
    if value.startswith(('"', "W/")):
        return value == etag
    return parse_http_date_safe(value) == last_modified


def _strip(text: str) -> str:
    """Remove optional white space as section 5.6.3 defines it."""
    return text.strip(" \t")


def _suffix(length: int, size: int) -> ByteRange:
    if length == 0:
        raise UnsatisfiableRange
    return ByteRange(max(0, size - length), size)


def _order(digits: str) -> tuple[int, str]:
    """Return what compares as the number does, however many digits it has."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int("9" * _MAX_DIGITS if len(significant) > _MAX_DIGITS else significant or "0")
