"""Copies: where a request, its server and its proxies keep the URL that was asked for."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.http import HttpRequest

from secure_dbstorage.links.paths import SHORTEST_WHOLE

#: Fields that tell who asks, and for which site: no token is there. A client whose token is a copy
#: of its own address must not take that out of the log and the limits.
_WHO_ASKS = frozenset({"HTTP_HOST", "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"})
_WHO_ASKS_HEADERS = frozenset({b"host", b"x-forwarded-for"})

#: Rewrites a text that may be a copy of the request's target.
_Change = Callable[[str], str]


def long_fields(meta: dict[str, Any]) -> list[str]:
    """Return the names of those fields whose values are long enough for a whole token."""
    return [
        name
        for name, value in meta.items()
        if isinstance(value, str) and len(value) >= SHORTEST_WHOLE and name not in _WHO_ASKS
    ]


def rewrite_copies(
    request: HttpRequest, change: _Change, *, trace: str = "", long: Sequence[str] = ()
) -> None:
    """Change every copy of a request's target that Django, servers and proxies keep.

    :param trace: a text without this stays as it is, which saves the time to change it.
    :param long: what :func:`long_fields` returned. A long trace is nowhere else.
    """
    meta, own = request.META, request.__dict__
    if trace in request.path or trace in request.path_info:
        request.path, request.path_info = change(request.path), change(request.path_info)
    fields = long if len(trace) >= SHORTEST_WHOLE else meta.keys() - _WHO_ASKS
    _rewrite(meta, fields, change, trace)
    # What error reports may show besides: the cookies, if asked for, and the match.
    if "COOKIES" in own:
        _rewrite(own["COOKIES"], own["COOKIES"], change, trace)
    match: Any = request.resolver_match
    if match is not None:
        _rewrite(match.kwargs, match.kwargs, change, trace)
        _rewrite(match.captured_kwargs, match.captured_kwargs, change, trace)
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        _rewrite_scope(scope, change, trace=trace.encode("latin-1", "replace"))
    # Django computes them anew from META when they are next asked for.
    own.pop("GET", None)
    own.pop("headers", None)


def _rewrite(texts: dict[str, Any], keys: Iterable[str], change: _Change, trace: str) -> None:
    for key in keys:
        value = texts[key]
        if isinstance(value, str) and trace in value:
            texts[key] = change(value)


def _rewrite_scope(scope: dict[str, Any], change: _Change, *, trace: bytes) -> None:
    """Change what an ASGI server keeps, and writes its access log from."""
    for key in ("path", "raw_path", "query_string"):
        if scope.get(key):
            scope[key] = _changed(scope[key], change)
    scope["headers"] = [
        (name, _changed(value, change))
        if trace in value and name not in _WHO_ASKS_HEADERS
        else (name, value)
        for name, value in scope["headers"]
    ]


def _changed(value: bytes | str, change: _Change) -> bytes | str:
    if isinstance(value, str):
        return change(value)
    text = value.decode("latin-1")
    changed = change(text)
    return value if changed == text else changed.encode("latin-1", "replace")


def set_query(request: HttpRequest, query: str) -> None:
    """Give a request another query, as Django and an ASGI server keep it."""
    request.META["QUERY_STRING"] = query
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        scope["query_string"] = query.encode()
