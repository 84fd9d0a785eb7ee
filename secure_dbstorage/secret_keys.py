"""Secret keys: those that sign links, and that no debug page or error report shows."""

from collections.abc import Sequence
from typing import Self

#: Shorter signing keys could be guessed.
MIN_KEY_BYTES = 32


class SecretKey(bytes):
    """A signing key. Debug pages and error reports show the values of variables, but not this."""

    def __new__(cls, key: str | bytes) -> Self:
        """Make one of text, in UTF-8, or of bytes."""
        return super().__new__(cls, key.encode() if isinstance(key, str) else key)

    def __repr__(self) -> str:
        return "<secret key>"

    __str__ = __repr__


def hidden_keys(raw: object) -> object:
    """Return what a project gave as signing keys so that nothing shows it.

    What can't be a key becomes an empty one, which the parser refuses.
    """
    if raw is None or isinstance(raw, SecretKey):
        return raw
    if isinstance(raw, Sequence) and not isinstance(raw, str | bytes):
        return tuple(map(hidden_key, raw))
    return SecretKey(b"")


def hidden_encryption_keys(raw: object) -> object:
    """Return what a project gave as encryption keys so that nothing shows it.

    Key services and their dotted paths are no secrets, and stay what they are. What can't be a key
    becomes an empty one, which the parser refuses.
    """
    if raw is None or isinstance(raw, SecretKey):
        return raw
    if isinstance(raw, Sequence) and not isinstance(raw, str | bytes):
        return tuple(key if _is_service(key) else hidden_key(key) for key in raw)
    return SecretKey(b"")


def _is_service(raw: object) -> bool:
    """Tell a key service, or its dotted path, from a key: base64 has no dot."""
    return "." in raw if isinstance(raw, str) else hasattr(raw, "wrap")


def hidden_key(raw: object) -> SecretKey:
    """Return what a project gave as one key; an empty key for what can't be one."""
    try:
        return SecretKey(raw if isinstance(raw, str | bytes) else b"")
    except UnicodeEncodeError:
        return SecretKey(b"")
