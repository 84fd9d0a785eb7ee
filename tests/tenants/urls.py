"""The routes of every tenant."""

from django.core.files.storage import default_storage
from django.http import HttpRequest, JsonResponse
from django.urls import include, path


def links(request: HttpRequest) -> JsonResponse:
    """Return links that are made in a request."""
    return JsonResponse(
        {
            "file": default_storage.url("films/a.txt"),
            "folder": default_storage.folder_url("films") + "a.txt",
        }
    )


async def async_links(request: HttpRequest) -> JsonResponse:
    """Return a link that is made in an event loop, and the error of one that can't be."""
    try:
        error = default_storage.url("films/a.txt")
    except Exception as raised:  # noqa: BLE001 -- the test looks at it
        error = f"{type(raised).__name__}: {raised}"
    return JsonResponse({"file": await default_storage.aurl("films/a.txt"), "error": error})


urlpatterns = [
    path("files/", include("secure_dbstorage.urls")),
    path("links/", links),
    path("async/", async_links),
]
