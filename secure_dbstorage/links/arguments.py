"""Arguments: what ``url()``, ``folder_url()``, ``zip_url()`` and ``upload_url()`` take."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import TypedDict


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
