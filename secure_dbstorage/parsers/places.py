"""Parsers of where files are: the storage's own name, its URL and its database."""

import re
from urllib.parse import urlsplit

from django.utils.functional import Promise

#: The longest namespace, in characters. The column is wider, see ``models``.
_MAX_NAMESPACE_LENGTH = 90

_NAMESPACE = re.compile(rf"[A-Za-z0-9_.-]{{0,{_MAX_NAMESPACE_LENGTH}}}", re.ASCII)


def namespace(raw: object) -> str:
    """Return the identity of a storage."""
    if not isinstance(raw, str) or not _NAMESPACE.fullmatch(raw):
        raise ValueError(
            f"must be text of at most {_MAX_NAMESPACE_LENGTH} letters, digits, '_', '-' and '.'"
        )
    return raw


def base_url(raw: object) -> str | None:
    """Return a path or URL with a slash at its end, or None."""
    if raw is None:
        return None
    if isinstance(raw, Promise):  # `reverse_lazy()`
        raw = str(raw)
    if not isinstance(raw, str) or not raw or "?" in raw or "#" in raw:
        raise ValueError("must be None, a path or a URL without query and fragment")
    # Browsers drop tabs and line breaks, and read a backslash as a slash: they would see a
    # different URL than `urlsplit()` does.
    if not raw.isprintable() or " " in raw or "\\" in raw:
        raise ValueError("must not contain white space, control characters or backslashes")
    parts = urlsplit(raw)
    # Behind two slashes is a host. Without one, a browser would take the first directory for it,
    # and send the token there. With one, a page loaded over HTTP would send the token unencrypted.
    is_path = raw.startswith("/") and not raw.startswith("//")
    if not is_path and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ValueError(
            "must be a path that begins with one slash, or a URL such as https://cdn.example.com"
        )
    return raw if raw.endswith("/") else f"{raw}/"


def using(raw: object) -> str | None:
    """Return the alias of a database, or None."""
    if raw is not None and not isinstance(raw, str):
        raise ValueError("must be None or an alias in DATABASES")
    return raw
