"""Take the token out of a request, so that no log, error report or later code keeps it."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

#: The one query parameter that we read.
PARAMETER = "token"

#: Where servers keep the request target as they received it: gunicorn, uWSGI, mod_wsgi.
_TARGETS = ("RAW_URI", "REQUEST_URI", "UNENCODED_URL")


def take_tokens(request: HttpRequest) -> list[str]:
    """Remove every token from a request, and return them in their order.

    They go from the query string, the servers' copies of it, ``request.GET``, the ASGI scope, and
    from a Referer of our own host.
    """
    meta = request.META
    query = meta.get("QUERY_STRING", "")
    if PARAMETER in _decoded_names(query):
        tokens = [value for name, value in _pairs(query) if name == PARAMETER]
        clean = meta["QUERY_STRING"] = _without_tokens(query)
        # Computed anew from the query string when it is next asked for.
        request.__dict__.pop("GET", None)
        for target in _TARGETS:
            if target in meta:
                meta[target] = _with_query(meta[target], clean)
        _clean_scope(request, clean)
    else:
        tokens = []
    _clean_referer(request)
    return tokens


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, errors="replace")


def _decoded_names(query: str) -> set[str]:
    return {name for name, _ in _pairs(query)}


def _without_tokens(query: str) -> str:
    # What remains is left as it was spelled.
    return "&".join(part for part in query.split("&") if PARAMETER not in _decoded_names(part))


def _with_query(target: str, query: str) -> str:
    path = target.partition("?")[0]
    return f"{path}?{query}" if query else path


def _clean_scope(request: HttpRequest, query: str) -> None:
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        scope["query_string"] = query.encode("latin-1", "replace")


def _clean_referer(request: HttpRequest) -> None:
    referer = request.META.get("HTTP_REFERER", "")
    if PARAMETER not in referer:
        return
    try:
        parts = urlsplit(referer)
        # What a proxy forwards as the host counts too, where the project believes it.
        is_ours = parts.netloc == request.get_host()
    except (ValueError, DisallowedHost):
        return
    if not is_ours:
        return
    clean = _with_query(referer.partition("#")[0], _without_tokens(parts.query))
    request.META["HTTP_REFERER"] = clean
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        scope["headers"] = [
            (name, clean.encode("latin-1", "replace") if name == b"referer" else value)
            for name, value in scope["headers"]
        ]
