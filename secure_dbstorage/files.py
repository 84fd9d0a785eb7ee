"""Values that describe a stored file."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """The metadata of a file."""

    #: Canonical name, relative to the storage.
    name: str
    #: Length in bytes.
    size: int
    #: SHA-256 of the content, 64 hexadecimal digits.
    sha256: str
    #: Media type by the name, lower case, without parameters.
    content_type: str
    #: Whether the file is served without a token.
    is_public: bool
    #: When the name was first saved; aware, UTC.
    created: datetime
    #: When the content was last saved; aware, UTC.
    modified: datetime
    #: When a temporary file expires; aware, UTC. None for a permanent file.
    expires: datetime | None = None

    def has_expired(self, now: float) -> bool:
        """Tell whether a temporary file has expired.

        :param now: seconds since 1970.
        """
        return self.expires is not None and self.expires.timestamp() <= now

    @property
    def etag(self) -> str:
        """The strong entity tag of the content (RFC 9110 section 8.8.3)."""
        return f'"{self.sha256}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Where the bytes of a file are. Content is immutable; an overwrite replaces all of it."""

    #: Alias of the database.
    using: str
    #: The key that all rows of the content share.
    key: int
    #: Length in bytes.
    size: int
    #: Bytes in each row but the last.
    chunk_size: int

    @property
    def chunk_count(self) -> int:
        """The number of rows, the head row included."""
        return max(1, -(-self.size // self.chunk_size))


@dataclass(frozen=True, slots=True)
class LinkState:
    """What the URL of a file depends on."""

    #: Whether the file is served without a token.
    is_public: bool
    #: Microseconds since 1970. A link opens the file only while it names the same epoch.
    link_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """A head row: the file, where its bytes are, and its link epoch."""

    stat: FileStat
    content: Content
    #: Microseconds since 1970. A link opens the file only while it names the same epoch.
    link_epoch: int
    #: The first chunk, if it was fetched.
    first_chunk: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file in another storage or table; None where that does not know."""

    #: The name there.
    name: str
    #: Length in bytes.
    size: int | None = None
    #: SHA-256 of the content, 64 hexadecimal digits.
    sha256: str | None = None
    #: Whether the file is served without a token.
    is_public: bool | None = None
    #: When the name was first saved; aware.
    created: datetime | None = None
    #: When the content was last saved; aware.
    modified: datetime | None = None
    #: When a temporary file expires; aware.
    expires: datetime | None = None
    #: The key by which the file is found there, if it isn't the name.
    key: Any = None
    #: Why the file can't be read.
    problem: str = ""


def utc(value: datetime) -> datetime:
    """Return an aware time in UTC. A naive one comes from a project without time zones."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)
