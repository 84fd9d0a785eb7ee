"""Grants: what a link allows."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Self

from secure_dbstorage.names import canonical_name, check_new_name, is_spelled_as_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a link allows, as its token says it."""

    #: The file's link epoch when the link was made, in microseconds since 1970. For the link of a
    #: folder, or to an unseen file, the instant at which it was made.
    link_epoch: int
    #: Issue time in seconds since 1970, rounded down to the window.
    issued: int
    #: Seconds for which the link works.
    lifetime: int
    #: The directory whose files the link opens; None for a link to one file.
    folder: str | None = None
    #: Whether the link opens these files as one zip archive, and not one by one.
    is_zip: bool = False
    #: Whether the link was made without a look at the table, as in an event loop.
    unseen: bool = False
    #: Whether the file is saved instead of shown.
    attachment: bool = False
    #: The name under which the file is saved; None for the file's name.
    filename: str | None = None
    #: Keyed digest of the user whom the link is for; None for everybody.
    user: str | None = None
    #: Prefix length and keyed digest of the network that the link is for; None for everywhere.
    network: tuple[int, str] | None = None
    #: Random characters that make a one-time link unlike any other; None for any number of uses.
    nonce: str | None = None
    #: The content key under which the use of a one-time link is kept.
    use_key: int = 0
    #: When the use of a one-time link may be forgotten, in seconds since 1970. This is the end
    #: that was signed, uncapped, plus an allowance for servers with slow clocks.
    usable_until: int = 0
    #: A short name of the link for logs and budgets; it opens nothing.
    link_id: str = ""

    def opens(self, link_epoch: int) -> bool:
        """Tell whether the link is for a file with this link epoch.

        A link for a folder, or to an unseen file, opens what existed when it was made and hasn't
        been revoked since.
        """
        if self.unseen or self.folder is not None:
            return link_epoch <= self.link_epoch
        return link_epoch == self.link_epoch

    @property
    def is_bound(self) -> bool:
        """Whether the link is for one user or one network."""
        return self.user is not None or self.network is not None

    @property
    def is_for_once(self) -> bool:
        """Whether the link works only once."""
        return self.nonce is not None

    @property
    def expires(self) -> int:
        """When the link stops working, in seconds since 1970."""
        return self.issued + self.lifetime


#: Stands for the root and for no place in the path of a URL: a route takes no empty path.
_EMPTY = "~"


class PlaceKind(StrEnum):
    """Where an upload goes, as its token says."""

    #: It becomes a certain file.
    FILE = ""
    #: It becomes a file below a directory. The client names it.
    FOLDER = "d"
    #: It waits for a form.
    NOWHERE = "n"


@dataclass(frozen=True, slots=True)
class UploadPlace:
    """Where an upload goes."""

    kind: PlaceKind
    #: The canonical name of the file or the directory; "" for the root, and for no place.
    path: str

    @classmethod
    def of(cls, name: str | PurePath | None, prefix: str | PurePath | None) -> Self:
        """Return the place of a file, or below a directory, or none.

        :param name: the file; None if it is not given.
        :param prefix: the directory, "" for the root; None if it is not given.
        :raises ValueError: for both, and for a name that is spelled as a directory's.
        :raises SuspiciousFileOperation: for a name that no file can have.
        """
        if name is not None and prefix is not None:
            raise ValueError("Give a name or a prefix, not both")
        if name is not None:
            place = cls(PlaceKind.FILE, canonical_name(name))
            check_new_name(place.path)
            if is_spelled_as_directory(name):
                raise ValueError(f"{str(name)!r} names a directory: give it as prefix=")
            return place
        if prefix is not None:
            return cls(PlaceKind.FOLDER, canonical_name(prefix))
        return cls(PlaceKind.NOWHERE, "")

    @classmethod
    def spelled(cls, kind: PlaceKind, path: str) -> Self:
        """Return the place that the path of a URL spells."""
        if kind is PlaceKind.FILE:
            return cls(kind, path)
        return cls(kind, "" if path == _EMPTY else path.removesuffix("/"))

    @property
    def spelling(self) -> str:
        """The place in the path of a URL: a directory has a slash at its end."""
        is_folder = self.kind is PlaceKind.FOLDER and self.path
        return f"{self.path}/" if is_folder else self.path or _EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGrant(Grant):
    """What a link for uploads allows: to begin uploads, or to continue one."""

    #: Where uploads go.
    place: UploadPlace
    #: The most bytes of an upload.
    max_size: int = 0
    #: The media types, exact or like ``image/*``, that the name may have; none for all.
    types: tuple[str, ...] = ()
    #: Whether the upload may replace a file.
    overwrite: bool = False
    #: SHA-256 of the only accepted content, 64 hexadecimal digits; None for any.
    sha256: str | None = None
    #: The content key of the upload to continue; None for a link that begins uploads.
    key: int | None = None
    #: The client's Upload-Metadata, as it was sent.
    metadata: str = ""

    def opens(self, link_epoch: int) -> bool:
        """Return False: it opens no file."""
        return False
