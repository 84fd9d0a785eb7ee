"""Options: what a project may set for a storage, and what each of them may be."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Any, TypedDict, cast
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.module_loading import import_string

from secure_dbstorage.addresses import Network

#: The length below which a signing key could be guessed, in bytes.
MIN_KEY_BYTES = 32

#: The smallest and the largest chunk, in bytes.
MIN_CHUNK_SIZE, MAX_CHUNK_SIZE = 4 * 1024, 4 * 1024 * 1024

#: What django-ratelimit calls a rate: "600/m", "5/10s". Python refuses to read endless digits.
_RATE = re.compile(r"[0-9]{1,9}/(?!0+[smhd]?$)[0-9]{0,9}[smhd]?", re.ASCII)

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.ASCII)

#: The longest namespace, in characters.
MAX_NAMESPACE_LENGTH = 100

_NAMESPACE = re.compile(rf"[A-Za-z0-9_.-]{{0,{MAX_NAMESPACE_LENGTH}}}", re.ASCII)

#: Types that can carry script: served inline they would run as the site itself. A part of a
#: multipart or a message may be HTML, and XSL makes HTML.
_ACTIVE_TYPE = re.compile(
    r"text/html|(multipart|message)/.*|.*(xml|xsl|xhtml|script|svg).*", re.ASCII
)

_INLINE_TYPES = frozenset(
    {
        "application/pdf",
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "image/apng",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/vnd.microsoft.icon",
        "image/webp",
        "text/plain",
        "video/mp4",
        "video/ogg",
        "video/quicktime",
        "video/webm",
    }
)


#: Seconds, or a timedelta.
Lifetime = float | timedelta


class Options(TypedDict, total=False):
    """The keyword arguments of a storage, as a project writes them."""

    namespace: str
    base_url: str | None
    using: str | None
    default_public: bool | str | Callable[[str], bool]
    allow_overwrite: bool
    delete_after: Lifetime | str | Callable[[str], Lifetime | None] | None
    delete_with_instance: bool
    expires_in: float | timedelta
    max_expires_in: float | timedelta
    url_window: float | timedelta
    signing_keys: Sequence[str | bytes] | None
    auth_hooks: Sequence[str | Callable[..., object]]
    rate_limits: Mapping[str, str | None]
    rate_limit_key: str | Callable[..., str]
    rate_limit_fail_open: bool
    inline_types: Sequence[str]
    public_max_age: float | timedelta
    private_max_age: float | timedelta
    chunk_size: int
    trusted_proxies: Sequence[str]
    max_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """The options of one storage, as the package uses them: complete, checked and imported."""

    #: Identity of the storage: of its rows, its tokens and its route.
    namespace: str = ""
    #: Path or absolute URL under which it is served; None asks the URLconf.
    base_url: str | None = None
    #: Database alias of the table; None asks the router.
    using: str | None = None
    #: Whether a new file is public, by its name. Private: what leaks by default leaks for good.
    default_public: Callable[[str], bool] = field(default=lambda name: False)
    #: Whether saving under a taken name replaces the file.
    allow_overwrite: bool = False
    #: How long a file that is saved now stays, by its name; None for good.
    delete_after: Callable[[str], timedelta | None] = field(default=lambda name: None)
    #: Whether a file goes with the model instance that has it, or gives it up.
    delete_with_instance: bool = False
    #: Lifetime of a link in seconds.
    expires_in: int = 3600
    #: The longest lifetime in seconds, held against links already out too.
    max_expires_in: int = 7 * 24 * 3600
    #: Seconds within which a file's URL stays the same, so that browsers' caches hit.
    url_window: int = 300
    #: Newest first.
    signing_keys: tuple[bytes, ...] = field(default=(), repr=False)
    #: Asked for private files, in order.
    auth_hooks: tuple[Callable[..., object], ...] = ()
    #: Rates by kind of request; generous, since a page may hold a hundred pictures.
    rate_limits: Mapping[str, str | None] = field(
        default_factory=lambda: {"signed": "600/m", "plain": "1200/m", "refused": "60/m"}
    )
    #: Whose budget a request with a good token is charged to.
    rate_limit_key: str | Callable[..., str] = "ip"
    #: Whether requests pass while the cache is down. A limit that an outage lifts is none.
    rate_limit_fail_open: bool = False
    #: What a browser may show; all else is a download. None of these can carry script.
    inline_types: frozenset[str] = _INLINE_TYPES
    #: Seconds a browser may keep a public file without asking again.
    public_max_age: int = 300
    #: The same for a private file.
    private_max_age: int = 300
    #: Bytes a row holds. With 256 KiB, InnoDB spills into one more page.
    chunk_size: int = 255 * 1024
    #: Networks whose X-Forwarded-For is believed.
    trusted_proxies: tuple[Network, ...] = ()
    #: The largest file in bytes; None for any.
    max_size: int | None = None


#: The names of all options, in the order of their documentation.
OPTION_NAMES = tuple(option.name for option in dataclasses.fields(StorageOptions))


def parse_option(name: str, raw: object) -> Any:
    """Return the value of an option as the package uses it.

    :raises ValueError: when it can't be used; the text says what it must be.
    """
    return _PARSERS[name](raw)


def default_of(name: str) -> Any:
    """Return the value of an option that nobody set."""
    return getattr(_DEFAULTS, name)


def _namespace(raw: object) -> str:
    if not isinstance(raw, str) or not _NAMESPACE.fullmatch(raw):
        raise ValueError("must be a text of at most 100 letters, digits, '_', '-' and '.'")
    return raw


def _base_url(raw: object) -> str | None:
    if raw is None:
        return None
    if isinstance(raw, Promise):  # `reverse_lazy()`
        raw = str(raw)
    if not isinstance(raw, str) or not raw or "?" in raw or "#" in raw:
        raise ValueError("must be None, a path or a URL without query and fragment")
    # Browsers drop tabs and line breaks, and would read another URL than `urlsplit()`.
    if not raw.isprintable() or " " in raw:
        raise ValueError("must not hold white space or control characters")
    parts = urlsplit(raw)
    if not raw.startswith("/") and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ValueError("must begin with '/', or with http:// or https:// and a host")
    return raw if raw.endswith("/") else f"{raw}/"


def _using(raw: object) -> str | None:
    if raw is not None and not isinstance(raw, str):
        raise ValueError("must be None or an alias in DATABASES")
    return raw


def _default_public(raw: object) -> Callable[[str], bool]:
    if isinstance(raw, bool):
        return lambda name: raw
    return _callable(raw)


def _delete_after(raw: object) -> Callable[[str], timedelta | None]:
    if raw is None or isinstance(raw, timedelta | int | float):
        lifetime = None if raw is None else timedelta(seconds=_lifetime(raw))
        return lambda name: lifetime
    by_name = _callable(raw)

    def delete_after(name: str) -> timedelta | None:
        answer = by_name(name)
        return None if answer is None else timedelta(seconds=_lifetime(answer))

    return delete_after


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("must be True or False")
    return raw


def _seconds(raw: object) -> int:
    seconds = raw.total_seconds() if isinstance(raw, timedelta) else raw
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError("must be a number of seconds or a timedelta")
    if not 0 <= seconds < 2**31:  # NaN compares false.
        raise ValueError("must be zero or more seconds, and less than 2**31")
    return int(seconds)


def _lifetime(raw: object) -> int:
    seconds = _seconds(raw)
    if seconds < 1:
        raise ValueError("must be at least one second")
    return seconds


def _signing_keys(raw: object) -> tuple[bytes, ...]:
    if raw is None:
        return ()
    if isinstance(raw, str | bytes) or not isinstance(raw, Sequence) or not raw:
        raise ValueError("must be None or a list of keys, newest first")
    keys = tuple(key.encode() if isinstance(key, str) else key for key in raw)
    if not all(isinstance(key, bytes) and len(key) >= MIN_KEY_BYTES for key in keys):
        raise ValueError(f"must hold keys of at least {MIN_KEY_BYTES} bytes")
    return keys


def _auth_hooks(raw: object) -> tuple[Callable[..., object], ...]:
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise ValueError("must be a list of callables or dotted paths")
    return tuple(map(_callable, raw))


def _callable(raw: object) -> Callable[..., Any]:
    try:
        found = import_string(raw) if isinstance(raw, str) else raw
    except ImportError as error:
        raise ValueError(f"names what can't be imported: {error}") from error
    if not callable(found):
        raise ValueError(f"must be callable or the dotted path of a callable, not {raw!r}")
    return cast(Callable[..., Any], found)


def _rate_limits(raw: object) -> Mapping[str, str | None]:
    defaults = dict(_DEFAULTS.rate_limits)
    if not isinstance(raw, Mapping) or not raw.keys() <= defaults.keys():
        raise ValueError(f"must be a dictionary with keys among {', '.join(defaults)}")
    for rate in raw.values():
        if rate is not None and not (isinstance(rate, str) and _RATE.fullmatch(rate)):
            raise ValueError("must hold rates like '600/m', or None")
    return defaults | dict(raw)


def _rate_limit_key(raw: object) -> str | Callable[..., str]:
    if isinstance(raw, str) and (
        raw in ("ip", "link", "user", "user_or_ip") or raw.startswith(("header:", "get:"))
    ):
        return raw
    return _callable(raw)


def _inline_types(raw: object) -> frozenset[str]:
    if isinstance(raw, str) or not isinstance(raw, Sequence | frozenset | set):
        raise ValueError("must be a list of media types")
    for media_type in raw:
        if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
            raise ValueError("must hold exact media types in lower case, like 'image/png'")
        if _ACTIVE_TYPE.fullmatch(media_type):
            raise ValueError(f"must not hold {media_type}, which can carry script")
    return frozenset(raw)


def _chunk_size(raw: object) -> int:
    if (
        isinstance(raw, bool)
        or not isinstance(raw, int)
        or not MIN_CHUNK_SIZE <= raw <= MAX_CHUNK_SIZE
    ):
        raise ValueError("must be a number of bytes from 4 KiB to 4 MiB")
    return raw


def _trusted_proxies(raw: object) -> tuple[Network, ...]:
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise ValueError("must be a list of networks, like '10.0.0.0/8'")
    return tuple(map(_proxy_network, raw))


def _proxy_network(raw: object) -> Network:
    if not isinstance(raw, str):  # `ip_network()` takes numbers and bytes too.
        raise ValueError("must hold networks as texts, like '10.0.0.0/8'")
    network = ip_network(raw)
    if network.prefixlen == 0:
        raise ValueError(f"must not hold {raw}, which would believe every client")
    # `parse_address()` makes mapped addresses IPv4, so no client would be in such a network.
    if mapped := getattr(network.network_address, "ipv4_mapped", None):
        raise ValueError(f"must hold {raw} as IPv4: {mapped}/{network.prefixlen - 96}")
    return network


def _max_size(raw: object) -> int | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError("must be None or a number of bytes")
    return raw


_DEFAULTS = StorageOptions()

_PARSERS: dict[str, Callable[[object], Any]] = {
    "namespace": _namespace,
    "base_url": _base_url,
    "using": _using,
    "default_public": _default_public,
    "allow_overwrite": _boolean,
    "delete_after": _delete_after,
    "delete_with_instance": _boolean,
    "expires_in": _lifetime,
    "max_expires_in": _lifetime,
    "url_window": _seconds,
    "signing_keys": _signing_keys,
    "auth_hooks": _auth_hooks,
    "rate_limits": _rate_limits,
    "rate_limit_key": _rate_limit_key,
    "rate_limit_fail_open": _boolean,
    "inline_types": _inline_types,
    "public_max_age": _seconds,
    "private_max_age": _seconds,
    "chunk_size": _chunk_size,
    "trusted_proxies": _trusted_proxies,
    "max_size": _max_size,
}
