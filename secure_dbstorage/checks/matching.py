"""Matching: which pattern of the URLconf takes the URLs below a path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import unwrap
from urllib.parse import unquote

from django.urls import ResolverMatch, get_script_prefix
from django.views import static

from secure_dbstorage.links.routes import DEFAULT_NAMESPACE, current_resolver, route_prefix
from secure_dbstorage.receiving.door import serve_or_receive
from secure_dbstorage.serving.views import serve

#: Patterns are tried with these names: of a file in the root, and of one in a directory.
_NAMES = ("_.txt", "_/_.txt")

#: Our views, without their decorators: a project may add its own.
_OURS = tuple(map(unwrap, (serve, serve_or_receive)))


@dataclass(frozen=True, slots=True)
class Taker:
    """The first pattern that matches the URLs below a path."""

    #: Its route, as the URLconf spells it.
    route: str
    #: The name of its view, with its namespace.
    view_name: str
    #: The alias in STORAGES that it serves, if its view is ours.
    alias: object
    #: Whether its view is ours, perhaps within a decorator.
    is_ours: bool
    #: Whether it serves a folder, as ``static()`` does.
    is_folder: bool


def taker_of(namespace: str, alias: str | None = None) -> tuple[Taker, bool]:
    """Return who takes the URLs of a namespace, and whether that is the namespace's own route.

    :param alias: of the storage with this namespace. Another route to it will do.
    :raises ImproperlyConfigured: when no URLconf serves the namespace.
    :raises Resolver404: when nothing takes its URLs.
    """
    view_name = f"{namespace or DEFAULT_NAMESPACE}:serve"
    takers = list(takers_below(route_prefix(namespace)))
    others = [
        taker
        for taker in takers
        if taker.view_name != view_name and not (taker.is_ours and taker.alias == alias)
    ]
    return (others or takers)[0], not others


def takers_below(prefix: str) -> Iterator[Taker]:
    """Yield who takes the URL of a file below a path, for several files.

    :raises ImproperlyConfigured: in a project without URLs.
    :raises Resolver404: when nothing takes them.
    """
    # URLconfs don't see the part of the path that the web server gives to the whole project.
    path = unquote(prefix).removeprefix(get_script_prefix())
    for name in _NAMES:
        yield _taker(current_resolver().resolve(f"/{path}{name}"))


def order_hint(route: str, taker: Taker) -> str:
    """Return how a route of ours gets its URLs back.

    :param route: what to call it.
    """
    if taker.is_folder:
        return (
            "Remove static(settings.MEDIA_URL, ...) from your URLconf: it serves the files of a "
            "folder to anyone."
        )
    return (
        f"In your URLconf, move {route} above that pattern, or give it a path that the pattern "
        "doesn't match."
    )


def alias_of(given: Mapping[str, object]) -> object:
    """Return the alias in STORAGES that the keyword arguments of a route name."""
    return given.get("storage", "default")


def _taker(match: ResolverMatch) -> Taker:
    view = unwrap(match.func)
    return Taker(
        route=match.route,
        view_name=match.view_name,
        alias=alias_of(match.kwargs),
        is_ours=any(view is ours for ours in _OURS),  # It may have no hash.
        is_folder=view is static.serve,
    )
