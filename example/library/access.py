"""The auth hook: who may open a document."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from secure_dbstorage.access import HookGrant
from secure_dbstorage.files import FileStat

from .models import Document

#: Where the session keeps the link to come back to.
AFTER_SIGN_IN = "after-sign-in"


def may_open(request: HttpRequest, file: FileStat, grant: HookGrant) -> bool | HttpResponse:
    """Let in the owner, the keeper, and anyone with a link to a shared document.

    The link's signature and lifetime have already been checked. Visitors who haven't signed in are
    sent to the sign-in page, and from there back to the link. It waits in the session: in a URL,
    its token would be in logs, histories and Referer headers.
    """
    if request.user.has_perm("secure_dbstorage.open_storedfile"):
        return True  # This user may open any file in the admin.
    document = document_named(file.name)
    if document is None:
        return False
    if document.shared:
        return True
    if not request.user.is_authenticated:
        request.session[AFTER_SIGN_IN] = grant.return_path
        return redirect("sign-in")
    return bool(document.owner == request.user)


def document_named(name: str) -> Document | None:
    """Return the document with exactly this file.

    MySQL and MariaDB treat `a.txt` and `A.txt` as equal, but they are two files: compare again.
    """
    documents = Document.objects.filter(file=name).select_related("owner")
    return next((document for document in documents if document.file.name == name), None)
