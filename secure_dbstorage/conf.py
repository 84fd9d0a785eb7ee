"""Settings: the only module that reads those of the project.

The options of one storage are the ``OPTIONS`` of its entry in ``STORAGES``; the same names in
capitals in the setting ``SECURE_DBSTORAGE`` are the defaults of all storages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string

from secure_dbstorage.options import OPTION_NAMES, StorageOptions, default_of, parse_option
from secure_dbstorage.secret_keys import SecretKey, hidden_encryption_keys, hidden_keys

#: The setting that holds the defaults of all storages.
SETTING = "SECURE_DBSTORAGE"


#: By option: what hides its secrets.
_HIDING = {"signing_keys": hidden_keys, "encryption_keys": hidden_encryption_keys}

#: The options that hold secrets.
SECRET_OPTIONS = frozenset(_HIDING)


@dataclass(frozen=True, slots=True)
class Problem:
    """An invalid option, and the reason."""

    #: The option, as the project wrote it.
    option: str
    #: What it must be.
    message: str
    #: Whether there is no such option.
    unknown: bool = False

    @property
    def is_in_setting(self) -> bool:
        """Whether the option stands in the setting for all storages."""
        return self.option.startswith(SETTING)

    def __str__(self) -> str:
        return f"{self.option} {self.message}"


def read_options(given: Mapping[str, Any]) -> StorageOptions:
    """Return the options of a storage with these keyword arguments.

    :raises ImproperlyConfigured: for an unknown name or an invalid value.
    """
    problem = next(chain(find_default_problems(), find_problems(given)), None)
    if problem is not None:
        raise ImproperlyConfigured(str(problem))
    values = {name: parse_option(name, raw) for name, raw in _merged(given).items()}
    if not values.get("signing_keys"):
        values["signing_keys"] = secret_keys()
    return StorageOptions(**values)


def hide_keys(given: Any) -> Any:
    """Return a storage's keyword arguments, or defaults, with keys that nothing shows.

    Debug pages and error reports show the values of variables.
    """
    if not isinstance(given, Mapping):
        return given
    return {
        name: hide(raw) if (hide := _HIDING.get(str(name).lower())) else raw
        for name, raw in given.items()
    }


def find_problems(given: object) -> Iterator[Problem]:
    """Yield the problems of a storage's keyword arguments, as the project wrote them.

    An option from the setting for all storages is named as it stands there.
    """
    if not isinstance(given, Mapping):
        yield Problem("the value", "must be a dictionary")
        return
    for name, raw in given.items():
        yield from _problems_of(name, raw, spelled=str(name))
    merged = _merged(given)
    using = merged.get("using")
    if isinstance(using, str) and using not in settings.DATABASES:
        option = "using" if "using" in given else _in_setting("USING")
        yield Problem(option, "must be None or an alias in DATABASES")
    expires_in, cap = _parsed("expires_in", merged), _parsed("max_expires_in", merged)
    if expires_in and cap and expires_in > cap:
        yield _lifetimes_problem(given, expires_in)


def find_default_problems() -> Iterator[Problem]:
    """Yield the problems of the setting that holds the defaults of all storages."""
    defaults = _defaults()
    if not isinstance(defaults, Mapping):
        yield Problem(SETTING, "must be a dictionary")
        return
    for name, raw in defaults.items():
        spelled = _in_setting(name)
        option = str(name).lower()
        if option == "namespace":
            yield Problem(spelled, "can't be set for all storages at once", unknown=True)
        elif option in OPTION_NAMES and name != option.upper():
            yield Problem(spelled, f"must be written {option.upper()}", unknown=True)
        else:
            yield from _problems_of(option, raw, spelled=spelled)


def unknown_option(name: str, given: Mapping[str, Any], backend: type) -> str:
    """Return what is wrong with an option that does not exist, where, and what may be meant."""
    places = [alias for alias, options in declared_storages(backend).items() if options == given]
    where = f"STORAGES[{places[0]!r}]['OPTIONS']: " if places else ""
    near = nearest_option(name)
    return f"{where}{name} is not an option" + (f"; did you mean {near}?" if near else "")


def nearest_option(name: str) -> str:
    """Return the option that a misspelt name may mean, or an empty text."""
    return next(iter(get_close_matches(name.lower(), OPTION_NAMES, n=1)), "")


def declared_storages(backend: type) -> dict[str, Any]:
    """Return the aliases in ``STORAGES`` whose backend is this class, with their ``OPTIONS``.

    The options are not checked; :func:`find_problems` does that.
    """
    declared: dict[str, Any] = {}
    entries: Any = settings.STORAGES
    for alias, entry in entries.items():
        try:
            declared_backend = import_string(entry["BACKEND"])
        except (ImportError, KeyError):
            continue  # Django reports it when the storage is first used.
        if isinstance(declared_backend, type) and issubclass(declared_backend, backend):
            declared[alias] = hide_keys(entry.get("OPTIONS", {}))
    return declared


def upload_directory() -> str | None:
    """Return the directory for temporary files; None for the system's default."""
    return settings.FILE_UPLOAD_TEMP_DIR


def uses_time_zones() -> bool:
    """Tell whether the project uses aware times."""
    return settings.USE_TZ


def project_time(value: datetime) -> datetime:
    """Return an aware time as the project wants it: naive without ``USE_TZ``."""
    if uses_time_zones():
        return value
    return timezone.make_naive(value, timezone.get_default_timezone())


def uses_secret_key(given: object) -> bool:
    """Tell whether a storage with these keyword arguments signs its links with ``SECRET_KEY``."""
    return not _merged(given).get("signing_keys")


def secret_keys() -> tuple[SecretKey, ...]:
    """Return ``SECRET_KEY`` and its fallbacks, without empty ones.

    :raises ImproperlyConfigured: for an empty ``SECRET_KEY``.
    """
    return SecretKey(settings.SECRET_KEY), *_fallback_keys()


def keys_by_setting() -> dict[str, tuple[SecretKey, ...]]:
    """Return the same keys by the setting that holds them, for checks.

    An empty ``SECRET_KEY``, as when an image is built, is a key of no bytes here.
    """
    try:
        key = SecretKey(settings.SECRET_KEY)
    except ImproperlyConfigured:
        key = SecretKey(b"")
    return {"SECRET_KEY": (key,), "SECRET_KEY_FALLBACKS": _fallback_keys()}


def ratelimit_cache() -> tuple[str, str]:
    """Return the alias and the backend of the cache that counts requests."""
    alias = getattr(settings, "RATELIMIT_USE_CACHE", "default")
    return alias, settings.CACHES.get(alias, {}).get("BACKEND", "")


def ratelimit_is_enabled() -> bool:
    """Tell whether django-ratelimit counts at all."""
    return bool(getattr(settings, "RATELIMIT_ENABLE", True))


def has_authentication() -> bool:
    """Tell whether requests carry a user."""
    return any(name.endswith("AuthenticationMiddleware") for name in settings.MIDDLEWARE)


def _fallback_keys() -> tuple[SecretKey, ...]:
    # An empty fallback, from a variable that is not set, would let anyone sign links.
    return tuple(SecretKey(key) for key in settings.SECRET_KEY_FALLBACKS if key)


def _problems_of(name: str, raw: object, *, spelled: str) -> Iterator[Problem]:
    if name not in OPTION_NAMES:
        yield Problem(spelled, "is not an option", unknown=True)
        return
    try:
        parse_option(name, raw)
    except ValueError as error:
        yield Problem(spelled, str(error))


def _in_setting(name: object) -> str:
    return f"{SETTING}[{name!r}]"


def _lifetimes_problem(given: Mapping[str, Any], expires_in: int) -> Problem:
    """Return what is wrong with two lifetimes, of which at most one is our own default."""
    places = {name: name for name in given}
    for name in _lower(_dictionary(_defaults())):
        places.setdefault(name, _in_setting(name.upper()))
    option = next(name for name in places if name in ("expires_in", "max_expires_in"))
    fault = "must not be above max_expires_in"
    if option == "max_expires_in":
        fault = f"must not be below expires_in, {expires_in} seconds"
    return Problem(places[option], fault)


def _merged(given: object) -> dict[str, Any]:
    return {**_lower(_dictionary(_defaults())), **hide_keys(_dictionary(given))}


def _defaults() -> Any:
    return hide_keys(getattr(settings, SETTING, {}))


def _dictionary(raw: object) -> Mapping[Any, Any]:
    # `find_problems()` and `find_default_problems()` report anything else.
    return raw if isinstance(raw, Mapping) else {}


def _lower(defaults: Mapping[Any, Any]) -> dict[str, Any]:
    return {name.lower(): raw for name, raw in defaults.items() if isinstance(name, str)}


def _parsed(name: str, given: Mapping[str, Any]) -> Any:
    """Return the value of an option, or None if it is invalid."""
    try:
        return parse_option(name, given.get(name, default_of(name)))
    except ValueError:
        return None
