"""Alternatives: other names for a file, in case another save takes its name first."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import Storage

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.names import MAX_LENGTH, canonical_name
from secure_dbstorage.storage.base import BaseStorage

#: How many characters are added to a name that is taken: an underscore and 7 random ones.
ADDED_CHARACTERS = 8

#: What Django adds to a name that is taken, once for each name that was.
_ADDED_END = re.compile(r"(?:_[A-Za-z0-9]{7})+\Z")

#: How many names a save tries.
_MAX_ATTEMPTS = 10


def other_names(storage: BaseStorage, name: str, max_length: int | None) -> Iterator[str]:
    """Yield names to try in turn when this one is taken."""
    for _ in range(_MAX_ATTEMPTS - 1):
        # The previous name counts as taken, whatever the table says: the caller's transaction
        # may not see the row that has it.
        directory, root, extension = _parts(name)
        filename = f"{root}{extension}"
        other = storage.get_alternative_name(root, extension)
        if other == filename and storage.options.allow_overwrite:
            # An upload to a directory replaces nothing, whatever the option says.
            most = (
                min(max_length or MAX_LENGTH, MAX_LENGTH)
                - len(name)
                + len(root)
                - ADDED_CHARACTERS
            )
            other = Storage.get_alternative_name(storage, root[: max(0, most)], extension)
        name = storage.get_available_name(posixpath.join(directory, other), max_length)
        yield canonical_name(name)


def could_replace(other: str, name: str) -> bool:
    """Tell whether a save could find this other name when a name is taken or too long.

    The names of a project's own ``get_alternative_name()`` are unknown.
    """
    (directory, root, extension), parts = _parts(name), _parts(other)
    if other == name or (parts[0], parts[2]) != (directory, extension):
        return other == name
    begin, other_begin = (_ADDED_END.sub("", each) for each in (root, parts[1]))
    # A shortened one is as long as a name may be.
    return begin == other_begin or (len(other) == MAX_LENGTH and root.startswith(other_begin))


def _parts(name: str) -> tuple[str, str, str]:
    """Return the directory of a name, and its last segment before and from the first dot."""
    directory, filename = posixpath.split(name)
    extension = "".join(PurePath(filename).suffixes)
    return directory, filename.removesuffix(extension), extension


def of_same_type(shortened: str, name: str, more: Mapping[str, str]) -> str:
    """Return a shortened name, less any extension that only the shortening gave it.

    ``page.html`` with 500 letters behind it must not become ``page.html``.

    :param more: the project's own media types by extension.
    :raises SuspiciousFileOperation: for a name that can't be shortened like that.
    """
    content_type = content_type_of(name, more)
    while content_type_of(shortened, more) != content_type:
        shortened, extension = posixpath.splitext(shortened)
        if not extension:
            raise SuspiciousFileOperation(f"{name!r} can't be shortened")
    return shortened
