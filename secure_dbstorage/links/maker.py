"""Links: where a storage is served, and what its URLs allow."""

import math
import string
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, get_resolver, get_script_prefix, get_urlconf, reverse
from django.utils import timezone
from django.utils.encoding import filepath_to_uri
from django.utils.translation import get_language

from secure_dbstorage.addresses import Network
from secure_dbstorage.links.paths import FOLDER_MARK, PARAMETER
from secure_dbstorage.links.tokens import MAX_FILENAME_LENGTH, LinkSigner
from secure_dbstorage.names import is_canonical
from secure_dbstorage.options import StorageOptions

#: The namespace that ``include("secure_dbstorage.urls")`` has by itself.
DEFAULT_NAMESPACE = "secure_dbstorage"


#: Most names need no quoting: to find that out is quicker than to quote them.
_UNQUOTED = (string.ascii_letters + string.digits + "-._~/").encode()


class FolderLinkArguments(TypedDict, total=False):
    """The keyword arguments of ``folder_url()``."""

    #: Lifetime, in seconds or as a timedelta.
    expires_in: float | timedelta
    #: The instant at which the link stops to work, instead of a lifetime.
    expires_at: datetime
    #: True makes a download; False shows what ``inline_types`` lets a browser show.
    attachment: bool
    #: The user whom the link is for, or their primary key.
    user: object
    #: The address or the network that the link is for.
    ip: str | IPv4Address | IPv4Network | IPv6Address | IPv6Network


class LinkArguments(FolderLinkArguments, total=False):
    """The keyword arguments of ``url()`` and its kin."""

    #: The name under which a browser saves the file.
    filename: str
    #: 1 for a link that works one time; it is new for each call.
    uses: int
    #: Seconds within which the URL stays the same; 0 makes a new one for each call.
    window: float | timedelta


@dataclass(frozen=True, slots=True)
class LinkTerms:
    """What a link is to allow, checked, and the same for any number of names."""

    #: The instant at which each link ends; None for *lifetime* seconds after its issue.
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
    #: Whether each link works one time.
    once: bool


class LinkMaker:
    """Makes the URLs of one storage."""

    def __init__(self, options: StorageOptions, signer: LinkSigner) -> None:
        self._options = options
        self._signer = signer
        self._routes: dict[tuple[str, str | None], _Route] = {}
        self._usual_terms = self._terms({})

    def making(self, terms: LinkTerms) -> Callable[[str, tuple[bool, int] | None], str]:
        """Return a function that makes URLs, with what they share done once.

        It takes a canonical name, and the public flag and link epoch of the file, or None where
        there is no file. Public and missing ones get no token.
        """
        prefix, now = self.prefix(), int(time.time())
        window, lifetime, expires_at = terms.window, terms.lifetime, terms.expires_at
        longest = self._options.max_expires_in
        sign = self._signer.signing(
            attachment=terms.attachment,
            filename=terms.filename,
            user=terms.user,
            network=terms.network,
            once=terms.once,
        )

        def make(name: str, link: tuple[bool, int] | None) -> str:
            encoded = name.encode()
            path = name if not encoded.translate(None, _UNQUOTED) else filepath_to_uri(name)
            is_public, link_epoch = link or (True, 0)
            if is_public:
                return prefix + path
            # Each name has its own offset, or all links would change at once.
            issued = now - (now + zlib.crc32(encoded)) % window if window else now
            if expires_at is None:
                seconds = lifetime
            else:  # No window may bring it above the cap, which would end it early.
                issued = max(issued, expires_at - longest)
                seconds = expires_at - issued
            return f"{prefix}{path}?{PARAMETER}={sign(encoded, issued, seconds, link_epoch)}"

        return make

    def terms(self, **arguments: Unpack[LinkArguments]) -> LinkTerms:
        """Return the checked arguments of ``url()``.

        :raises ValueError: for what can't be meant: nothing is ever taken for "no limit".
        """
        return self._terms(_known(arguments, LinkArguments)) if arguments else self._usual_terms

    def folder(self, folder: str, **arguments: Unpack[FolderLinkArguments]) -> str:
        """Return the URL of a canonical directory, with a slash at its end.

        :raises ValueError: for what can't be meant.
        """
        terms, issued = self._terms(_known(arguments, FolderLinkArguments)), int(time.time())
        lifetime = terms.lifetime if terms.expires_at is None else terms.expires_at - issued
        sign = self._signer.signing_folder(
            folder, attachment=terms.attachment, user=terms.user, network=terms.network
        )
        token = sign(issued, lifetime, time.time_ns() // 1000)
        return f"{self.prefix()}{FOLDER_MARK}{token}/{filepath_to_uri(folder)}/"

    def prefix(self) -> str:
        """Return the URL under which the files are served."""
        if self._options.base_url is not None:
            return self._options.base_url
        # What `reverse()` depends on. It takes longer than all the rest of a URL.
        key = get_script_prefix(), get_urlconf()
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = _Route(self._options.namespace, key[1])
        return route.prefix()

    def _terms(self, given: Mapping[str, object]) -> LinkTerms:
        end, lifetime = self._lifetime(given)
        attachment = given.get("attachment", False)
        if not isinstance(attachment, bool):
            raise ValueError("attachment must be True or False")
        once = "uses" in given and _is_once(given["uses"])
        window = _seconds(given.get("window", 0 if once else self._options.url_window))
        if window < 0 or (once and window):
            raise ValueError("window must be zero or more seconds, and zero for a one-time link")
        return LinkTerms(
            expires_at=end,
            lifetime=int(lifetime),
            window=int(min(window, lifetime // 4)),
            attachment=attachment,
            filename=_filename(given["filename"]) if "filename" in given else None,
            user=_user(given["user"]) if "user" in given else None,
            network=_network(given["ip"]) if "ip" in given else None,
            once=once,
        )

    def _lifetime(self, given: Mapping[str, object]) -> tuple[int | None, float]:
        """Return the end that was asked for, if one was, and the seconds until it."""
        end: int | None = None
        if "expires_at" in given:
            if "expires_in" in given:
                raise ValueError("Give expires_in or expires_at, not both")
            end = _instant(given["expires_at"])
            lifetime = end - time.time()
        else:
            lifetime = _seconds(given.get("expires_in", self._options.expires_in))
        if lifetime < 1:
            raise ValueError("A link must live for at least one second")
        if lifetime > self._options.max_expires_in:
            raise ValueError(f"A link must not outlive {self._options.max_expires_in} seconds")
        return end, lifetime


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


class _Route:
    """The path of one namespace in one URLconf, looked up once for each language that matters."""

    def __init__(self, namespace: str, urlconf: str | None) -> None:
        self._namespace = namespace
        self._is_translated = _are_translated(get_resolver(urlconf).url_patterns)
        self._prefixes: dict[str | None, str] = {}

    def prefix(self) -> str:
        language = get_language() if self._is_translated else None
        prefix = self._prefixes.get(language)
        if prefix is None:
            prefix = self._prefixes[language] = route_prefix(self._namespace)
        return prefix


def _are_translated(patterns: Iterable[Any]) -> bool:
    """Tell whether any path in a URLconf differs between languages."""
    # Django keeps the expression of a pattern in it, once asked for, if all languages share it.
    return any(
        not pattern.pattern.regex
        or "regex" not in vars(pattern.pattern)
        or _are_translated(getattr(pattern, "url_patterns", ()))
        for pattern in patterns
    )


def _known(given: Mapping[str, object], arguments: type) -> Mapping[str, object]:
    """Return what was given, if these arguments are all there are."""
    for name in given:
        if name not in arguments.__annotations__:
            raise TypeError(f"A link has no argument {name!r}")
    return given


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
    # One that was not saved may have a key all the same, as a UUID is one by default.
    is_saved = not getattr(getattr(value, "_state", None), "adding", False)
    # A profile has a number, too, and another user may have it.
    is_user = not hasattr(value, "_meta") or isinstance(value, get_user_model())
    if not (is_key and is_saved and is_user) or getattr(value, "is_anonymous", False):
        raise ValueError(f"{value!r} is not a user who was saved, or a primary key")
    return str(key)


def _is_once(value: object) -> bool:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"uses must be 1, or left out, and not {value!r}")
    return True


def _network(value: object) -> Network:
    """Return an address or a network as a network, spelled as clients' addresses are."""
    if not isinstance(value, str | IPv4Address | IPv4Network | IPv6Address | IPv6Network):
        raise ValueError(f"{value!r} is not an address or a network")
    try:
        network = ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an address or a network") from error
    if network.prefixlen == 0:
        raise ValueError(f"{value!r} is everywhere")
    if isinstance(network.network_address, IPv6Address) and network.network_address.scope_id:
        raise ValueError(f"{value!r} has a zone, which no client's address has")
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network((mapped, network.prefixlen - 96)) if mapped else network
