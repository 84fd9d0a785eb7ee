"""The settings of a web server behind an nginx that sends large files from its cache."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse

from secure_dbstorage.signals import file_served
from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, MIDDLEWARE

if TYPE_CHECKING:  # The storage needs settings that are complete.
    from secure_dbstorage.files import FileStat
    from secure_dbstorage.storage import DatabaseStorage

#: What is printed when nginx fetches.
FETCHES = "nginx fetches"

#: A file that is deleted as soon as somebody is let in.
VANISHING = "vanishing.bin"

ROOT_URLCONF = "tests.support.offload_urls"
ALLOWED_HOSTS = ["127.0.0.1", "cloakroom.example.com", ".tenants.example.com"]

if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Under ASGI, each request would connect anew.
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 8, "timeout": 60}}

_tenant: ContextVar[str] = ContextVar("tenant")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 60


def tenant() -> str:
    """Return whose site was asked."""
    return _tenant.get()


class Tenants:
    """Finds the tenant by the host, lets another site's pages read files, and tells of fetches."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        file_served.connect(_vanish)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/_content/"):
            # Before nginx has an answer: web servers write their logs afterwards.
            print(FETCHES, file=sys.stderr, flush=True)
        host = request.get_host()
        is_tenants = host.endswith(".tenants.example.com")
        _tenant.set(host.partition(".")[0] if is_tenants else "tests")
        response = self._get_response(request)
        response["Access-Control-Allow-Origin"] = "https://pages.example.com"
        response["Vary"] = "Origin"
        return response


def _vanish(storage: DatabaseStorage, file: FileStat, **_: object) -> None:
    if file.name == VANISHING:
        storage.delete(file.name)


MIDDLEWARE = ["tests.support.offload_settings.Tenants", *MIDDLEWARE]

SECURE_DBSTORAGE = {
    "OFFLOAD": "nginx",
    "TRUSTED_PROXIES": ["127.0.0.0/8"],
    "AUDIENCE": tenant,
    "RATE_LIMITS": {"signed": None, "plain": None, "refused": None},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"secure_dbstorage.access": {"handlers": ["console"], "level": "INFO"}},
}
