"""Encodings: numbers and bytes as texts that need no quoting in a URL."""

import string
from base64 import urlsafe_b64decode
from binascii import b2a_base64

_DIGITS = string.digits + string.ascii_lowercase

#: All pairs of digits, in order.
PAIRS = [first + second for first in _DIGITS for second in _DIGITS]

#: From base64 to base64url (RFC 4648 section 5).
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def base64url(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes from which :func:`base64url` made a text."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base36(number: int) -> str:
    """Return a number, zero or more, in digits and lower case letters."""
    digits = _five_digits(number % 36**5)
    while number := number // 36**5:
        digits = _five_digits(number % 36**5) + digits
    return digits.lstrip("0") or "0"


def _five_digits(number: int) -> str:
    return f"{PAIRS[number // 36**3]}{PAIRS[number // 36 % 36**2]}{_DIGITS[number % 36]}"
