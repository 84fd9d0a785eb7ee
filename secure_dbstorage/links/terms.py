"""Terms: the arguments of ``url()``, ``folder_url()``, ``zip_url()`` and so on, checked."""

import math
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import PurePath
from typing import Any, TypedDict
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils import timezone

from secure_dbstorage.addresses import Network
from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.links.grants import PlaceKind, UploadPlace
from secure_dbstorage.names import is_canonical
from secure_dbstorage.options import StorageOptions

#: The longest file name that a link can carry, in characters.
MAX_FILENAME_LENGTH = 255

#: How long a link for uploads lives, in seconds, and at least how long an upload may take that has
#: begun: a day, for somebody who continues tomorrow.
UPLOAD_LIFETIME = 24 * 3600

#: The largest upload in bytes: one petabyte, which is beyond any database.
LARGEST = 10**15

#: A media type, or all of a kind.
_MEDIA_RANGE = re.compile(r"[a-z0-9.+-]+/(?:[a-z0-9.+-]+|\*)", re.ASCII)

#: A token has room for this many characters.
_MAX_TYPES_LENGTH = 1024

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


class FolderLinkArguments(TypedDict, total=False):
    """The keyword arguments of ``folder_url()``."""

    #: Lifetime, in seconds or as a timedelta.
    expires_in: float | timedelta
    #: The instant at which the link stops working, instead of a lifetime.
    expires_at: datetime
    #: True makes a download; False shows the file if ``inline_types`` has its type.
    attachment: bool
    #: The user whom the link is for, or their primary key.
    user: object
    #: The address or the network that the link is for.
    ip: str | IPv4Address | IPv4Network | IPv6Address | IPv6Network


class LinkArguments(FolderLinkArguments, total=False):
    """The keyword arguments of ``url()``, ``urls()`` and their async forms."""

    #: The name under which a browser saves the file.
    filename: str
    #: 1 for a link that works only once. Each call makes another link.
    uses: int
    #: Seconds within which the URL stays the same; 0 makes a new one for each call.
    window: float | timedelta


class ZipLinkArguments(TypedDict, total=False):
    """The keyword arguments of ``zip_url()``, besides its directory."""

    #: The name under which a browser saves the archive.
    filename: str
    #: Lifetime, in seconds or as a timedelta.
    expires_in: float | timedelta
    #: The instant at which the link stops working, instead of a lifetime.
    expires_at: datetime
    #: The user whom the link is for, or their primary key.
    user: object
    #: The address or the network that the link is for.
    ip: str | IPv4Address | IPv4Network | IPv6Address | IPv6Network


class UploadArguments(TypedDict, total=False):
    """The keyword arguments of ``upload_url()``."""

    #: The directory below which uploads become files, instead of a name; "" for the root.
    prefix: str | PurePath
    #: The most bytes of an upload. Needed unless the option ``max_size`` is set, which it may not
    #: exceed.
    max_size: int
    #: Media types, exact or like ``image/*``: the name of a file must have one of them.
    types: Sequence[str]
    #: Lifetime, in seconds or as a timedelta; a day if it is left out.
    expires_in: float | timedelta
    #: The instant at which the link stops working, instead of a lifetime.
    expires_at: datetime
    #: Seconds within which the URL stays the same, at most a quarter of the lifetime; 0 for never.
    #: Clients find an interrupted upload by this URL, so the default is that quarter.
    window: float | timedelta
    #: The user whom the link is for, or their primary key.
    user: object
    #: The address or the network that the link is for.
    ip: str | IPv4Address | IPv4Network | IPv6Address | IPv6Network
    #: Whether the upload may replace a file.
    overwrite: bool
    #: SHA-256 of the only accepted content, 64 hexadecimal digits.
    sha256: str


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
    expires_at, lifetime = _lifetime(arguments, options, usual=usual)
    overwrite = arguments.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise ValueError("overwrite must be True or False")
    if overwrite and place.kind is not PlaceKind.FILE:
        raise ValueError("overwrite needs the name of the file that may be replaced")
    return UploadTerms(
        expires_at=expires_at,
        lifetime=int(lifetime),
        window=_window(arguments.get("window", lifetime // 4), lifetime),
        max_size=_max_size(arguments.get("max_size", options.max_size), options),
        types=_types(arguments["types"], options, place) if "types" in arguments else (),
        overwrite=overwrite,
        sha256=_sha256(arguments["sha256"]) if "sha256" in arguments else None,
        **_bindings(arguments),
    )


def size_limit(value: object) -> int:
    """Return the largest size of an upload in bytes.

    :raises ValueError: for anything that limits nothing, or allows nothing.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
        raise ValueError(f"max_size must be a number of bytes above zero, not {value!r}")
    return value


def media_ranges(value: object) -> tuple[str, ...]:
    """Return media types, exact or like ``image/*``.

    :raises ValueError: for none, and for anything else.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ValueError("types must be a list of media types")
    types = tuple(value)
    for media_type in types:
        if not isinstance(media_type, str) or not _MEDIA_RANGE.fullmatch(media_type):
            raise ValueError(
                f"types must hold media types in lower case, like 'image/png' or 'image/*', not "
                f"{media_type!r}"
            )
    if sum(map(len, types)) > _MAX_TYPES_LENGTH:
        raise ValueError(f"types must be shorter than {_MAX_TYPES_LENGTH} characters together")
    return types


def is_among(content_type: str, types: Sequence[str]) -> bool:
    """Tell whether a media type is among exact ones and those like ``image/*``."""
    return content_type in types or f"{content_type.partition('/')[0]}/*" in types


def takes(types: Sequence[str], name: str, more: Mapping[str, str]) -> bool:
    """Tell whether a file of this name is of one of these types; none are all.

    :param more: the project's own media types by extension.
    """
    return not types or is_among(content_type_of(name, more), types)


def _terms(given: Mapping[str, object], options: StorageOptions, *, known: type) -> LinkTerms:
    _check_known(given, known)
    expires_at, lifetime = _lifetime(given, options, usual=options.expires_in)
    attachment = given.get("attachment", False)
    if not isinstance(attachment, bool):
        raise ValueError("attachment must be True or False")
    once = "uses" in given and _is_once(given["uses"])
    window = _window(given.get("window", 0 if once else options.url_window), lifetime)
    if once and given.get("window"):
        raise ValueError("window must be zero for a one-time link")
    return LinkTerms(
        expires_at=expires_at,
        lifetime=int(lifetime),
        window=window,
        attachment=attachment,
        filename=_filename(given["filename"]) if "filename" in given else None,
        once=once,
        **_bindings(given),
    )


def _check_known(given: Mapping[str, object], known: type) -> None:
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(f"This kind of link has no argument {name!r}")


class _Bindings(TypedDict):
    user: str | None
    network: Network | None


def _bindings(given: Mapping[str, object]) -> _Bindings:
    return {
        "user": _user(given["user"]) if "user" in given else None,
        "network": _network(given["ip"]) if "ip" in given else None,
    }


def _window(value: object, lifetime: float) -> int:
    window = _seconds(value)
    if window < 0:
        raise ValueError("window must be zero or more seconds")
    return int(min(window, lifetime // 4))


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


def _lifetime(
    given: Mapping[str, object], options: StorageOptions, *, usual: int
) -> tuple[int | None, float]:
    """Return the end that was asked for, if one was, and the seconds until it.

    :param usual: the lifetime in seconds, if none was asked for.
    """
    end: int | None = None
    if "expires_at" in given:
        if "expires_in" in given:
            raise ValueError("Give expires_in or expires_at, not both")
        end = _instant(given["expires_at"])
        lifetime = end - time.time()
    else:
        lifetime = _seconds(given.get("expires_in", usual))
    if lifetime < 1:
        raise ValueError("A link must last at least one second")
    if lifetime > options.max_expires_in:
        longest = str(timedelta(seconds=options.max_expires_in)).removesuffix(", 0:00:00")
        raise ValueError(
            f"A link can last at most {options.max_expires_in} seconds ({longest}), as the option "
            "max_expires_in says"
        )
    return end, lifetime


def _seconds(value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError(f"{value!r} is not a number of seconds or a timedelta")
    if not -math.inf < seconds < math.inf:  # NaN compares false, and no integer is too large.
        raise ValueError(f"{value!r} is not a finite number of seconds")
    return seconds


def _instant(value: object) -> int:
    if not isinstance(value, datetime):
        raise ValueError(f"expires_at must be a datetime, not {value!r}")
    if timezone.is_naive(value):
        value = timezone.make_aware(value)
    return int(value.timestamp())


def _filename(value: object) -> str:
    if (
        not isinstance(value, str)
        or not is_canonical(value)
        or "/" in value
        or len(value) > MAX_FILENAME_LENGTH
    ):
        raise ValueError(f"{value!r} is not a file name")
    return value


def _user(value: object) -> str:
    """Return the primary key of a user, as text."""
    key = getattr(value, "pk", value)
    is_key = isinstance(key, int | str | UUID) and not isinstance(key, bool) and key != ""
    # An unsaved user may have a key too: a UUID is usually generated before saving.
    is_saved = not getattr(getattr(value, "_state", None), "adding", False)
    # A row of another model has a key too, which may be the key of another user.
    is_user = not hasattr(value, "_meta") or isinstance(value, get_user_model())
    if not (is_key and is_saved and is_user) or getattr(value, "is_anonymous", False):
        raise ValueError(f"{value!r} is not a saved user or a primary key")
    return str(_primary_key(key))


def _primary_key(key: object) -> object:
    """Return a user's primary key as the model has it. Spelled otherwise, it opens for nobody."""
    try:
        field: Any = get_user_model()._meta.pk
    except ImproperlyConfigured:  # A project without users.
        return key
    try:
        return field.to_python(key)
    except ValidationError as error:
        raise ValueError(f"{key!r} is not the primary key of a user") from error


def _is_once(value: object) -> bool:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"uses must be 1 or left out, not {value!r}")
    return True


def _network(value: object) -> Network:
    """Return an address or a network as a network. One of mapped IPv4 becomes IPv4."""
    if not isinstance(value, str | IPv4Address | IPv4Network | IPv6Address | IPv6Network):
        raise ValueError(f"{value!r} is not an address or a network")
    try:
        network = ip_network(value)
    except ValueError as error:
        raise ValueError(_fault_of_network(value)) from error
    if isinstance(network.network_address, IPv6Address) and network.network_address.scope_id:
        raise ValueError(f"{value!r} has a zone; clients' addresses have none")
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped:
        network = ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise ValueError(f"{value!r} is every address")
    return network


def _fault_of_network(
    value: str | IPv4Address | IPv4Network | IPv6Address | IPv6Network,
) -> str:
    with suppress(ValueError):
        return f"{value!r} has host bits set: the network is {ip_network(value, strict=False)}"
    return f"{value!r} is not an address or a network"
