"""The auth hook: who may open a document."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from secure_dbstorage.access import HookGrant
from secure_dbstorage.files import FileStat

from .models import Document


def may_open(request: HttpRequest, file: FileStat, grant: HookGrant) -> bool | HttpResponse:
    """Let in the owner, the keeper, and anyone with a link to a shared document.

    The link's signature and lifetime have already been checked. Visitors who haven't signed in are
    sent to the sign-in page, and from there back to the link.
    """
    if request.user.has_perm("secure_dbstorage.open_storedfile"):
        return True  # This user may open any file in the admin.
    document = document_named(file.name)
    if document is None:
        return False
    if document.shared:
        return True
    if not request.user.is_authenticated:
        return redirect_to_login(grant.return_path)
    return bool(document.owner == request.user)


def document_named(name: str) -> Document | None:
    """Return the document with exactly this file.

    MySQL and MariaDB treat `a.txt` and `A.txt` as equal, but they are two files: compare again.
    """
    documents = Document.objects.filter(file=name).select_related("owner")
    return next((document for document in documents if document.file.name == name), None)
