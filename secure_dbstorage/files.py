"""What is known of a stored file, as values."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """What a file's row tells of it."""

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
    #: When a temporary file ends; aware, UTC. None for one that stays.
    expires: datetime | None = None

    def has_expired(self, now: float) -> bool:
        """Tell whether a temporary file has ended, at a time in seconds since 1970."""
        return self.expires is not None and self.expires.timestamp() <= now

    @property
    def etag(self) -> str:
        """The strong entity tag of the content (RFC 9110 section 8.8.3)."""
        return f'"{self.sha256}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Where the bytes of a file are: immutable, and gone as a whole when it is replaced."""

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
        """The number of rows, at least the head row."""
        return max(1, -(-self.size // self.chunk_size))


@dataclass(frozen=True, slots=True)
class LinkState:
    """What decides the URL of a file."""

    #: Whether the file is served without a token.
    is_public: bool
    #: The link epoch: a link opens the file only while both name the same, in microseconds.
    link_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """A head row: the file, where its bytes are, and since when links to it hold."""

    stat: FileStat
    content: Content
    #: The link epoch: a link opens the file only while both name the same, in microseconds.
    link_epoch: int
    #: The first chunk, where it was asked for.
    first_chunk: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What a file brings along from where it was; None for what is not known there."""

    #: The name, as it was there.
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
    #: When a temporary file ends; aware.
    expires: datetime | None = None
    #: How the place where it was finds it, if not by its name.
    key: Any = None
    #: Why it can't be read.
    problem: str = ""


def utc(value: datetime) -> datetime:
    """Return an aware time; a naive one is that of a project without time zones."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)
