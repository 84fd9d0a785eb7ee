"""The ends of a copy: what a source and a target of files can do."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import FileRecord


class Source(Protocol):
    """Where files come from. Its methods may be called in several threads at once."""

    #: Whether it is reached through a network, so that it is worth while to wait in threads.
    is_remote: bool

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield the files below a directory, with what is known without asking for each."""

    def complete(self, record: FileRecord) -> FileRecord:
        """Return a record with its size, and all else that can be had without reading."""

    def read(self, record: FileRecord) -> Iterator[bytes]:
        """Yield the bytes of a file."""


class Target(Protocol):
    """Where files go to. Its methods may be called in several threads at once."""

    #: Whether it is reached through a network, so that it is worth while to wait in threads.
    is_remote: bool
    #: Whether it takes one file at a time.
    has_one_writer: bool
    #: Whether it keeps public flags.
    keeps_flags: bool

    def check_name(self, name: str) -> None:
        """Raise CopyFailed for a name that could not be kept as it is."""

    def find(self, name: str) -> FileRecord | None:
        """Return what there is under a name, with its size; None if it is free.

        :raises CopyFailed: when that is no file.
        """

    def digest(self, record: FileRecord) -> str:
        """Return the SHA-256 of a file that is there."""

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Save a file under exactly its name, read it again, and leave it only if it is the same.

        :raises CopyFailed: when it is not, or when another has taken the name meanwhile.
        """

    def is_broken_copy(self, record: FileRecord, pieces: Iterable[bytes]) -> bool:
        """Tell whether a file that is there is what a copy left that was killed.

        :param pieces: the content that the copy had.
        """


def digest_of(pieces: Iterable[bytes]) -> str:
    """Return the SHA-256 of content, as hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def check_content(record: FileRecord, written: str, found: str) -> None:
    """Raise unless one content was expected, written and found.

    :param written: the SHA-256 of what was written.
    :param found: the SHA-256 of what was read again.
    :raises CopyFailed: when they differ, or the record has another.
    """
    if record.sha256 not in (None, written):
        raise CopyFailed("the content has changed: its SHA-256 is not the one that was noted")
    if found != written:
        raise CopyFailed("what was read after the save is not what was written")
