"""The tests' URLs, pages, and the scripts that they load."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.static import serve

from tests.clients.contents import CARELESS
from tests.urls import urlpatterns as tests_urls


def page(request: HttpRequest) -> HttpResponse:
    """Return an empty page."""
    return HttpResponse("<!doctype html><title>page</title><body>")


def careless(request: HttpRequest) -> HttpResponse:
    """Return what somebody uploaded as a part of the site."""
    return HttpResponse(CARELESS)


urlpatterns = [
    *tests_urls,
    path("page/", page),
    path("careless/", careless),
    path("libraries/<path:path>", serve, {"document_root": settings.LIBRARIES_ROOT}),
]
