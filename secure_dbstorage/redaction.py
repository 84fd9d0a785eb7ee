"""Take the token out of a request, so that no log, error report or later code keeps it."""

import copy
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.urls.converters import PathConverter

#: The one query parameter that we read.
PARAMETER = "token"

#: No token is shorter, in characters: what is shorter could stand anywhere by chance.
_SHORTEST = 40

_REMOVED = "removed"


def _spelled(char: str) -> str:
    """Return the expression for a character, however often it was quoted for a URL."""
    return f"(?:{re.escape(char)}|%(?:25)*{ord(char):x})"


#: A token's parameter in a text, however a client spelled its name; also where its whole URL is a
#: parameter of another, such as that of a login page to which a hook sends.
_PARAMETER_IN_TEXT = re.compile(
    f"((?:^|{_spelled('?')}|{_spelled('&')}){''.join(map(_spelled, PARAMETER))}{_spelled('=')})"
    "[^&\\s\"'#]+",
    re.IGNORECASE,
)


#: Stands before the token of a folder, which is a segment of the path.
FOLDER_MARK = "~"

_IN_PATH = r"1[0-9a-z]{2}a?-[\w.-]{50,}"

#: What the route finds behind it.
_IN_NAME = re.compile(
    rf"{FOLDER_MARK}(?P<token>{_IN_PATH})(?:/(?P<name>.*))?", re.ASCII | re.DOTALL
)

#: The same where an accident has put it, such as a slash too many: no link, but still a token.
_ANYWHERE = re.compile(rf"(?:{FOLDER_MARK}|%7E)(?P<token>{_IN_PATH})", re.ASCII | re.IGNORECASE)

#: The segment in a text, however a client spelled it.
_SEGMENT_IN_TEXT = re.compile(
    rf"({_spelled('/')}{_spelled(FOLDER_MARK)})[\w.%-]{{50,}}", re.ASCII | re.IGNORECASE
)


class SignedPath(str):
    """A text that holds a token: an error report that shows it as a variable does not tell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<signed>"


class NameConverter(PathConverter):
    """The name of a file in a route; with the token of a folder it is a signed path."""

    # Django's own takes no line feed: its page would refuse the request, token and all.
    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Return the name, which Django hands from frame to frame on its way to the view."""
        return SignedPath(value) if _ANYWHERE.search(value) else value


class TokenFilter(logging.Filter):
    """Takes tokens out of what is logged: for the access logs of servers, which know no Django.

    Put it on a handler, or on a logger that writes request lines: ``uvicorn.access``,
    ``gunicorn.access``, ``django.server``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the tokens in its message and arguments."""
        record.msg = _clean(record.msg)
        if isinstance(record.args, Mapping):
            # gunicorn's has a class of its own, which knows what to say for what is missing.
            # To make a new one would escape all values once more, or ask for more than these.
            cleaned: Any = copy.copy(record.args)
            for name, value in record.args.items():
                cleaned[name] = _clean(value)
            record.args = cleaned
        elif record.args:
            record.args = tuple(map(_clean, record.args))
        return True


def _clean(value: Any) -> Any:
    """Return a text without tokens, and an object, such as a request, as such a text."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    cleaned = _without_parameters(_without_segments(text))
    return value if cleaned == text else cleaned


def _without_parameters(text: str) -> str:
    return _PARAMETER_IN_TEXT.sub(rf"\1{_REMOVED}", text)


def _without_segments(text: str) -> str:
    return _SEGMENT_IN_TEXT.sub(rf"\1{_REMOVED}", text)


def take_folder_token(request: HttpRequest, name: str) -> tuple[str, str]:
    """Remove the token of a folder from the path of a request.

    It goes from every copy of the path, as a token of the query does.

    :param name: what the route found, which may begin with the token.
    :returns: the token, or "", and the name of the file.
    """
    found = _ANYWHERE.search(name)
    if found is None:
        return "", name
    match, token = _IN_NAME.fullmatch(name), SignedPath(found["token"])

    def clean(text: str) -> str:
        return _without_segments(text.replace(token, _REMOVED))

    request.path, request.path_info = clean(request.path), clean(request.path_info)
    _rewrite_copies(request, clean)
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        scope["path"] = clean(scope["path"])
        if scope.get("raw_path"):
            scope["raw_path"] = clean(scope["raw_path"].decode("latin-1")).encode("latin-1")
    if request.resolver_match is not None:
        # An error report may show it.
        route: Any = request.resolver_match
        for kwargs in (route.kwargs, route.captured_kwargs):
            kwargs.update((key, clean(value)) for key, value in kwargs.items() if value == name)
    return (
        ("", clean(name)) if match is None else (SignedPath(match["token"]), match["name"] or "")
    )


def take_tokens(request: HttpRequest) -> list[str]:
    """Remove every token from the query of a request, and return them in their order.

    They go from the query string, from every copy of it that servers and proxies leave in the
    request, from ``request.GET``, ``request.headers`` and the ASGI scope, and from a Referer of
    our own host.
    """
    query = request.META.get("QUERY_STRING", "")
    token_parts = [part for part in query.split("&") if _is_token(part)]
    if token_parts:
        _remove(request, query, [part for part in token_parts if len(part) >= _SHORTEST])
    referer = request.META.get("HTTP_REFERER", "")
    # A login page has the URL that it leads back to, token and all, in a parameter of its own.
    clean = _clean(_without_query_tokens(referer) if "?" in referer else referer)
    if clean != referer and not _is_ours(request, referer):
        clean = referer
    if clean != referer:
        request.META["HTTP_REFERER"] = clean
        _rewrite_scope_headers(request, referer, clean)
    if token_parts or clean != referer:
        # Computed anew from META when they are next asked for.
        for cached in ("GET", "headers"):
            request.__dict__.pop(cached, None)
    return [SignedPath(unquote_plus(part.partition("=")[2])) for part in token_parts]


def _is_token(part: str) -> bool:
    name = part.partition("=")[0]
    return name == PARAMETER or unquote_plus(name) == PARAMETER


def _without_tokens(query: str) -> str:
    # What remains is left as it was spelled.
    return "&".join(part for part in query.split("&") if not _is_token(part))


def _without_query_tokens(url: str) -> str:
    path, _, query = url.partition("#")[0].partition("?")
    return _joined(path, _without_tokens(query))


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _is_ours(request: HttpRequest, url: str) -> bool:
    try:
        # Compared without port, user and upper case, in which a spelling may differ.
        return urlsplit(url).hostname == urlsplit(f"//{request.get_host()}").hostname
    except (ValueError, DisallowedHost):
        return False


def _remove(request: HttpRequest, query: str, token_parts: list[str]) -> None:
    request.META["QUERY_STRING"] = clean = _without_tokens(query)
    _rewrite_copies(request, lambda text: _redacted(text, query, clean, token_parts))
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        scope["query_string"] = clean.encode()


def _rewrite_copies(request: HttpRequest, change: Callable[[str], str]) -> None:
    """Change what servers and proxies left in META and in the headers of the ASGI scope."""
    for name, value in list(request.META.items()):
        if isinstance(value, str):
            request.META[name] = change(value)
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None:
        for _, value in list(scope["headers"]):
            text = value.decode("latin-1")
            _rewrite_scope_headers(request, text, change(text))
    # Computed anew from META when they are next asked for.
    request.__dict__.pop("headers", None)


def _redacted(value: str, query: str, clean: str, token_parts: list[str]) -> str:
    """Return a text, such as a request target, without the tokens of a query string."""
    if value.endswith(f"?{query}"):
        return _joined(value[: -len(query) - 1], clean)
    for part in token_parts:
        # The value alone: the name may be quoted, as in a parameter of another URL.
        value = value.replace(part.partition("=")[2], _REMOVED)
    return value


def _rewrite_scope_headers(request: HttpRequest, old: str, new: str) -> None:
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is not None and old != new:
        before, after = old.encode("latin-1", "replace"), new.encode("latin-1", "replace")
        scope["headers"] = [
            (name, after if value == before else value) for name, value in scope["headers"]
        ]
