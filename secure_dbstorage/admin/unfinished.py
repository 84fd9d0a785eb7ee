"""The admin's page of unfinished uploads: how many there are, how large, and since when."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min, OuterRef, Subquery, Sum
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from secure_dbstorage.admin.base import FileAdmin
from secure_dbstorage.admin.homes import Home, all_homes, home_named
from secure_dbstorage.models import StoredFile
from secure_dbstorage.sealing.seals import plain_length

#: How many uploads of a storage the page shows, the oldest first.
PAGE_SIZE = 100

#: The number of digits of the largest content key.
_MAX_DIGITS = 19

#: The name of the checkboxes. The value is the alias of a storage, a colon and the content key.
CHOSEN = "upload"


#: An upload: its storage and its content key.
_Chosen = tuple[Home, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The unfinished uploads of a storage."""

    home: Home
    #: Their number.
    count: int
    #: The sizes that were declared, together, in bytes.
    size: int
    #: When the oldest began.
    since: Any
    #: The first rows of the oldest of them, each with ``received``, in bytes.
    shown: list[StoredFile]


class Unfinished(FileAdmin):
    """Shows uploads that nobody has finished, and discards them."""

    def unfinished_view(self, request: HttpRequest) -> HttpResponse:
        """Show the uploads, ask about those that were chosen, or discard them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._show_unfinished(request)
        if not self.has_delete_permission(request):
            raise PermissionDenied
        chosen = list(_chosen(request))
        if chosen and "post" not in request.POST:
            return self._ask_to_discard(request, chosen)
        if chosen:
            self._discard(request, chosen)
        else:
            self.message_user(request, _("No upload was selected."), messages.WARNING)
        return HttpResponseRedirect(self.page_url("unfinished"))

    def _show_unfinished(self, request: HttpRequest) -> HttpResponse:
        return self.render(
            request,
            "unfinished",
            title=_("Unfinished uploads"),
            waiting=[each for home in all_homes() if (each := _waiting(home)).count],
            may_discard=self.has_delete_permission(request),
            checkbox_name=CHOSEN,
        )

    def _ask_to_discard(self, request: HttpRequest, chosen: list[_Chosen]) -> HttpResponse:
        number = len(chosen)
        question = ngettext("Discard this upload?", "Discard these uploads?", number)
        return self.render(
            request,
            "ask_discard",
            title=question,
            warning=ngettext(
                "The data received so far will be deleted. If the upload is still in progress, "
                "it will fail.",
                "The data received so far for these %(number)d uploads will be deleted. Any that "
                "are still in progress will fail.",
                number,
            )
            % {"number": number},
            chosen=[f"{home.alias}:{key}" for home, key in chosen],
            checkbox_name=CHOSEN,
            back=self.page_url("unfinished"),
        )

    def _discard(self, request: HttpRequest, chosen: list[_Chosen]) -> None:
        gone = list[StoredFile]()
        for home, key in chosen:
            upload = home.storage.inbox.find(key)
            if upload is not None and home.storage.inbox.delete(upload):
                gone.append(StoredFile(pk=key, content=key))
        if gone:
            deleted: Any = gone
            self.log_deletions(request, deleted)
        text = ngettext("%d upload was discarded.", "%d uploads were discarded.", len(gone))
        self.message_user(request, text % len(gone), messages.SUCCESS)


def _chosen(request: HttpRequest) -> Iterator[_Chosen]:
    """Yield the storage and the content key of each upload that was chosen."""
    for value in request.POST.getlist(CHOSEN):
        alias, _colon, key = value.rpartition(":")
        home = home_named(alias)
        if home is not None and _is_key(key):
            yield home, int(key)


def _is_key(text: str) -> bool:
    """Tell whether a text is a content key, which may have more digits than a primary key."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return is_number and int(text) < 2**63


def _waiting(home: Home) -> Waiting:
    uploads = home.storage.inbox.unfinished()
    found = uploads.aggregate(count=Count("pk"), size=Sum("size", default=0), since=Min("created"))
    rows = StoredFile.rows.using(home.database).filter(content=OuterRef("content"))
    last = rows.order_by("-position")
    oldest = uploads.order_by("created", "pk").defer("data")
    shown = oldest.annotate(
        last=Subquery(last.values("position")[:1]),
        length=Subquery(last.annotate(length=Length("data")).values("length")[:1]),
    )[:PAGE_SIZE]
    return Waiting(home, shown=[_measured(row) for row in shown], **found)


def _measured(row: Any) -> Any:
    length = row.length if row.sealed_key is None else plain_length(row.length)
    row.received = min(row.size, row.last * row.chunk_size + length)
    return row
