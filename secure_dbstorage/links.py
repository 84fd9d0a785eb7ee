"""Links: where a storage is served, and what its URLs allow."""

import math
import time
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypedDict

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, get_resolver, get_script_prefix, get_urlconf, reverse
from django.utils import timezone
from django.utils.encoding import filepath_to_uri
from django.utils.translation import get_language

from secure_dbstorage.names import is_canonical
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.signing import MAX_FILENAME_LENGTH, Grant, LinkSigner

#: The namespace that ``include("secure_dbstorage.urls")`` has by itself.
DEFAULT_NAMESPACE = "secure_dbstorage"


class LeftOut(Enum):
    """Stands for an argument that was not given, where None would be a mistake."""

    LEFT_OUT = "left out"


LEFT_OUT: Final = LeftOut.LEFT_OUT


class LinkArguments(TypedDict, total=False):
    """The keyword arguments of ``url()`` and its kin."""

    #: Lifetime, in seconds or as a timedelta.
    expires_in: float | timedelta
    #: The instant at which the link stops to work, instead of a lifetime.
    expires_at: datetime
    #: True makes a download; False shows what ``inline_types`` lets a browser show.
    attachment: bool
    #: The name under which a browser saves the file.
    filename: str
    #: Seconds within which the URL stays the same; 0 makes a new one for each call.
    window: float | timedelta


@dataclass(frozen=True, slots=True)
class LinkTerms:
    """What a link is to allow, checked, and the same for any number of names."""

    now: int
    #: The instant at which each link ends; None for *lifetime* seconds after its issue.
    expires_at: int | None
    #: Seconds.
    lifetime: int
    #: Seconds.
    window: int
    attachment: bool
    filename: str | None

    def grant(self, name: str, links_from: int) -> Grant:
        """Return what the link to one file allows."""
        issued = self.now
        if self.window:
            # Each name has its own offset, or all links would change at once.
            issued -= (self.now + zlib.crc32(name.encode())) % self.window
        lifetime = self.lifetime if self.expires_at is None else self.expires_at - issued
        return Grant(
            links_from=links_from,
            issued=issued,
            lifetime=lifetime,
            attachment=self.attachment,
            filename=self.filename,
        )


class LinkMaker:
    """Makes the URLs of one storage."""

    def __init__(self, options: StorageOptions, signer: LinkSigner) -> None:
        self._options = options
        self._signer = signer
        self._prefixes: dict[tuple[str, str | None, str | None], str] = {}

    def plain(self, name: str) -> str:
        """Return the URL of a canonical name without a token; of "", the base URL."""
        return self._prefix() + filepath_to_uri(name)

    def signed(self, name: str, links_from: int, terms: LinkTerms) -> str:
        """Return the URL of a canonical name with a token."""
        return f"{self.plain(name)}?token={self._signer.sign(name, terms.grant(name, links_from))}"

    def terms(
        self,
        *,
        expires_in: object = LEFT_OUT,
        expires_at: object = LEFT_OUT,
        attachment: object = False,
        filename: object = LEFT_OUT,
        window: object = LEFT_OUT,
    ) -> LinkTerms:
        """Return the checked arguments of ``url()``.

        :raises ValueError: for what can't be meant: nothing is ever taken for "no limit".
        """
        options = self._options
        now = time.time()
        end: int | None = None
        if expires_at is not LEFT_OUT:
            if expires_in is not LEFT_OUT:
                raise ValueError("Give expires_in or expires_at, not both")
            end = _instant(expires_at)
            lifetime = end - now
        else:
            lifetime = options.expires_in if expires_in is LEFT_OUT else _seconds(expires_in)
        if lifetime < 1:
            raise ValueError("A link must live for at least one second")
        if lifetime > options.max_expires_in:
            raise ValueError(f"A link must not outlive {options.max_expires_in} seconds")
        if not isinstance(attachment, bool):
            raise ValueError("attachment must be True or False")
        wanted = options.url_window if window is LEFT_OUT else _seconds(window)
        if wanted < 0:
            raise ValueError("window must be zero or more seconds")
        return LinkTerms(
            now=int(now),
            expires_at=end,
            lifetime=int(lifetime),
            window=int(min(wanted, lifetime // 4)),
            attachment=attachment,
            filename=None if filename is LEFT_OUT else _filename(filename),
        )

    def _prefix(self) -> str:
        if self._options.base_url is not None:
            return self._options.base_url
        # What `reverse()` depends on. It takes longer than all the rest of a URL.
        key = get_script_prefix(), get_urlconf(), get_language()
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefixes[key] = route_prefix(self._options.namespace)
        return prefix


def route_prefix(namespace: str) -> str:
    """Return the path under which a storage's namespace is served.

    :raises ImproperlyConfigured: when no URLconf serves it.
    """
    namespace = namespace or DEFAULT_NAMESPACE
    viewname = f"{namespace}:serve"
    try:
        # For the namespace of the app itself, Django would take the route of any other storage.
        if namespace not in get_resolver(get_urlconf()).namespace_dict:
            raise NoReverseMatch(viewname)
        return reverse(viewname, args=("_",)).removesuffix("_")
    except NoReverseMatch as error:
        raise ImproperlyConfigured(
            f"No URLconf has {viewname!r}: include 'secure_dbstorage.urls', "
            "or set the option base_url."
        ) from error


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
