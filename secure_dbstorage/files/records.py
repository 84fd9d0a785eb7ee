"""Records: what another storage or table knows of its files."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
