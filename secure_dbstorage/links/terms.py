"""Terms: the arguments of ``url()`` and ``folder_url()``, checked."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypedDict
from uuid import UUID

from django.contrib.auth import get_user_model
from django.utils import timezone

from secure_dbstorage.addresses import Network
from secure_dbstorage.names import is_canonical
from secure_dbstorage.options import StorageOptions

#: The longest file name that a link can carry, in characters.
MAX_FILENAME_LENGTH = 255


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms:
    """The terms of a link; any number of names can share them."""

    #: The instant at which each link ends, in seconds since 1970; None for *lifetime* seconds
    #: after its issue.
    expires_at: int | None
    #: Seconds.
    lifetime: int
    #: Seconds.
    window: int
    attachment: bool
    filename: str | None
    #: Primary key of the user whom the link is for; None for everybody.
    user: str | None
    #: The network that the link is for; None for everywhere.
    network: Network | None
    #: Whether each link works only once.
    once: bool

    def lifetime_from(self, issued: int) -> int:
        """Return the lifetime of a link that is issued at this instant."""
        return self.lifetime if self.expires_at is None else self.expires_at - issued


def link_terms(arguments: Mapping[str, object], options: StorageOptions) -> LinkTerms:
    """Return the checked arguments of ``url()``.

    :raises TypeError: for an argument that a link to a file doesn't have.
    :raises ValueError: for an impossible value; nothing is ever read as "no limit".
    """
    return _terms(arguments, options, known=LinkArguments)


def folder_terms(arguments: Mapping[str, object], options: StorageOptions) -> LinkTerms:
    """Return the checked arguments of ``folder_url()``; errors are those of :func:`link_terms`."""
    return _terms(arguments, options, known=FolderLinkArguments)


def _terms(given: Mapping[str, object], options: StorageOptions, *, known: type) -> LinkTerms:
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(f"A link has no argument {name!r}")
    expires_at, lifetime = _lifetime(given, options)
    attachment = given.get("attachment", False)
    if not isinstance(attachment, bool):
        raise ValueError("attachment must be True or False")
    once = "uses" in given and _is_once(given["uses"])
    window = _seconds(given.get("window", 0 if once else options.url_window))
    if window < 0 or (once and window):
        raise ValueError("window must be zero or more seconds, and zero for a one-time link")
    return LinkTerms(
        expires_at=expires_at,
        lifetime=int(lifetime),
        window=int(min(window, lifetime // 4)),
        attachment=attachment,
        filename=_filename(given["filename"]) if "filename" in given else None,
        user=_user(given["user"]) if "user" in given else None,
        network=_network(given["ip"]) if "ip" in given else None,
        once=once,
    )


def _lifetime(given: Mapping[str, object], options: StorageOptions) -> tuple[int | None, float]:
    """Return the end that was asked for, if one was, and the seconds until it."""
    end: int | None = None
    if "expires_at" in given:
        if "expires_in" in given:
            raise ValueError("Give expires_in or expires_at, not both")
        end = _instant(given["expires_at"])
        lifetime = end - time.time()
    else:
        lifetime = _seconds(given.get("expires_in", options.expires_in))
    if lifetime < 1:
        raise ValueError("A link must last at least one second")
    if lifetime > options.max_expires_in:
        longest = str(timedelta(seconds=options.max_expires_in)).removesuffix(", 0:00:00")
        raise ValueError(
            f"A link must not outlive {options.max_expires_in} seconds ({longest}), which is the "
            "option max_expires_in"
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
    return str(key)


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
        raise ValueError(f"{value!r} is not an address or a network") from error
    if isinstance(network.network_address, IPv6Address) and network.network_address.scope_id:
        raise ValueError(f"{value!r} has a zone; clients' addresses have none")
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped:
        network = ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise ValueError(f"{value!r} is every address")
    return network
