"""Parsers: from an option's value, as a project wrote it, to the value that the package uses.

Each raises ValueError for an invalid value. The text says what the value must be.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from secure_dbstorage.addresses import Network
from secure_dbstorage.content_types import is_active
from secure_dbstorage.sealing.ciphers import KEY_BYTES
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.services import MAX_ID_LENGTH, KeyService, LocalKey
from secure_dbstorage.secret_keys import MIN_KEY_BYTES, SecretKey, hidden_key

#: The smallest and the largest chunk, in bytes.
MIN_CHUNK_SIZE, MAX_CHUNK_SIZE = 4 * 1024, 4 * 1024 * 1024

#: A rate of django-ratelimit: "600/m", "5/10s". Python refuses to parse very long numbers.
_RATE = re.compile(r"[0-9]{1,9}/(?!0+[smhd]?$)[0-9]{0,9}[smhd]?", re.ASCII)

#: The width of the table's column (RFC 6838 section 4.2).
_MAX_MEDIA_TYPE_LENGTH = 127

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.ASCII)

#: The end of a name that decides its type, as `posixpath.splitext()` finds it.
_EXTENSION = re.compile(r"\.[^./\\A-Z\s]+")

#: django-ratelimit's names of a client, and ours.
_RATE_LIMIT_KEY = re.compile(r"ip|link|user|user_or_ip|(header|get):.+")

#: No type of the project's own.
CONTENT_TYPES: Mapping[str, str] = MappingProxyType({})

#: From the URL-safe alphabet of base64 to the standard one.
_STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")

#: The values of Cross-Origin-Resource-Policy (Fetch standard section 3.7).
_RESOURCE_POLICIES = ("same-origin", "same-site", "cross-origin")

#: The longest namespace, in characters. The column is wider, see ``models``.
_MAX_NAMESPACE_LENGTH = 90

_NAMESPACE = re.compile(rf"[A-Za-z0-9_.-]{{0,{_MAX_NAMESPACE_LENGTH}}}", re.ASCII)

#: Types that can contain script. Shown inline, it would run as part of the site. A part of a
#: multipart or a message may be HTML, and XSL produces HTML.
_ACTIVE_TYPE = re.compile(
    r"text/html|(multipart|message)/.*|.*(xml|xsl|xhtml|script|svg).*", re.ASCII
)

#: The types that a browser may show. None of them can contain script.
INLINE_TYPES = frozenset(
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

#: The kinds of request that bring an upload.
UPLOAD_KINDS = ("upload", "begun")

#: Rates by kind of request. They are generous: a page may show a hundred pictures, and a form may
#: take eighty photographs, each in pieces.
RATE_LIMITS: Mapping[str, str | None] = MappingProxyType(
    {
        "signed": "600/m",
        "plain": "1200/m",
        "refused": "60/m",
        "upload": "1200/m",
        "begun": "600/h",
    }
)


def namespace(raw: object) -> str:
    """Return the identity of a storage."""
    if not isinstance(raw, str) or not _NAMESPACE.fullmatch(raw):
        raise ValueError(
            f"must be text of at most {_MAX_NAMESPACE_LENGTH} letters, digits, '_', '-' and '.'"
        )
    return raw


def base_url(raw: object) -> str | None:
    """Return a path or URL with a slash at its end, or None."""
    if raw is None:
        return None
    if isinstance(raw, Promise):  # `reverse_lazy()`
        raw = str(raw)
    if not isinstance(raw, str) or not raw or "?" in raw or "#" in raw:
        raise ValueError("must be None, a path or a URL without query and fragment")
    # Browsers drop tabs and line breaks, and read a backslash as a slash: they would see a
    # different URL than `urlsplit()` does.
    if not raw.isprintable() or " " in raw or "\\" in raw:
        raise ValueError("must not contain white space, control characters or backslashes")
    parts = urlsplit(raw)
    # Behind two slashes is a host. Without one, a browser would take the first directory for it,
    # and send the token there. With one, a page loaded over HTTP would send the token unencrypted.
    is_path = raw.startswith("/") and not raw.startswith("//")
    if not is_path and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ValueError(
            "must be a path that begins with one slash, or a URL such as https://cdn.example.com"
        )
    return raw if raw.endswith("/") else f"{raw}/"


def using(raw: object) -> str | None:
    """Return the alias of a database, or None."""
    if raw is not None and not isinstance(raw, str):
        raise ValueError("must be None or an alias in DATABASES")
    return raw


def default_public(raw: object) -> Callable[[str], bool]:
    """Return a function that decides by a file's name whether it is public."""
    if isinstance(raw, bool):
        return lambda name: raw
    return _callable(raw, besides="True, False")


def delete_after(raw: object) -> Callable[[str], timedelta | None]:
    """Return a function that decides by a file's name how long it is kept; None for good."""
    if raw is None or isinstance(raw, timedelta | int | float):
        stay = None if raw is None else timedelta(seconds=lifetime(raw))
        return lambda name: stay
    ask = _callable(raw, besides="seconds, a timedelta, None")

    def stay_of(name: str) -> timedelta | None:
        answer = ask(name)
        try:
            return None if answer is None else timedelta(seconds=lifetime(answer))
        except ValueError as error:
            told = f"delete_after returned {answer!r} for {name!r}; it {error}"
            raise ValueError(told) from error

    return stay_of


def keep_deleted(raw: object) -> timedelta | None:
    """Return how long deleted files are kept; None for not at all."""
    return None if raw is None else timedelta(seconds=lifetime(raw))


def boolean(raw: object) -> bool:
    """Return a flag."""
    if not isinstance(raw, bool):
        raise ValueError("must be True or False")
    return raw


def seconds(raw: object) -> int:
    """Return a number of whole seconds."""
    number = _number_of_seconds(raw)
    if not 0 <= number < 2**31:  # NaN compares false.
        raise ValueError("must be zero or more seconds, and less than 2**31")
    return int(number)


def public_max_age(raw: object) -> int | tuple[int, int]:
    """Return seconds for every cache, or a pair: for browsers, and for shared caches."""
    if not isinstance(raw, tuple | list):
        return seconds(raw)
    if len(raw) != 2:  # noqa: PLR2004 -- a pair
        raise ValueError("must be a time, or a pair: one for browsers, one for shared caches")
    browsers, shared = map(seconds, raw)
    return browsers, shared


def lifetime(raw: object) -> int:
    """Return a number of whole seconds above zero."""
    if _number_of_seconds(raw) < 1:
        raise ValueError("must be at least one second")
    return seconds(raw)


def signing_keys(raw: object) -> tuple[bytes, ...]:
    """Return keys as bytes, newest first. An empty tuple stands for ``SECRET_KEY``."""
    if raw is None:
        return ()
    if isinstance(raw, str | bytes) or not isinstance(raw, Sequence) or not raw:
        raise ValueError("must be None or a list of keys, newest first")
    keys = tuple(map(hidden_key, raw))
    if any(len(key) < MIN_KEY_BYTES for key in keys):
        raise ValueError(f"must contain keys of at least {MIN_KEY_BYTES} bytes")
    return keys


def hooks(raw: object) -> tuple[Callable[..., object], ...]:
    """Return the hooks, imported."""
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise ValueError("must be a list of callables or dotted paths")
    return tuple(map(_callable, raw))


def rate_limits(raw: object) -> Mapping[str, str | None]:
    """Return a rate, or None, for each kind of request."""
    if not isinstance(raw, Mapping) or not raw.keys() <= RATE_LIMITS.keys():
        raise ValueError(f"must be a dictionary with keys among {', '.join(RATE_LIMITS)}")
    for rate in raw.values():
        if rate is not None and not (isinstance(rate, str) and _RATE.fullmatch(rate)):
            raise ValueError("must contain rates like '600/m', or None")
    return {**RATE_LIMITS, **raw}


def rate_limit_key(raw: object) -> str | Callable[..., str]:
    """Return a key of django-ratelimit, ``link``, or a function that makes one.

    There, all who are not signed in share one budget of ``user``, and a stranger could use it up
    for everybody else who has a link. Here their addresses count, as with ``user_or_ip``.
    """
    if isinstance(raw, str) and _RATE_LIMIT_KEY.fullmatch(raw):
        return raw
    return _callable(raw, besides="'ip', 'user', 'user_or_ip', 'link', 'header:...', 'get:...'")


def inline_types(raw: object) -> frozenset[str]:
    """Return exact media types. None of them can contain script."""
    if isinstance(raw, str) or not isinstance(raw, Sequence | frozenset | set):
        raise ValueError("must be a list of media types")
    for media_type in raw:
        if not isinstance(media_type, str) or not _is_media_type(media_type):
            raise ValueError("must contain exact media types in lower case, like 'image/png'")
        if _ACTIVE_TYPE.fullmatch(media_type) or is_active(media_type):
            raise ValueError(f"must not contain {media_type}, which can carry script")
    return frozenset(raw)


def content_types(raw: object) -> Mapping[str, str]:
    """Return exact media types by extension."""
    if not isinstance(raw, Mapping):
        raise ValueError("must be a dictionary of media types by extension")
    for extension, media_type in raw.items():
        if not isinstance(extension, str) or not _EXTENSION.fullmatch(extension):
            raise ValueError("must have extensions in lower case as keys, like '.step'")
        if not isinstance(media_type, str) or not _is_media_type(media_type):
            raise ValueError("must contain exact media types in lower case, like 'model/step'")
    return dict(raw)


def cross_origin(raw: object) -> str:
    """Return a Cross-Origin-Resource-Policy."""
    if not isinstance(raw, str) or raw not in _RESOURCE_POLICIES:
        raise ValueError(f"must be one of {', '.join(map(repr, _RESOURCE_POLICIES))}")
    return raw


def chunk_size(raw: object) -> int:
    """Return a number of bytes."""
    if (
        isinstance(raw, bool)
        or not isinstance(raw, int)
        or not MIN_CHUNK_SIZE <= raw <= MAX_CHUNK_SIZE
    ):
        raise ValueError("must be a number of bytes from 4 KiB to 4 MiB")
    return raw


def trusted_proxies(raw: object) -> tuple[Network, ...]:
    """Return networks. None of them covers all addresses."""
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise ValueError("must be a list of networks, like '10.0.0.0/8'")
    return tuple(map(_proxy_network, raw))


def max_size(raw: object) -> int | None:
    """Return a number of bytes, or None."""
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError("must be None or a number of bytes")
    return raw


def audience(raw: object) -> Callable[[], str] | None:
    """Return a function that tells whose files these are, or None.

    A text is the same for all; one with a dot is the dotted path of a callable. It would be worse
    to take a mistyped path for a text: all tenants would share it.
    """
    if raw is None:
        return None
    if isinstance(raw, str) and "." not in raw:
        return lambda: raw
    try:
        ask = _callable(raw)
    except ValueError as error:
        raise ValueError(f"{error}; plain text must not contain a dot") from error

    def answer() -> str:
        told = ask()
        if not isinstance(told, str):
            raise ImproperlyConfigured(f"The option audience returned {told!r}, and not a string")
        return told

    return answer


def offload(raw: object) -> str | None:
    """Return the proxy that sends large files, or None."""
    if raw is None or (isinstance(raw, str) and raw == "nginx"):
        return raw
    raise ValueError("must be None or 'nginx'")


def encryption_keys(raw: object) -> Keyring:
    """Return a keyring of keys in base64 and of key services, newest first."""
    if raw is None:
        return NO_KEYS
    if isinstance(raw, str | bytes) or not isinstance(raw, Sequence) or not raw:
        raise ValueError("must be None or a list of keys, newest first")
    services = [_key_service(given) for given in raw]
    if len({service.id for service in services}) < len(services):
        raise ValueError("must not contain two keys with the same id")
    return Keyring(services)


def _number_of_seconds(raw: object) -> float:
    number = raw.total_seconds() if isinstance(raw, timedelta) else raw
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError("must be a number of seconds or a timedelta")
    return number


def _key_service(raw: object) -> KeyService:
    """Return a key in base64, or a key service or its dotted path, as a key service."""
    if isinstance(raw, bytes):  # The text of a key is hidden in bytes.
        return _local_key(raw)
    if isinstance(raw, str) and "." not in raw:  # No digit of base64.
        return _local_key(hidden_key(raw))
    found: Any = _imported(raw)
    methods = [getattr(found, name, None) for name in ("wrap", "unwrap")]
    # The methods of a class would take a key for `self`.
    does_wrap = not isinstance(found, type) and all(map(callable, methods))
    if not does_wrap or not _is_key_id(getattr(found, "id", None)):
        raise ValueError(
            "must contain keys of 32 bytes in base64, or objects with wrap(), unwrap() and an id "
            f"of at most {MAX_ID_LENGTH} printable characters of ASCII"
        )
    return cast(KeyService, found)


def _local_key(text: bytes) -> LocalKey:
    try:
        key = SecretKey(base64.b64decode(text.translate(_STANDARD_BASE64), validate=True))
    except binascii.Error:
        key = SecretKey(b"")
    if len(key) != KEY_BYTES:  # The text says nothing of the value: it may be a key all the same.
        raise ValueError(f"must contain keys of {KEY_BYTES} bytes in base64")
    return LocalKey(key)


def _is_key_id(raw: object) -> bool:
    return (
        isinstance(raw, str)
        and 0 < len(raw) <= MAX_ID_LENGTH
        and raw.isascii()
        and raw.isprintable()
    )


def _is_media_type(text: str) -> bool:
    return len(text) <= _MAX_MEDIA_TYPE_LENGTH and bool(_MEDIA_TYPE.fullmatch(text))


def _callable(raw: object, *, besides: str = "") -> Callable[..., Any]:
    """Return a callable, or what a dotted path names.

    :param besides: what else the option may be, separated by commas.
    """
    is_word = isinstance(raw, str) and "." not in raw  # No path, not even a mistyped one.
    found = None if is_word else _imported(raw)
    if not callable(found):
        allowed = f"{besides}, callable" if besides else "callable"
        raise ValueError(f"must be {allowed} or the dotted path of a callable, not {raw!r}")
    return cast(Callable[..., Any], found)


def _imported(raw: object) -> object:
    """Return an object, or what a dotted path names."""
    try:
        return import_string(raw) if isinstance(raw, str) else raw
    except ImportError as error:
        raise ValueError(f"can't be imported: {error}") from error


def _proxy_network(raw: object) -> Network:
    if not isinstance(raw, str):  # `ip_network()` takes numbers and bytes too.
        raise ValueError("must contain networks as text, like '10.0.0.0/8'")
    try:
        network = ip_network(raw)
    except ValueError as error:
        raise ValueError(f"must contain networks, like '10.0.0.0/8': {error}") from error
    if network.prefixlen == 0:
        raise ValueError(f"must not contain {raw}, which would trust every client")
    # `parse_address()` makes mapped addresses IPv4, so no client would be in such a network.
    if mapped := getattr(network.network_address, "ipv4_mapped", None):
        raise ValueError(f"must contain {raw} as IPv4: {mapped}/{network.prefixlen - 96}")
    return network
