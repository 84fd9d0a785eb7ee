"""What uploads are compared with: a form that saves its file; and the deletion of both."""

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse

#: Where all uploads go.
DIRECTORY = "uploads"


def save(request: HttpRequest) -> HttpResponse:
    """Save the file of a form, as everybody's view does."""
    default_storage.save(f"{DIRECTORY}/form.bin", request.FILES["file"])
    return HttpResponse(status=201)


def forget(request: HttpRequest) -> HttpResponse:
    """Delete all that was uploaded."""
    for name in default_storage.listdir(DIRECTORY)[1]:
        default_storage.delete(f"{DIRECTORY}/{name}")
    return HttpResponse(status=204)


def nothing(request: HttpRequest) -> HttpResponse:
    """Do nothing: what is left is what any request costs."""
    return HttpResponse(status=204)
