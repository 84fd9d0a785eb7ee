"""Terms: the arguments of ``url()``, ``folder_url()``, ``zip_url()`` and so on, checked."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from secure_dbstorage.addresses import Network
from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.links.arguments import (
    FolderLinkArguments,
    LinkArguments,
    UploadArguments,
    ZipLinkArguments,
)
from secure_dbstorage.links.bindings import bindings_of
from secure_dbstorage.links.grants import PlaceKind, UploadPlace
from secure_dbstorage.links.lifetimes import UPLOAD_LIFETIME, lifetime_of, window_of
from secure_dbstorage.links.upload_limits import is_among, media_ranges, size_limit
from secure_dbstorage.names import is_canonical
from secure_dbstorage.options import StorageOptions

#: The longest file name that a link can carry, in characters.
MAX_FILENAME_LENGTH = 255

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the terms of all links say; any number of names can share them."""

    #: The instant at which each link ends, in seconds since 1970; None for *lifetime* seconds
    #: after its issue.
    expires_at: int | None
    #: Seconds.
    lifetime: int
    #: Seconds.
    window: int
    #: Primary key of the user whom the link is for; None for everybody.
    user: str | None
    #: The network that the link is for; None for everywhere.
    network: Network | None

    def issue_time(self, subject: bytes, now: int, *, longest: int) -> int:
        """Return when a link for a subject is issued, rounded down to the window.

        :param longest: the longest lifetime in seconds.
        """
        # Each subject has its own offset, or all links would change at once.
        issued = now - (now + zlib.crc32(subject)) % self.window if self.window else now
        if self.expires_at is None:
            return issued
        # No window may bring the lifetime above the cap, which would end the link early.
        return max(issued, self.expires_at - longest)

    def lifetime_from(self, issued: int) -> int:
        """Return the lifetime of a link that is issued at this instant."""
        return self.lifetime if self.expires_at is None else self.expires_at - issued


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms(Terms):
    """The terms of a link to files."""

    attachment: bool
    filename: str | None
    #: Whether each link works only once.
    once: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTerms(Terms):
    """The terms of a link for uploads. See :class:`UploadArguments`."""

    max_size: int
    types: tuple[str, ...]
    overwrite: bool
    sha256: str | None


def link_terms(arguments: Mapping[str, object], options: StorageOptions) -> LinkTerms:
    """Return the checked arguments of ``url()``.

    :raises TypeError: for an argument that a link to a file doesn't have.
    :raises ValueError: for an impossible value; nothing is ever read as "no limit".
    """
    return _terms(arguments, options, known=LinkArguments)


def folder_terms(arguments: Mapping[str, object], options: StorageOptions) -> LinkTerms:
    """Return the checked arguments of ``folder_url()``; errors are those of :func:`link_terms`."""
    return _terms(arguments, options, known=FolderLinkArguments)


def zip_terms(arguments: Mapping[str, object], options: StorageOptions) -> LinkTerms:
    """Return the checked arguments of ``zip_url()``; errors are those of :func:`link_terms`."""
    return _terms(arguments, options, known=ZipLinkArguments)


def upload_terms(
    arguments: Mapping[str, object], options: StorageOptions, place: UploadPlace
) -> UploadTerms:
    """Return the checked arguments of ``upload_url()``; errors are those of :func:`link_terms`."""
    _check_known(arguments, UploadArguments)
    usual = min(UPLOAD_LIFETIME, options.max_expires_in)
    expires_at, lifetime = lifetime_of(arguments, options, usual=usual)
    overwrite = arguments.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise ValueError("overwrite must be True or False")
    if overwrite and place.kind is not PlaceKind.FILE:
        raise ValueError("overwrite needs the name of the file that may be replaced")
    return UploadTerms(
        expires_at=expires_at,
        lifetime=int(lifetime),
        window=window_of(arguments.get("window", lifetime // 4), lifetime),
        max_size=_max_size(arguments.get("max_size", options.max_size), options),
        types=_types(arguments["types"], options, place) if "types" in arguments else (),
        overwrite=overwrite,
        sha256=_sha256(arguments["sha256"]) if "sha256" in arguments else None,
        **bindings_of(arguments),
    )


def _terms(given: Mapping[str, object], options: StorageOptions, *, known: type) -> LinkTerms:
    _check_known(given, known)
    expires_at, lifetime = lifetime_of(given, options, usual=options.expires_in)
    attachment = given.get("attachment", False)
    if not isinstance(attachment, bool):
        raise ValueError("attachment must be True or False")
    once = "uses" in given and _is_once(given["uses"])
    window = window_of(given.get("window", 0 if once else options.url_window), lifetime)
    if once and given.get("window"):
        raise ValueError("window must be zero for a one-time link")
    return LinkTerms(
        expires_at=expires_at,
        lifetime=int(lifetime),
        window=window,
        attachment=attachment,
        filename=_filename(given["filename"]) if "filename" in given else None,
        once=once,
        **bindings_of(given),
    )


def _check_known(given: Mapping[str, object], known: type) -> None:
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(f"This kind of link has no argument {name!r}")


def _max_size(value: object, options: StorageOptions) -> int:
    if value is None:
        raise ValueError("An upload needs a limit: give max_size, or set the option max_size")
    size = size_limit(value)
    if options.max_size is not None and size > options.max_size:
        raise ValueError(f"max_size must not exceed the option max_size, {options.max_size} bytes")
    return size


def _types(value: object, options: StorageOptions, place: UploadPlace) -> tuple[str, ...]:
    types = media_ranges(value)
    content_type = content_type_of(place.path, options.content_types)
    if place.kind is PlaceKind.FILE and not is_among(content_type, types):
        raise ValueError(f"{place.path!r} has the type {content_type}, which is not among types")
    return types


def _sha256(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("sha256 must be 64 hexadecimal digits")
    return value.lower()


def _filename(value: object) -> str:
    if (
        not isinstance(value, str)
        or not is_canonical(value)
        or "/" in value
        or len(value) > MAX_FILENAME_LENGTH
    ):
        raise ValueError(f"{value!r} is not a file name")
    return value


def _is_once(value: object) -> bool:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"uses must be 1 or left out, not {value!r}")
    return True
