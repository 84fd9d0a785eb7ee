"""The errors that this package raises.

::

    SecureDBStorageError
    ├── BadToken                 a token that we did not make, or not for this file
    │   └── ExpiredToken         one that we made, and whose time is over
    ├── Refused                  a request that gets no file
    ├── FileTooLarge             also a SuspiciousFileOperation
    ├── FileChanged              also an OSError
    ├── ContentVanished          also an OSError
    └── CopyFailed               a file that could not be copied, and why
"""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import SuspiciousFileOperation


class SecureDBStorageError(Exception):
    """The base of every error below."""


class BadToken(SecureDBStorageError):
    """Raised when a token has the wrong shape or a signature that is not ours."""


class ExpiredToken(BadToken):
    """Raised when a token is authentic and its lifetime is over."""

    def __init__(self, grant: Any) -> None:
        super().__init__("The link has expired")
        #: What the link allowed: a :class:`~secure_dbstorage.links.grants.Grant`.
        self.grant = grant


class Refused(SecureDBStorageError):
    """Raised when a request is answered with a refusal instead of a file."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        #: The status of the answer.
        self.status = status
        #: One word for logs and for choosing the text; it tells nothing of the file.
        self.reason = reason
        #: Header fields that this answer carries besides those of every refusal.
        self.headers = headers or {}


class FileTooLarge(SecureDBStorageError, SuspiciousFileOperation):
    """Raised when content is larger than the option ``max_size``; nothing is kept."""


class FileChanged(SecureDBStorageError, OSError):
    """Raised on closing a file opened for update that someone else replaced meanwhile."""


class ContentVanished(SecureDBStorageError, OSError):
    """Raised when content is deleted or replaced while it is being read."""


class CopyFailed(SecureDBStorageError):
    """Raised when a file can't be copied as it is; its text says why."""
