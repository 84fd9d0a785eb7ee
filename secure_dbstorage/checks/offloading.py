"""Checks of offloading: the internal route, and the proxies that fetch from it."""

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.urls import Resolver404

from secure_dbstorage.checks.declared import usable
from secure_dbstorage.checks.matching import order_hint, taker_of
from secure_dbstorage.links.routes import INTERNAL_NAMESPACE, internal_prefix


def check_internal_route(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that offload to a proxy, and no route from which it could fetch."""
    aliases = [alias for alias, options in usable().items() if options.offload is not None]
    if not aliases:
        return
    try:
        taker, is_own_route = taker_of(INTERNAL_NAMESPACE)
    except (ImproperlyConfigured, Resolver404):
        fault = "the URLconf has no internal route"
        hint = 'Add path("_content/", include("secure_dbstorage.urls_internal")) to your URLconf.'
    else:
        if is_own_route:
            return
        fault = f"another pattern, {taker.route!r}, matches the URLs of the internal route first"
        hint = order_hint("the internal route", taker)
    yield Error(
        f"STORAGES[{aliases[0]!r}] offloads to a proxy, which can't fetch: {fault}.",
        hint=hint,
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
