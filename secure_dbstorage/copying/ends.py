"""The two ends of a copy: what a source and a target must be able to do."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from django.core.exceptions import SuspiciousFileOperation

from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord

#: Why a file is not saved under the name of a directory.
IS_DIRECTORY = "the target has a directory of this name"


class Source(Protocol):
    """Where files come from. Several threads may call its methods at once."""

    #: Whether it is reached over a network, so that several threads copy faster than one.
    is_remote: bool
    #: Aliases of the databases that it asks.
    databases: tuple[str, ...]

    def records(self, directory: str) -> Iterator[FileRecord]:
        """Yield the files below a directory, with what the listing alone tells about them."""

    def complete(self, record: FileRecord) -> FileRecord:
        """Return a record with its size and everything else known without reading the file."""

    def read(self, record: FileRecord) -> Iterator[bytes]:
        """Yield the bytes of a file."""

    def read_together(self, records: Sequence[FileRecord]) -> Iterator[tuple[FileRecord, bytes]]:
        """Yield those of these small files that can be read, each with its bytes."""


class Target(Protocol):
    """Where files go. Several threads may call its methods at once."""

    #: Whether it is reached over a network, so that several threads copy faster than one.
    is_remote: bool
    #: Aliases of the databases that it asks.
    databases: tuple[str, ...]
    #: Whether it can write only one file at a time.
    has_one_writer: bool
    #: Whether it keeps public flags.
    keeps_flags: bool
    #: Whether no file may lie below another one, as if that were a directory.
    has_directories: bool
    #: How many files it takes together; 1 if it saves each one alone.
    most_together: int
    #: The most bytes of a file that it takes together with others.
    most_bytes: int

    def check_name(self, name: str) -> None:
        """Raise CopyFailed for a name that could not be kept unchanged."""

    def check_place(self, record: FileRecord) -> None:
        """Raise CopyFailed, as :meth:`write` does, for a file that can have no place."""

    def find(self, name: str) -> FileRecord | None:
        """Return the file of this name, with its size; None if the name is free.

        :raises CopyFailed: when the name belongs to something other than a file.
        """

    def find_together(self, names: Sequence[str]) -> Mapping[str, FileRecord | None]:
        """Return the files of these names; None for a free name.

        A name about which :meth:`find` has more to say is left out.
        """

    def digest(self, record: FileRecord) -> str:
        """Return the SHA-256 of a file in the target."""

    def write(self, record: FileRecord, pieces: Iterable[bytes], *, replace: bool) -> None:
        """Save a file under exactly its name, read it back, and keep it only if it is the same.

        :raises CopyFailed: when it differs, or when the name was taken in the meantime.
        """

    def write_together(self, files: Sequence[tuple[FileRecord, bytes]]) -> Collection[str]:
        """Save new files as :meth:`write` does, all or none, and return the names of the saved.

        A name about which :meth:`write` has more to say is left out. No name may lie below
        another one. After any error, none of them is saved.
        """

    def is_broken_copy(self, record: FileRecord, pieces: Iterable[bytes]) -> bool:
        """Tell whether a file in the target is what a killed copy left behind.

        :param pieces: the content of the source's file.
        """


def check_spelling(name: str, spell: Callable[[str], str]) -> None:
    """Raise CopyFailed, which says why, for a name that a target can't keep as it is.

    :param spell: returns the spelling that the target would store.
    """
    try:
        spelled = spell(name)
    except SuspiciousFileOperation as error:
        raise CopyFailed(f"the target can't store a file under this name: {error}") from error
    if not spelled:
        raise CopyFailed("the target can't store a file without a name")
    if spelled != name:
        raise CopyFailed(f"the target can't store a file under this name, only as {spelled!r}")


def below_file(above: str) -> CopyFailed:
    """Return the error of a file that lies below another one."""
    return CopyFailed(f"it lies below the file {above!r}")


def digest_of(pieces: Iterable[bytes]) -> str:
    """Return the SHA-256 of content in hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def check_content(record: FileRecord, written: str, found: str) -> None:
    """Raise unless the content expected, written and read back is the same.

    :param written: the SHA-256 of what was written.
    :param found: the SHA-256 of what was read back.
    :raises CopyFailed: when they differ from each other, or from the record.
    """
    if record.sha256 not in (None, written):
        raise CopyFailed("the content has changed: its SHA-256 differs from the recorded one")
    if found != written:
        raise CopyFailed("the content read back differs from what was written")
