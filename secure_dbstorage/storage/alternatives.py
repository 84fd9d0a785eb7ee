"""Alternatives: other names for a file, in case another save takes its name first."""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import Storage

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.names import MAX_LENGTH, canonical_name
from secure_dbstorage.storage.base import BaseStorage

#: How many characters are added to a name that is taken: an underscore and 7 random ones.
ADDED_CHARACTERS = 8

#: How many names a save tries.
_MAX_ATTEMPTS = 10


def other_names(storage: BaseStorage, name: str, max_length: int | None) -> Iterator[str]:
    """Yield names to try in turn when this one is taken."""
    for _ in range(_MAX_ATTEMPTS - 1):
        # The previous name counts as taken, whatever the table says: the caller's transaction
        # may not see the row that has it.
        directory, filename = posixpath.split(name)
        extension = "".join(PurePath(filename).suffixes)
        root = filename.removesuffix(extension)
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
