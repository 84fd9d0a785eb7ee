"""File names: one spelling for each file, and no dangerous names."""

import os
import string
import unicodedata
from pathlib import PurePath

from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File

#: The longest name of a file, in characters. The column is wider, see ``models``.
MAX_LENGTH = 512

#: The characters of Unicode's property Bidi_Control.
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

#: Characters that need no escaping in names, URLs and headers.
_PLAIN = (string.ascii_letters + string.digits + "_-./").encode()


def canonical_name(name: str | PurePath) -> str:
    """Return the spelling under which a file is stored.

    The empty string is the root directory.

    :raises SuspiciousFileOperation: for an absolute name, a ``..`` segment, a control character
        or a lone surrogate.
    """
    if isinstance(name, str) and is_plain(name):
        return name
    normal = normal_name(name)
    if has_control_character(normal):
        # They break headers, logs and PostgreSQL (NUL).
        raise SuspiciousFileOperation(f"The name {normal!r} holds a control character")
    return normal


def normal_name(name: str | PurePath) -> str:
    """Replace backslashes by slashes, and drop empty and ``.`` segments.

    :raises SuspiciousFileOperation: for an absolute name, a ``..`` segment or a lone surrogate.
    :raises TypeError: for anything but text and paths.
    """
    text = text_of(name).replace("\\", "/")
    if not text.isprintable() and any(unicodedata.category(char) == "Cs" for char in text):
        raise SuspiciousFileOperation(f"The name {text!r} can't be encoded")
    segments = text.split("/")
    if text.startswith("/") or ".." in segments:
        raise SuspiciousFileOperation(f"Detected path traversal attempt in {text!r}")
    return "/".join(segment for segment in segments if segment not in ("", "."))


def text_of(name: object) -> str:
    """Return a name as text.

    :raises TypeError: for anything but text and paths.
    """
    if isinstance(name, str):
        return name
    text = os.fspath(name) if isinstance(name, os.PathLike) else None
    if isinstance(text, str):
        return text
    advice = ": pass file.name" if isinstance(name, File) else ""
    raise TypeError(f"A name must be a str or a path, not a {type(name).__name__}{advice}")


def check_new_name(name: str) -> None:
    """Refuse a canonical name that no new file may have.

    :raises SuspiciousFileOperation: for one that is empty, too long, or looks like another.
    """
    if not 0 < len(name) <= MAX_LENGTH:
        raise SuspiciousFileOperation(f"{name!r} can't be the name of a file")
    if has_bidi_control(name):
        raise SuspiciousFileOperation(f"The name {name!a} changes the direction of the text")


def is_spelled_as_directory(name: str | PurePath) -> bool:
    """Tell whether a name ends like that of a directory, as ``x/`` and ``x/.`` do.

    A file is found by it too, but whoever gives it to a new file means something else.
    """
    return text_of(name).replace("\\", "/").rpartition("/")[2] in ("", ".")


def is_canonical(name: str) -> bool:
    """Tell whether *name* is spelled as :func:`canonical_name` spells it, and names a file."""
    try:
        return bool(name) and canonical_name(name) == name
    except SuspiciousFileOperation:
        return False


def has_control_character(name: str) -> bool:
    """Tell whether a name contains a control character. No name in the table does."""
    return not name.isprintable() and any(unicodedata.category(char) == "Cc" for char in name)


def has_bidi_control(name: str) -> bool:
    """Tell whether a name contains a character that changes the direction of the text.

    With one, ``invoice<U+202E>fdp.exe`` looks like ``invoiceexe.pdf``.
    """
    return not name.isprintable() and any(char in _BIDI_CONTROLS for char in name)


def shown_name(name: str) -> str:
    """Return a name with its invisible characters escaped, for people to see."""
    if name.isprintable():
        return name
    return "".join(
        ascii(char)[1:-1] if unicodedata.category(char) in ("Cc", "Cf") else char for char in name
    )


def is_plain(name: str) -> bool:
    """Tell quickly whether *name* is canonical and needs no escaping in a URL.

    Returns False for some canonical names as well, such as hidden files.
    """
    path = f"/{name}/"
    return not (
        path.encode(errors="replace").translate(None, _PLAIN) or "//" in path or "/." in path
    )


def ancestors(name: str) -> list[str]:
    """Return the directories above a canonical name, from the root down."""
    segments = name.split("/")[:-1]
    return ["/".join(segments[: depth + 1]) for depth in range(len(segments))]


def spellings(name: str) -> set[str]:
    """Return the spellings of a canonical name that are likely, itself among them.

    Its separators may all be odd, or one may be doubled, and it may be written with backslashes as
    a whole or from some place on.
    """
    segments = name.split("/")
    joined = {separator.join(segments) for separator in ("/", "//", "/./")}
    mixed = set[str]()
    for at in range(1, len(segments)):
        above = "/".join(segments[:at])
        joined.add("/".join((f"{above}/", *segments[at:])))
        mixed.add("\\".join((above, *segments[at:])))
    whole = {path + end for path in joined for end in ("", "/", "/.")}
    whole |= {f"./{path}" for path in whole}
    return whole.union(
        (path.replace("/", "\\") for path in whole), mixed, (f"./{path}" for path in mixed)
    )


def directory_range(directory: str) -> tuple[str, str]:
    """Return the bounds of all names below a canonical directory: ``low <= name < high``.

    Every database uses the index for a range, but not for ``LIKE``.
    """
    # "0" is the character after "/".
    return f"{directory}/", f"{directory}0"
