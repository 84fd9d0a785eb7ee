"""Routes: the path under which the URLconf serves a namespace."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import (
    NoReverseMatch,
    URLResolver,
    get_resolver,
    get_script_prefix,
    get_urlconf,
    reverse,
)
from django.utils.translation import get_language

#: The namespace that ``include("secure_dbstorage.urls")`` has without an argument.
DEFAULT_NAMESPACE = "secure_dbstorage"

#: The namespace of ``include("secure_dbstorage.urls_internal")``.
INTERNAL_NAMESPACE = "secure_dbstorage_internal"


#: How many prefixes are kept of one URLconf; a project may have a script prefix for each tenant.
_MOST_PREFIXES = 1024


#: Under which a resolver has its :class:`_Routes`. Django makes a new resolver after
#: ``clear_url_caches()``, and for each URLconf that a project makes for one request: what is known
#: of the old one goes with it.
_ATTRIBUTE = "_secure_dbstorage_routes"


@dataclass(frozen=True, slots=True)
class _Routes:
    """What is known of a URLconf."""

    #: Whether any path differs between languages.
    are_translated: bool
    #: By namespace, script prefix, and language if paths differ by language.
    prefixes: dict[tuple[str, str, str | None], str] = field(default_factory=dict)


def route_prefix(namespace: str) -> str:
    """Return the path under which a storage's namespace is served.

    It is looked up once for each URLconf, script prefix, and language if paths differ by language:
    ``reverse()`` takes longer than everything else about a URL.

    :raises ImproperlyConfigured: when no URLconf serves it.
    """
    resolver = current_resolver()
    routes = vars(resolver).get(_ATTRIBUTE) or _read(resolver)
    key = namespace, get_script_prefix(), get_language() if routes.are_translated else None
    prefix = routes.prefixes.get(key)
    if prefix is None:
        if len(routes.prefixes) >= _MOST_PREFIXES:
            routes.prefixes.clear()
        prefix = routes.prefixes[key] = _prefix(resolver, namespace or DEFAULT_NAMESPACE)
    return prefix


def current_resolver() -> URLResolver:
    """Return the resolver of the current URLconf.

    :raises ImproperlyConfigured: in a project without URLs.
    """
    try:
        return get_resolver(get_urlconf())
    except AttributeError as error:
        advice = "set ROOT_URLCONF, or the option base_url."
        raise ImproperlyConfigured(f"The project has no URLconf: {advice}") from error


def internal_prefix() -> str:
    """Return the path under which proxies fetch contents for their caches.

    :raises ImproperlyConfigured: when no URLconf serves it.
    """
    return route_prefix(INTERNAL_NAMESPACE)


def _read(resolver: URLResolver) -> _Routes:
    routes = _Routes(_are_translated(resolver.url_patterns))
    setattr(resolver, _ATTRIBUTE, routes)
    return routes


def _prefix(resolver: URLResolver, namespace: str) -> str:
    viewname = f"{namespace}:serve"
    try:
        # For the namespace of the app itself, Django would take the route of any other storage.
        if namespace not in resolver.namespace_dict:
            raise NoReverseMatch(viewname)
        return reverse(viewname, args=("_",)).removesuffix("_")
    except NoReverseMatch as error:
        advice = "include 'secure_dbstorage.urls', or set the option base_url."
        if namespace == INTERNAL_NAMESPACE:
            advice = "include 'secure_dbstorage.urls_internal', or leave out the option offload."
        raise ImproperlyConfigured(f"No URLconf has {viewname!r}: {advice}") from error


def _are_translated(patterns: Iterable[Any]) -> bool:
    # Django keeps the expression of a pattern in it, once asked for, if all languages share it.
    return any(
        not pattern.pattern.regex
        or "regex" not in vars(pattern.pattern)
        or _are_translated(getattr(pattern, "url_patterns", ()))
        for pattern in patterns
    )
