"""The errors that this package raises.

::

    SecureDBStorageError
    ├── BadToken                 a token that we did not make, or made for another file
    │   └── ExpiredToken         a token that we made, and that has expired
    ├── Refused                  a request that gets no file; never leaves ``serving``
    ├── Rejected                 an upload that can't be done; never leaves ``receiving``
    ├── UnsatisfiableRange       a byte range that selects nothing of a file
    ├── DatabaseUnavailable      a database that can't do what is asked now, or is down
    │   └── ChangeConflict       a change that others get in the way of; the database is up
    ├── FileBusy                 one of many files, which the database can't handle now
    ├── FileTooLarge             also a SuspiciousFileOperation
    ├── FileTypeRefused          an upload whose name gives it a type that its link doesn't take
    ├── FileChanged              also an OSError
    ├── UploadChanged            an upload that another request has continued
    ├── UploadGone               also a FileNotFoundError, and a BadRequest: Django answers 400
    ├── UploadIncomplete         an upload that can't be claimed yet
    ├── ContentVanished          also an OSError
    ├── KeyServiceUnavailable    a key service that is down
    ├── KeyLost                  also an OSError: a key that is not in the settings
    ├── SealBroken               also an OSError: encrypted content that was changed
    ├── ReferencesHidden         rows that may refer to files, and that can't be seen
    └── CopyFailed               a file that could not be copied, and why

``Refused`` is defined in :mod:`secure_dbstorage.serving.refusals`, beside its reasons, and
``Rejected`` in :mod:`secure_dbstorage.receiving.faults`.
"""

import os
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousFileOperation


class SecureDBStorageError(Exception):
    """The base of every error below."""


class BadToken(SecureDBStorageError):
    """Raised when a token has the wrong shape or a signature that is not ours."""


class ExpiredToken(BadToken):
    """Raised when a token is authentic but has expired."""

    def __init__(self, grant: Any) -> None:
        super().__init__("The link has expired")
        #: What the link allowed: a :class:`~secure_dbstorage.links.grants.Grant`.
        self.grant = grant


class UnsatisfiableRange(SecureDBStorageError):
    """Raised when a byte range selects nothing of a file."""


class DatabaseUnavailable(SecureDBStorageError):
    """Raised when the database can't do what is asked now, or is down."""


class ChangeConflict(DatabaseUnavailable):
    """Raised when a change conflicts with others, on a database that is up."""


class FileBusy(SecureDBStorageError):
    """Raised when a database can't handle one of many files now, and can handle the others."""


class FileTooLarge(SecureDBStorageError, SuspiciousFileOperation):
    """Raised when content is larger than the option ``max_size``; nothing is kept."""


class FileTypeRefused(SecureDBStorageError):
    """Raised when the name that an upload gets has a media type that its link doesn't take."""


class FileChanged(SecureDBStorageError, OSError):
    """Raised on closing a file opened for update that was replaced in the meantime."""


class UploadChanged(SecureDBStorageError):
    """Raised when another request has already written at the offset of this one."""


class UploadGone(SecureDBStorageError, FileNotFoundError, BadRequest):
    """Raised when an upload has become a file already, or was deleted.

    A client can cause either between a form's ``is_valid()`` and its ``save()``.
    """


class UploadIncomplete(SecureDBStorageError):
    """Raised when an upload can't be claimed yet.

    Bytes are missing, or another request is still computing its SHA-256.
    """


class ContentVanished(SecureDBStorageError, OSError):
    """Raised when content is deleted or replaced while it is being read."""


class KeyServiceUnavailable(SecureDBStorageError):
    """Raised when the key of encrypted content can't be wrapped or unwrapped at the moment."""

    #: The id of the key service. The keyring that has asked it sets it.
    key_id = ""


class KeyLost(SecureDBStorageError, OSError):
    """Raised for content whose key was wrapped by one that ``encryption_keys`` does not have."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"No key in encryption_keys has the id {key_id!r}, which opens this file")
        #: The id of the key that is missing.
        self.key_id = key_id


class SealBroken(SecureDBStorageError, OSError):
    """Raised when encrypted content, its key or its size is not what was saved."""


class ReferencesHidden(SecureDBStorageError):
    """Raised when rows that can't be read may refer to files of a storage."""

    def __init__(self, table: str, schemas: Sequence[str]) -> None:
        names = ", ".join(map(repr, schemas))
        has = "The schema {} has" if len(schemas) == 1 else "The schemas {} have"
        super().__init__(
            f"{has.format(names)} a table {table!r} that can't be read from here, and its rows "
            "may refer to files of this storage"
        )
        #: The schemas that have the table.
        self.schemas = tuple(schemas)


class CopyFailed(SecureDBStorageError):
    """Raised when a file can't be copied unchanged; its text says why."""


def os_error(error: type[OSError], number: int, name: str) -> OSError:
    """Return the error that a file system would give, with its number and text."""
    return error(number, os.strerror(number), name)
