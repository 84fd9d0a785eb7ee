"""Options: what a project may set for a storage."""

# ruff: noqa: RUF009 -- `_option()` is a `field()`, which makes no object that is shared.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, TypedDict

from secure_dbstorage.addresses import Network
from secure_dbstorage.parsers import (
    amounts,
    callables,
    choices,
    clients,
    keys,
    media_types,
    places,
)
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.services import KeyService

#: How many bytes one statement of a save carries, unless a chunk is longer. On MySQL the statement
#: takes twice as many, and the server has a limit: see ``checks``.
STATEMENT_BYTES = 1024 * 1024

#: Seconds, or a timedelta.
Duration = float | timedelta


class Options(TypedDict, total=False):
    """The keyword arguments of a storage, as a project writes them."""

    namespace: str
    base_url: str | None
    using: str | None
    default_public: bool | str | Callable[[str], bool]
    allow_overwrite: bool
    delete_after: Duration | str | Callable[[str], Duration | None] | None
    delete_with_instance: bool
    keep_deleted: Duration | None
    expires_in: Duration
    max_expires_in: Duration
    url_window: Duration
    signing_keys: Sequence[str | bytes] | None
    auth_hooks: Sequence[str | Callable[..., object]]
    rate_limits: Mapping[str, str | None]
    rate_limit_key: str | Callable[..., str]
    rate_limit_fail_open: bool
    inline_types: Sequence[str]
    content_types: Mapping[str, str]
    cross_origin: str
    public_max_age: Duration | tuple[Duration, Duration]
    private_max_age: Duration
    chunk_size: int
    trusted_proxies: Sequence[str]
    max_size: int | None
    audience: str | Callable[[], str] | None
    upload_hooks: Sequence[str | Callable[..., object]]
    offload: str | None
    encryption_keys: Sequence[str | bytes | KeyService] | None


def _option(parser: Callable[[object], Any], *, default: Any, is_secret: bool = False) -> Any:
    """Declare an option.

    :param parser: takes the value that a project wrote, and returns the one that is used.
    """
    return field(default_factory=lambda: default, metadata={"parser": parser}, repr=not is_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """The options of one storage, as the package uses them: complete, checked and imported.

    An option is declared here once: its name, type, parser, default and reason. System checks read
    this table, and a test compares the README and :class:`Options` with it.
    """

    #: Identity of the storage: of its rows, its tokens and its route.
    namespace: str = _option(places.namespace, default="")
    #: Path or absolute URL under which files are served; None asks the URLconf. A path is used as
    #: it is, as Django uses a MEDIA_URL that begins with a slash: include the script name, if any.
    base_url: str | None = _option(places.base_url, default=None)
    #: Database alias of the table; None asks the router.
    using: str | None = _option(places.using, default=None)
    #: Whether a new file is public, by its name. Private by default: a leak can't be undone.
    default_public: Callable[[str], bool] = _option(
        callables.default_public, default=lambda name: False
    )
    #: Whether saving under a taken name replaces the file.
    allow_overwrite: bool = _option(choices.boolean, default=False)
    #: How long a new file is kept, by its name; None for good.
    delete_after: Callable[[str], timedelta | None] = _option(
        callables.delete_after, default=lambda name: None
    )
    #: Whether a file is deleted with its model instance, or when the instance gets another file.
    delete_with_instance: bool = _option(choices.boolean, default=False)
    #: How long deleted and overwritten files can be restored; None for not at all. Off by
    #: default: people who delete a file expect its bytes to be gone.
    keep_deleted: timedelta | None = _option(amounts.keep_deleted, default=None)
    #: Lifetime of a link in seconds.
    expires_in: int = _option(amounts.lifetime, default=3600)
    #: The longest lifetime in seconds. Lowering it shortens existing links too.
    max_expires_in: int = _option(amounts.lifetime, default=7 * 24 * 3600)
    #: How many seconds a file's URL stays the same, so that browsers can use their caches.
    url_window: int = _option(amounts.seconds, default=300)
    #: The keys that sign links, newest first.
    signing_keys: tuple[bytes, ...] = _option(keys.signing_keys, default=(), is_secret=True)
    #: The hooks that are asked about private files, in order.
    auth_hooks: tuple[Callable[..., object], ...] = _option(callables.hooks, default=())
    #: Rates by kind of request. They are generous: a page may show a hundred pictures.
    rate_limits: Mapping[str, str | None] = _option(
        clients.rate_limits, default=clients.RATE_LIMITS
    )
    #: Whose budget a request with a valid token is charged to.
    rate_limit_key: str | Callable[..., str] = _option(clients.rate_limit_key, default="ip")
    #: Whether requests pass while the cache is down. By default an outage lifts no limit.
    rate_limit_fail_open: bool = _option(choices.boolean, default=False)
    #: The types that a browser may show. Everything else is a download.
    inline_types: frozenset[str] = _option(
        media_types.inline_types, default=media_types.INLINE_TYPES
    )
    #: Media types by extension. They come before those that we know.
    content_types: Mapping[str, str] = _option(
        media_types.content_types, default=media_types.CONTENT_TYPES
    )
    #: Whose pages may show private files: the Cross-Origin-Resource-Policy.
    cross_origin: str = _option(choices.cross_origin, default="same-site")
    #: Seconds that caches may keep a public file without asking again; or a pair, for browsers and
    #: for shared caches.
    public_max_age: int | tuple[int, int] = _option(amounts.public_max_age, default=300)
    #: The same for a browser and a private file.
    private_max_age: int = _option(amounts.seconds, default=300)
    #: Bytes in a row. With 256 KiB, InnoDB would need one more page. Rows of 510, 1020 or 2040 KiB
    #: are not read faster: a query fetches 2 MiB anyway.
    chunk_size: int = _option(amounts.chunk_size, default=255 * 1024)
    #: Networks whose X-Forwarded-For is believed.
    trusted_proxies: tuple[Network, ...] = _option(clients.trusted_proxies, default=())
    #: The largest file in bytes; None for any size.
    max_size: int | None = _option(amounts.max_size, default=None)
    #: Says whose files these are, which is signed into every link; None for the database and the
    #: schema that hold them.
    audience: Callable[[], str] | None = _option(callables.audience, default=None)
    #: The hooks that are asked before an upload gets its name, in order.
    upload_hooks: tuple[Callable[..., object], ...] = _option(callables.hooks, default=())
    #: The proxy that sends large files from its cache; None if Django sends all.
    offload: str | None = _option(choices.offload, default=None)
    #: What wraps the keys of encrypted files, newest first. Without any, new files are plain.
    encryption_keys: Keyring = _option(keys.encryption_keys, default=NO_KEYS, is_secret=True)


_DEFAULTS = StorageOptions()

_PARSERS: dict[str, Callable[[object], Any]] = {
    option.name: option.metadata["parser"] for option in fields(StorageOptions)
}

#: The names of all options, in the order of their documentation.
OPTION_NAMES = tuple(_PARSERS)


def parse_option(name: str, raw: object) -> Any:
    """Return the value of an option as the package uses it.

    :raises ValueError: for an invalid value. The text says what it must be.
    """
    return _PARSERS[name](raw)


def default_of(name: str) -> Any:
    """Return the default of an option."""
    return getattr(_DEFAULTS, name)
