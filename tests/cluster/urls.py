"""The example's URLs, a storage that the tests use, and a view that saves."""

from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from project.urls import urlpatterns as examples


@csrf_exempt
def save(request: HttpRequest, name: str) -> HttpResponse:
    """Save the body, and answer with a link to it."""
    storage: Any = storages["cluster"]
    saved = storage.save(name, ContentFile(request.body))
    return HttpResponse(storage.url(saved))


urlpatterns = [
    path("save/<str:name>", save),
    path(
        "cluster/",
        include("secure_dbstorage.urls", namespace="cluster"),
        {"storage": "cluster"},
    ),
    *examples,
]
