"""A middleware for web servers under test: it sees what a project's code would see."""

import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from django.http.response import HttpResponseBase

#: The response field that names where a token was found after the view.
FIELD = "X-Token-Found"

#: The environment variable that names the file for the text of all queries.
QUERIES = "DBSTORAGE_TEST_QUERIES"

#: Our parameter with a whole token, but none with a similar name; or the token of a folder.
_TOKEN = re.compile(
    r"(?:(?<![^?&'])token=[0-9a-z.]+|~1[0-9a-z]{2}a?-[0-9a-z]+[.\w-]*)\.[A-Za-z0-9_-]{43}"
)


class Observer:
    """Tells where a request still holds a token after our view, and which queries there were."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Start writing down queries, if the environment says where."""
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
        if QUERIES in os.environ:
            connection_created.connect(_watch)

    def __call__(self, request: HttpRequest) -> Any:
        """Pass the request on, and look at it afterwards."""
        answer = self._get_response(request)
        return (
            self._later(request, answer) if iscoroutinefunction(self) else _told(request, answer)
        )

    async def _later(
        self, request: HttpRequest, answer: Awaitable[HttpResponseBase]
    ) -> HttpResponseBase:
        return _told(request, await answer)


def places_of_tokens(request: HttpRequest) -> Iterator[str]:
    """Yield where a request holds a token."""
    scope: dict[str, Any] = getattr(request, "scope", {})
    seen = {
        "get_full_path": request.get_full_path(),
        "repr": repr(request),
        **{f"META {name}": value for name, value in request.META.items()},
        **{f"scope {name}": value for name, value in scope.items()},
    }
    for place, value in seen.items():
        if _TOKEN.search(repr(value)):
            yield place
    if "token" in request.GET:
        yield "GET"


def _told(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    # Only where our view was asked: it takes the token.
    match = request.resolver_match
    if (
        match is not None
        and match.url_name == "serve"
        and (found := list(places_of_tokens(request)))
    ):
        response[FIELD] = ", ".join(found)
    return response


def _watch(connection: Any, **_: object) -> None:
    if _write_down not in connection.execute_wrappers:  # It may have been connected before.
        connection.execute_wrappers.append(_write_down)


def _write_down(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
    with Path(os.environ[QUERIES]).open("a") as log:
        log.write(" ".join(sql.split()) + "\n")
    return execute(sql, *arguments)
