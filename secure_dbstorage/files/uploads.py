"""Uploads: how much has come, and what is to come."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from secure_dbstorage.files.contents import Content


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
