"""Heads: what the table says about a name, and about the file that has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from secure_dbstorage.files import FileStat, SealedFileStat, utc
from secure_dbstorage.files.contents import Content
from secure_dbstorage.sealing.keyrings import Keyring
from secure_dbstorage.sealing.seals import seal_of

#: The columns that :func:`head_of` needs, in this order.
HEAD_COLUMNS = (
    *("name", "size", "sha256", "content_type", "is_public", "created", "modified", "expires"),
    *("content", "chunk_size", "link_epoch", "sealed_key"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """What was in the way of a new file a moment ago."""

    #: Whether there is a file of its name.
    is_file: bool
    #: Whether there are files below it, as if it were a directory.
    is_directory: bool
    #: Whether its name lies below a file.
    is_below_file: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether the name is that of a file or a directory."""
        return self.is_file or self.is_directory


@dataclass(frozen=True, slots=True)
class LinkState:
    """What the URL of a file depends on."""

    #: Whether the file is served without a token.
    is_public: bool
    #: Microseconds since 1970. A link opens the file only while it names the same epoch.
    link_epoch: int


class StoredHead(NamedTuple):
    """A head row: the file, where its bytes are, and its link epoch."""

    stat: FileStat
    content: Content
    #: Microseconds since 1970. A link opens the file only while it names the same epoch.
    link_epoch: int
    #: The first chunk, if it was fetched.
    first_chunk: bytes | None = None


def head_of(row: Sequence[Any], *, using: str, namespace: str, keyring: Keyring) -> StoredHead:
    """Return a head row as a value.

    :param row: the values of :data:`HEAD_COLUMNS`, and the bytes where they were fetched.
    :param using: alias of the database.
    :param keyring: the option ``encryption_keys`` of its storage.
    :raises SecureDBStorageError: when encrypted bytes were fetched, and can't be opened.
    """
    name, size, sha256, content_type, is_public, created, modified, expires, *rest = row
    key, chunk_size, link_epoch, sealed_key, *chunk = rest
    seal = seal_of(sealed_key, namespace=namespace, content=key, size=size, keyring=keyring)
    described: dict[str, Any] = {
        "name": name,
        "size": size,
        "content_type": content_type,
        "is_public": bool(is_public),
        "created": utc(created),
        "modified": utc(modified),
        "expires": None if expires is None else utc(expires),
    }
    if seal is None:
        stat = FileStat(sha256=sha256, **described)
    else:
        stat = SealedFileStat(tag=sha256, seal=seal, **described)
    content = Content(using, key, size, chunk_size, None, seal)
    return StoredHead(stat, content, link_epoch, _opened(chunk[0], content) if chunk else None)


def _opened(chunk: bytes | None, content: Content) -> bytes | None:
    """Return the plain first chunk, or None if it was not fetched."""
    return None if chunk is None else content.opened(0, chunk)
