"""The auth hook: who may open a document."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant

from .models import Document


def may_open(request: HttpRequest, file: FileStat, grant: Grant) -> bool | HttpResponse:
    """Let in the owner, the keeper, and everyone with a link to a document that is shared.

    The link's signature and lifetime have been checked before this is asked. A visitor who hasn't
    signed in is sent to do so, and from there back to the link.
    """
    if request.user.has_perm("secure_dbstorage.open_storedfile"):
        return True  # who may open files in the admin
    document = document_named(file.name)
    if document is None:
        return False
    if document.shared:
        return True
    if not request.user.is_authenticated:
        return redirect_to_login(grant.return_path)
    return document.owner_id == request.user.pk


def document_named(name: str) -> Document | None:
    """Return the document with exactly this file.

    MySQL and MariaDB take `a.txt` and `A.txt` for one value; they are two files, so look again.
    """
    documents = Document.objects.filter(file=name)
    return next((document for document in documents if document.file.name == name), None)
