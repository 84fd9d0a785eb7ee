"""Links: where a storage is served, and what its URLs allow."""

import math
import string
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, TypedDict, Unpack

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, get_resolver, get_script_prefix, get_urlconf, reverse
from django.utils import timezone
from django.utils.encoding import filepath_to_uri
from django.utils.translation import get_language

from secure_dbstorage.names import is_canonical
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.signing import MAX_FILENAME_LENGTH, LinkSigner

#: The namespace that ``include("secure_dbstorage.urls")`` has by itself.
DEFAULT_NAMESPACE = "secure_dbstorage"


#: Most names need no quoting: to find that out is quicker than to quote them.
_UNQUOTED = (string.ascii_letters + string.digits + "-._~/").encode()


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

    #: The instant at which each link ends; None for *lifetime* seconds after its issue.
    expires_at: int | None
    #: Seconds.
    lifetime: int
    #: Seconds.
    window: int
    attachment: bool
    filename: str | None


class LinkMaker:
    """Makes the URLs of one storage."""

    def __init__(self, options: StorageOptions, signer: LinkSigner) -> None:
        self._options = options
        self._signer = signer
        self._routes: dict[tuple[str, str | None], _Route] = {}
        self._usual_terms = self._checked_terms()

    def making(self, terms: LinkTerms) -> Callable[[str, tuple[bool, int] | None], str]:
        """Return a function that makes URLs, with what they share done once.

        It takes a canonical name, and the public flag and link epoch of the file, or None where
        there is no file. Public and missing ones get no token.
        """
        prefix, now = self.prefix(), int(time.time())
        window, lifetime, expires_at = terms.window, terms.lifetime, terms.expires_at
        sign = self._signer.signing(attachment=terms.attachment, filename=terms.filename)

        def make(name: str, link: tuple[bool, int] | None) -> str:
            encoded = name.encode()
            path = name if not encoded.translate(None, _UNQUOTED) else filepath_to_uri(name)
            is_public, links_from = link or (True, 0)
            if is_public:
                return prefix + path
            # Each name has its own offset, or all links would change at once.
            issued = now - (now + zlib.crc32(encoded)) % window if window else now
            seconds = lifetime if expires_at is None else expires_at - issued
            return f"{prefix}{path}?token={sign(encoded, issued, seconds, links_from)}"

        return make

    def terms(self, **arguments: Unpack[LinkArguments]) -> LinkTerms:
        """Return the checked arguments of ``url()``.

        :raises ValueError: for what can't be meant: nothing is ever taken for "no limit".
        """
        return self._checked_terms(**arguments) if arguments else self._usual_terms

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

    def _checked_terms(
        self,
        *,
        expires_in: object = LEFT_OUT,
        expires_at: object = LEFT_OUT,
        attachment: object = False,
        filename: object = LEFT_OUT,
        window: object = LEFT_OUT,
    ) -> LinkTerms:
        options = self._options
        end: int | None = None
        if expires_at is not LEFT_OUT:
            if expires_in is not LEFT_OUT:
                raise ValueError("Give expires_in or expires_at, not both")
            end = _instant(expires_at)
            lifetime = end - time.time()
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
            expires_at=end,
            lifetime=int(lifetime),
            window=int(min(wanted, lifetime // 4)),
            attachment=attachment,
            filename=None if filename is LEFT_OUT else _filename(filename),
        )


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
