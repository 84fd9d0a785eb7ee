"""Requests to a project that is not at the root of its host, as its server hands them on.

Tests write the paths of a project at the root: ``/files/a.txt``.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import reverse

_ROUTES = ("/files/", "/invoices/")


def mount() -> str:
    """Return what stands before the paths of the project: "" at the root."""
    return reverse("secure_dbstorage:serve", args=["x"]).removesuffix("/files/x")


def mounted(path: str) -> str:
    """Return the path that clients ask for, of one that a test has written."""
    return f"{mount()}{path}" if path.startswith(_ROUTES) else path


def ask_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Django's test clients ask where the project is."""
    _let(monkeypatch, RequestFactory, _as_wsgi_servers_do)
    _let(monkeypatch, AsyncRequestFactory, mounted)


def _as_wsgi_servers_do(path: str) -> str:
    """Return the path without that of the project, which WSGI has in a variable of its own."""
    return mounted(path).removeprefix(settings.FORCE_SCRIPT_NAME or "")


def _let(monkeypatch: pytest.MonkeyPatch, factory: type, path_of: Callable[[str], str]) -> None:
    generic = factory.generic

    def ask(self: Any, method: str, path: str, *arguments: Any, **more: Any) -> Any:
        return generic(self, method, path_of(path), *arguments, **more)

    monkeypatch.setattr(factory, "generic", ask)
