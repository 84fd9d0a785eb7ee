"""Undo: restores the document that somebody has just deleted."""

import time

from django.http import HttpRequest

from .models import Document

#: How long the page offers to undo. The file itself is kept for as long as `keep_deleted` says.
OFFERED_SECONDS = 10 * 60

_DELETED = "just_deleted"


def note_deletion(request: HttpRequest, document: Document) -> None:
    """Remember a document that is about to be deleted."""
    request.session[_DELETED] = [document.title, str(document.file), int(time.time())]


def title_of_deleted(request: HttpRequest) -> str:
    """Return the title of the document that can be restored; "" if there is none."""
    title, _name, at = request.session.get(_DELETED, ("", "", 0))
    return str(title) if time.time() < at + OFFERED_SECONDS else ""


def undo_deletion(request: HttpRequest) -> Document | None:
    """Restore the document, for its owner only; None if that is no longer possible."""
    title, name, _at = request.session.pop(_DELETED, ("", "", 0))
    try:
        return Document.objects.restore(request.user, title, name) if name else None
    except (FileNotFoundError, FileExistsError):
        return None
