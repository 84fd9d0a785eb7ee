"""Checks of routes, and of the namespaces by which storages are known."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.urls import Resolver404, URLResolver, get_script_prefix, resolve

from secure_dbstorage.checks.declared import database_of, declared, usable
from secure_dbstorage.links.routes import (
    DEFAULT_NAMESPACE,
    current_resolver,
    internal_prefix,
    route_prefix,
)


def check_routes(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages without a route, and routes that serve a different storage."""
    ours = usable()
    for alias, options in ours.items():
        if options.base_url is not None:
            continue
        line = _include_line(alias, options.namespace)
        try:
            served = _alias_served_at(route_prefix(options.namespace))
        except (ImproperlyConfigured, Resolver404) as error:
            cause = f" {error}" if isinstance(error, ImproperlyConfigured) else ""
            yield Error(
                f"No route serves STORAGES[{alias!r}].{cause}",
                hint=f"Add {line} to your URLconf.",
                id="secure_dbstorage.E003",
            )
            continue
        if served != alias:
            hint = f"Write its route as {line}. No two storages can share a route."
            other = ours.get(str(served))
            if not options.namespace or (other and other.namespace == options.namespace):
                line = _include_line(alias, alias)
                hint = f"Set the option namespace to {alias!r}, and write its route as {line}."
            yield Error(
                f"The route of STORAGES[{alias!r}] serves STORAGES[{served!r}].",
                hint=hint,
                id="secure_dbstorage.E003",
            )


def check_served_storages(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find routes that serve no storage, or one of another kind."""
    ours = declared()
    for given in _routes():
        alias = _alias(given)
        if str(alias) in ours:
            continue
        fault, advice = "does not exist", ""
        if str(alias) in storages.backends:
            fault = "is not a DatabaseStorage"
            advice = " In the settings of tests, you may silence this check."
        verb = "Correct" if "storage" in given else "Add"
        yield checks.Warning(
            f"A route serves STORAGES[{alias!r}], which {fault}: every request to it gets a 404.",
            hint=f'{verb} {{"storage": ...}} in your URLconf, or remove the route.{advice}',
            id="secure_dbstorage.W025",
        )


def check_identities(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find two storages that are known by one namespace.

    In two databases with a ``base_url`` each, they share neither files nor a route. But budgets
    and log lines name a storage by its namespace alone, and so do links where ``audience`` is the
    same for both. A namespace costs nothing before the first file, and much after it.
    """
    seen: dict[str, tuple[str, str]] = {}
    for alias, options in usable().items():
        database = database_of(options)
        first, first_database = seen.setdefault(options.namespace, (alias, database))
        if first == alias:
            continue
        shared = "each would open the other's files"
        if first_database != database:
            shared = "limits, logs and links of one audience can't tell them apart"
        yield Error(
            f"STORAGES[{first!r}] and STORAGES[{alias!r}] have the same namespace "
            f"{options.namespace!r}: {shared}.",
            hint="Give each storage a different namespace.",
            id="secure_dbstorage.E004",
        )


def check_internal_route(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that offload to a proxy, and no route from which it could fetch."""
    aliases = [alias for alias, options in usable().items() if options.offload is not None]
    if aliases and not _has_internal_route():
        yield Error(
            f"STORAGES[{aliases[0]!r}] offloads to a proxy, which can't fetch: the URLconf has no "
            "internal route.",
            hint='Add path("_content/", include("secure_dbstorage.urls_internal")) to your '
            "URLconf.",
            id="secure_dbstorage.E009",
        )


def check_internal_route_is_used(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find an internal route that nothing needs, so that no proxy may guard it."""
    if _has_internal_route() and not any(options.offload for options in usable().values()):
        yield checks.Warning(
            "The URLconf has the internal route for a proxy, but no storage offloads to one.",
            hint="Remove secure_dbstorage.urls_internal from your URLconf, or set offload.",
            id="secure_dbstorage.W020",
        )


def check_offloading_proxies(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that offload, and trust no proxy, so that nothing is offloaded."""
    for alias, options in usable().items():
        if options.offload is not None and not options.trusted_proxies:
            yield checks.Warning(
                f"STORAGES[{alias!r}] has offload but no trusted_proxies: nothing is offloaded.",
                hint="Set trusted_proxies to the network of your nginx, such as ['127.0.0.0/8'].",
                id="secure_dbstorage.W021",
            )


def _has_internal_route() -> bool:
    try:
        return bool(internal_prefix())
    except ImproperlyConfigured:
        return False


def _include_line(alias: str, namespace: str) -> str:
    if not namespace and alias == "default":
        return 'path("files/", include("secure_dbstorage.urls"))'
    given = f', namespace="{namespace}"' if namespace else ""
    return (
        f'path("{namespace or alias}/", include("secure_dbstorage.urls"{given}), '
        f'{{"storage": "{alias}"}})'
    )


def _alias_served_at(prefix: str) -> object:
    """Return the alias in STORAGES that the route of this path serves."""
    # URLconfs don't see the part of the path that the web server gives to the whole project.
    path = unquote(prefix).removeprefix(get_script_prefix())
    return _alias(resolve(f"/{path}_").kwargs)


def _routes() -> Iterator[Mapping[str, object]]:
    """Yield the keyword arguments of each route, unless its path names the storage."""
    with suppress(ImproperlyConfigured):  # Without a URLconf.
        yield from _routes_below(current_resolver(), {})


def _routes_below(
    resolver: URLResolver, given: Mapping[str, object]
) -> Iterator[Mapping[str, object]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver) and "storage" not in pattern.pattern.regex.groupindex:
            more = {**given, **pattern.default_kwargs}
            if pattern.app_name == DEFAULT_NAMESPACE:
                yield more
            else:
                yield from _routes_below(pattern, more)


def _alias(given: Mapping[str, object]) -> object:
    """Return the alias in STORAGES that the keyword arguments of a route name."""
    return given.get("storage", "default")
