"""What is known about a file, or about an upload that becomes one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.sealing.seals import Seal

if TYPE_CHECKING:
    BaseUploadedFile = UploadedFile[bytes]
else:
    BaseUploadedFile = UploadedFile


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
        #: When attempts to save it have made it a file, unless they failed or were rolled back.
        #: They tell the file from what somebody else makes of the upload.
        self.save_times: set[datetime] = set()

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Rewind the file, or reopen it if it was closed."""
        if self.closed:
            self.file = self._opener(self.upload.content)
        self.seek(0)
        return self


def utc(value: datetime) -> datetime:
    """Return an aware time in UTC. A naive one comes from a project without time zones."""
    if value.tzinfo is UTC:  # Drivers return UTC, unless the connection has another zone.
        return value
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)
