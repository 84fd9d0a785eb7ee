"""Values that describe a stored file, or one that is on its way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

if TYPE_CHECKING:
    BaseUploadedFile = UploadedFile[bytes]
else:
    BaseUploadedFile = UploadedFile


class Seal(Protocol):
    """What opens and seals the rows of encrypted content; see ``sealing.seals``."""

    @property
    def content_key(self) -> int:
        """The key that all rows of the content share."""

    @property
    def sealed_key(self) -> bytes:
        """The key of the content, as its column holds it."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the plain content, 64 hexadecimal digits."""

    @property
    def tag(self) -> str:
        """A keyed hash of that, 64 hexadecimal digits."""

    @property
    def wrapping(self) -> bytes:
        """The part of the column that changes when the key is wrapped anew: its beginning."""

    def unlock(self) -> None:
        """Unwrap the key, unless that is done."""

    def wrapped_as(self, column: bytes) -> "Seal":
        """Return the seal of the same content, with its key wrapped as another column has it."""

    def described(self, size: int, sha256: str) -> "Seal":
        """Return the seal of the same content, with its size and SHA-256 in the column."""

    def seal(self, position: int, chunk: bytes) -> bytes:
        """Return a row."""

    def open(self, position: int, row: bytes) -> bytes:
        """Return the bytes of a row."""


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
class DeletedFile(FileStat):
    """The metadata of a file that was deleted, or of content that was overwritten."""

    #: Tells it from others that had its name, 13 letters and digits.
    version: str
    #: When it was deleted or overwritten; aware, UTC.
    deleted: datetime
    #: Until when it can be restored; aware, UTC.
    kept_until: datetime


class _Sealed:
    """What the metadata of an encrypted file do, whatever else they say."""

    __slots__ = ()

    tag: str
    seal: Seal

    def __getattr__(self, name: str) -> str:
        """Return what was not set when this was made.

        :raises SecureDBStorageError: when the key of the file can't be used.
        """
        if name != "sha256":
            raise AttributeError(name, name=name, obj=self)
        return self.seal.sha256

    @property
    def etag(self) -> str:
        """The strong entity tag of the content. From the SHA-256, content could be guessed."""
        return f'"{self.tag}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFileStat(_Sealed, FileStat):
    """The metadata of an encrypted file. Its SHA-256 is opened when it is first asked for."""

    sha256: str = field(init=False, repr=False, compare=False)
    #: A keyed hash of the SHA-256: it tells one content from another, and nothing else.
    tag: str
    #: What opens the SHA-256.
    seal: Seal = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedDeletedFile(_Sealed, DeletedFile):
    """The metadata of an encrypted file that was deleted."""

    sha256: str = field(init=False, repr=False, compare=False)
    #: As that of a :class:`SealedFileStat`.
    tag: str
    #: What opens the SHA-256.
    seal: Seal = field(repr=False, compare=False)


class Content(NamedTuple):
    """Where the bytes of a file are. Content is immutable; an overwrite replaces all of it."""

    #: Alias of the database.
    using: str
    #: The key that all rows of the content share.
    key: int
    #: Length in bytes.
    size: int
    #: Bytes in each row but the last, before they are encrypted.
    chunk_size: int
    #: Alias of a replica that may have some or all of the rows too; None without one.
    replica: str | None = None
    #: What opens the rows; None for plain content.
    seal: Seal | None = None

    def length_at(self, position: int) -> int:
        """Return how many plain bytes the row at a position has."""
        return min(self.chunk_size, self.size - position * self.chunk_size)

    def unlock(self) -> None:
        """Make sure that its rows can be opened.

        :raises SecureDBStorageError: when the key can't be used.
        """
        if self.seal is not None:
            self.seal.unlock()

    def opened(self, position: int, row: bytes) -> bytes:
        """Return the plain bytes of a row; none for one that waits for its first bytes.

        :raises SecureDBStorageError: when it can't be opened.
        """
        return row if self.seal is None or not row else self.seal.open(position, row)

    def sealed(self, position: int, chunk: bytes) -> bytes:
        """Return the row for plain bytes."""
        return chunk if self.seal is None else self.seal.seal(position, chunk)

    @property
    def chunk_count(self) -> int:
        """The number of rows, the head row included."""
        return max(1, -(-self.size // self.chunk_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload, as its rows describe it."""

    #: Of the storage that receives it.
    namespace: str
    #: The name of the file that it has become; None before that.
    name: str | None
    #: Where its bytes are. The size is the one that was declared.
    content: Content
    #: What its entity tag holds, 64 hexadecimal digits; None until the SHA-256 is known.
    tag: str | None
    #: When it may be deleted if nobody finishes it; aware, UTC. None for a file that stays.
    expires: datetime | None
    #: The number of bytes that are there, those in memory included.
    offset: int
    #: Whether its first row is in the table.
    is_begun: bool = True
    #: Its last bytes, cut into rows, if they are written together with its name.
    last_pieces: Sequence[bytes] = field(default=(), repr=False)

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the content, 64 hexadecimal digits; None until that is known."""
        seal = self.content.seal
        return self.tag if self.tag is None or seal is None else seal.sha256

    @property
    def etag(self) -> str:
        """The strong entity tag of the content, once its SHA-256 is known."""
        return f'"{self.tag}"'

    @property
    def brings_first_row(self) -> bool:
        """Whether the first row's bytes are written together with the name."""
        return not self.is_begun or self.offset == sum(map(len, self.last_pieces)) > 0

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there."""
        return self.offset == self.content.size

    def has_expired(self, now: float) -> bool:
        """Tell whether it may be deleted because nobody finished it in time.

        :param now: seconds since 1970.
        """
        is_over = self.expires is not None and self.expires.timestamp() <= now
        return self.name is None and is_over

    def row_lengths(self, most: int) -> list[int]:
        """Return how many bytes fit into the rows that come next.

        :param most: how many bytes to place, unless a row takes more.
        """
        lengths: list[int] = []
        offset, chunk_size = self.offset, self.content.chunk_size
        while offset < self.content.size and len(lengths) < max(1, most // chunk_size):
            room = chunk_size - offset % chunk_size
            lengths.append(min(room, self.content.size - offset))
            offset += lengths[-1]
        return lengths


class ReceivedFile(BaseUploadedFile):
    """A complete upload as an uploaded file: ``name``, ``size``, ``read``, ``seek``, ``chunks``.

    If it is saved in the storage that received it, no bytes are copied. Any other storage reads
    it.
    """

    def __init__(
        self, upload: Upload, *, name: str, content_type: str, opener: Callable[[Content], Any]
    ) -> None:
        """Open the bytes of an upload.

        :param upload: complete.
        :param name: the client's; its last segment counts.
        :param content_type: chosen by the name.
        :param opener: returns a seekable file object.
        """
        super().__init__(opener(upload.content), name, content_type, upload.content.size)
        self._opener = opener
        self.upload = upload

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Rewind the file, or reopen it if it was closed."""
        if self.closed:
            self.file = self._opener(self.upload.content)
        self.seek(0)
        return self


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
    if value.tzinfo is UTC:  # Drivers return UTC, unless the connection has another zone.
        return value
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)
