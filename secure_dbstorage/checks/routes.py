"""Checks of routes, and of the namespaces by which storages are known."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.urls import Resolver404, URLResolver

from secure_dbstorage.checks.declared import database_of, declared, usable
from secure_dbstorage.checks.matching import alias_of, order_hint, taker_of, takers_below
from secure_dbstorage.links.routes import DEFAULT_NAMESPACE, current_resolver
from secure_dbstorage.options import StorageOptions


def check_routes(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages without a route, and routes that serve something else."""
    ours = usable()
    for alias, options in ours.items():
        try:
            taker, is_own_route = taker_of(options.namespace, alias)
        except (ImproperlyConfigured, Resolver404) as error:
            if options.base_url is None:
                cause = f" {error}" if isinstance(error, ImproperlyConfigured) else ""
                line = _include_line(alias, options.namespace)
                yield Error(
                    f"No route serves STORAGES[{alias!r}].{cause}",
                    hint=f"Add {line} to your URLconf.",
                    id="secure_dbstorage.E003",
                )
            continue
        if not is_own_route:
            # A view of the project may be meant to stand before ours. With a `base_url`, only
            # links for uploads have the route's URL.
            fault = (
                f"Another pattern, {taker.route!r}, matches the URLs of STORAGES[{alias!r}] first."
            )
            hint = order_hint(f"the route of STORAGES[{alias!r}]", taker)
            if options.base_url is None and (taker.is_ours or taker.is_folder):
                yield Error(fault, hint=hint, id="secure_dbstorage.E003")
            else:
                hint += " If its view calls ours, silence this check."
                yield checks.Warning(fault, hint=hint, id="secure_dbstorage.W027")
        elif taker.alias != alias and options.base_url is None:
            yield Error(
                f"The route of STORAGES[{alias!r}] serves STORAGES[{taker.alias!r}].",
                hint=_route_hint(alias, str(taker.alias), ours),
                id="secure_dbstorage.E003",
            )


def check_base_urls(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find URLs that two files share, and those that lead to another storage."""
    seen: dict[tuple[str, str], str] = {}
    for alias, options in usable().items():
        if options.base_url is None:
            continue
        parts = urlsplit(options.base_url)
        first = seen.setdefault((parts.netloc.lower(), unquote(parts.path)), alias)
        if first != alias:
            yield Error(
                f"STORAGES[{first!r}] and STORAGES[{alias!r}] have the same base_url "
                f"{options.base_url!r}: files with the same name would share a URL.",
                hint="Set a different base_url in the OPTIONS of each; None asks the URLconf.",
                id="secure_dbstorage.E003",
            )
            continue
        served = [] if parts.netloc else _aliases_below(options.base_url)
        if served and alias not in served:
            yield Error(
                f"The base_url of STORAGES[{alias!r}], {options.base_url!r}, leads to the route "
                f"of STORAGES[{served[0]!r}].",
                hint="Set base_url to the path of its own route, or leave it out.",
                id="secure_dbstorage.E003",
            )


def check_served_storages(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find routes that serve no storage, or one of another kind."""
    ours = declared()
    for given in _routes():
        alias = alias_of(given)
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
            hint="Give the one that has no files yet a different namespace. Files stay with the "
            "namespace under which they were saved.",
            id="secure_dbstorage.E004",
        )


def _include_line(alias: str, namespace: str) -> str:
    if not namespace and alias == "default":
        return 'path("files/", include("secure_dbstorage.urls"))'
    given = f', namespace="{namespace}"' if namespace else ""
    return (
        f'path("{namespace or alias}/", include("secure_dbstorage.urls"{given}), '
        f'{{"storage": "{alias}"}})'
    )


def _route_hint(alias: str, served: str, ours: Mapping[str, StorageOptions]) -> str:
    """Return how to write the routes. A storage that has files must keep its namespace."""
    namespace, other = ours[alias].namespace, ours.get(served)
    line = _include_line(alias, namespace)
    if other and other.namespace == namespace:
        newer = served if alias == "default" else alias
        return (
            f"If STORAGES[{newer!r}] has no files yet, set its option namespace to {newer!r}, and "
            f"write its route as {_include_line(newer, newer)}."
        )
    if other and not namespace:
        return (
            f"Write the route of STORAGES[{served!r}] as "
            f"{_include_line(served, other.namespace)}, and that of STORAGES[{alias!r}] as {line}."
        )
    return f"Write the route of STORAGES[{alias!r}] as {line}. No two storages can share a route."


def _aliases_below(path: str) -> list[object]:
    """Return the aliases in STORAGES that our routes serve below a path."""
    with suppress(ImproperlyConfigured, Resolver404):
        return [taker.alias for taker in takers_below(path) if taker.is_ours]
    return []


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
