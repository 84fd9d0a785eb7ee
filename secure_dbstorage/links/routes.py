"""Routes: the path under which the URLconf serves a namespace."""

from collections.abc import Iterable
from functools import lru_cache
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


def route_prefix(namespace: str) -> str:
    """Return the path under which a storage's namespace is served.

    It is looked up once for each URLconf, script prefix, and language if paths differ by language:
    ``reverse()`` takes longer than everything else about a URL.

    :raises ImproperlyConfigured: when no URLconf serves it.
    """
    resolver = get_resolver(get_urlconf())
    language = get_language() if _is_translated(resolver) else None
    return _prefix(resolver, namespace or DEFAULT_NAMESPACE, get_script_prefix(), language)


# Django makes a new resolver after `clear_url_caches()`, so that nothing is found under the old
# one. Both caches are bounded: a project may have a URLconf or a script prefix for each tenant.
@lru_cache(maxsize=1024)
def _prefix(resolver: URLResolver, namespace: str, script: str, language: str | None) -> str:
    viewname = f"{namespace}:serve"
    try:
        # For the namespace of the app itself, Django would take the route of any other storage.
        if namespace not in resolver.namespace_dict:
            raise NoReverseMatch(viewname)
        return reverse(viewname, args=("_",)).removesuffix("_")
    except NoReverseMatch as error:
        raise ImproperlyConfigured(
            f"No URLconf has {viewname!r}: include 'secure_dbstorage.urls', "
            "or set the option base_url."
        ) from error


@lru_cache(maxsize=128)
def _is_translated(resolver: URLResolver) -> bool:
    """Tell whether any path in a URLconf differs between languages."""
    return _are_translated(resolver.url_patterns)


def _are_translated(patterns: Iterable[Any]) -> bool:
    # Django keeps the expression of a pattern in it, once asked for, if all languages share it.
    return any(
        not pattern.pattern.regex
        or "regex" not in vars(pattern.pattern)
        or _are_translated(getattr(pattern, "url_patterns", ()))
        for pattern in patterns
    )
