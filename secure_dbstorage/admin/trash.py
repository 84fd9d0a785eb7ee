"""The admin's trash: lists deleted and overwritten files, and restores or erases them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import FileAdmin, logged
from secure_dbstorage.admin.cells import date_cell, name_cell
from secure_dbstorage.admin.homes import Home, all_homes, home_named, is_number
from secure_dbstorage.admin.paging import MAX_LISTED
from secure_dbstorage.files import DeletedFile
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.names import has_control_character, shown_name

#: How many files a page shows.
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An operation on deleted files, and its texts."""

    run: Callable[[Home, DeletedFile], None]
    #: For one file by its name, and for several files.
    done: Any
    done_to_many: Any
    #: What the log says.
    entry: Any


RESTORE = Change(
    run=operations.restore,
    done=gettext_lazy("“%s” was restored. Earlier links to it still don’t work."),
    done_to_many=ngettext_lazy(
        "%d file was restored. Earlier links to it still don’t work.",
        "%d files were restored. Earlier links to them still don’t work.",
    ),
    entry=gettext_lazy("Restored."),
)

ERASE = Change(
    run=operations.erase,
    done=gettext_lazy("“%s” was erased for good."),
    done_to_many=ngettext_lazy("%d file was erased for good.", "%d files were erased for good."),
    entry=gettext_lazy("Erased for good."),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A deleted file, as the pages show it."""

    row: StoredFile
    file: DeletedFile

    @property
    def pk(self) -> int:
        """The primary key of the row."""
        return self.row.pk

    @property
    def cell(self) -> str:
        """The name, shortened if it is long."""
        return name_cell(shown_name(self.file.name))

    @property
    def deleted(self) -> str:
        """When it was deleted."""
        return date_cell(self.file.deleted)

    @property
    def kept_until(self) -> str:
        """Until when it can be restored."""
        return date_cell(self.file.kept_until)

    def __str__(self) -> str:
        return shown_name(self.file.name)


class TrashPages(FileAdmin):
    """The pages of deleted files. Seeing them takes *view*, restoring takes *add* too."""

    @property
    def keeps_deleted(self) -> bool:
        """Whether any storage keeps deleted files."""
        return any(home.storage.options.keep_deleted is not None for home in all_homes())

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may erase deleted files before their time is over."""
        codename = get_permission_codename("erase", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))

    def trash_view(self, request: HttpRequest, alias: str = "") -> HttpResponse:
        """Show the deleted files of a storage, or change them; without an alias, the storages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        homes = {home.alias: home for home in all_homes()}
        if not alias and len(homes) != 1:
            return self.show_homes(request, "trash", title=_("Deleted files"))
        home = home_named(alias or next(iter(homes)))
        if home is None:
            raise Http404(alias)
        if request.method == "POST":
            return self._change_deleted(request, home)
        return self._show_trash(request, home)

    def _show_trash(self, request: HttpRequest, home: Home) -> HttpResponse:
        begin = request.GET.get("q", "")
        files = _beginning_with(home.storage.catalog.trash.kept(), begin)
        keys, is_capped = _keys(files)
        page = Paginator(keys, PAGE_SIZE).get_page(request.GET.get("p"))
        return self.render(
            request,
            "trash",
            title=_("Deleted files"),
            crumbs=[*self.crumbs(), (_("Deleted files"), self.page_url("trash"))]
            if len(list(all_homes())) > 1
            else self.crumbs(),
            home=home,
            begin=begin,
            page=page,
            is_capped=is_capped,
            max_listed=MAX_LISTED,
            entries=_entries(home, files, list(page.object_list)),
            can_restore=self.has_add_permission(request),
            can_erase=self.has_erase_permission(request),
            action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
        )

    def _change_deleted(self, request: HttpRequest, home: Home) -> HttpResponse:
        change, may = {
            "restore": (RESTORE, self.has_add_permission),
            "erase": (ERASE, self.has_erase_permission),
        }.get(request.POST.get("action", ""), (None, None))
        back = f"{self.page_url('trash', home.alias)}{_query(request)}"
        if change is None or may is None:
            return HttpResponseRedirect(back)
        if not may(request):
            raise PermissionDenied
        chosen = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)[:PAGE_SIZE]
        keys = [int(key) for key in chosen if is_number(key)]
        entries = _entries(home, home.storage.catalog.trash.kept(), keys)
        if not entries:
            self.message_user(request, _("No file was selected."), messages.WARNING)
        elif change is ERASE and "post" not in request.POST:
            return self._ask_to_erase(request, entries, back)
        else:
            self._make(request, home, change, entries)
        return HttpResponseRedirect(back)

    def _ask_to_erase(self, request: HttpRequest, entries: list[Entry], back: str) -> HttpResponse:
        number = len(entries)
        question = ngettext_lazy("Erase this file?", "Erase these files?") % number
        warning = ngettext_lazy(
            "This file will be erased, and nobody will be able to restore it:",
            "These %(number)s files will be erased, and nobody will be able to restore them:",
            "number",
        )
        return self.render(
            request,
            "ask",
            title=str(question),
            original=question,
            warning=warning % {"number": number},
            files=entries,
            action="erase",
            action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
            back=back,
        )

    def _make(
        self, request: HttpRequest, home: Home, change: Change, entries: list[Entry]
    ) -> None:
        """Make a change to each file, and report the result."""
        done: list[str] = []
        for entry in entries:
            noted = logged(entry.row)
            noted.name = entry.file.name
            try:
                change.run(home, entry.file)
            except ValidationError as error:
                self.message_user(request, f"{entry}: {error.messages[0]}", messages.ERROR)
                continue
            self.log_change(request, noted, str(change.entry))
            done.append(str(entry))
        if len(done) == 1:
            self.message_user(request, str(change.done % done[0]), messages.SUCCESS)
        elif done:
            self.message_user(request, str(change.done_to_many % len(done)), messages.SUCCESS)


def _beginning_with(files: StoredFileQuerySet, text: str) -> StoredFileQuerySet:
    if not text:
        return files
    if has_control_character(text):
        return files.none()
    # No character of a name sorts after U+10FFFF.
    return files.filter(name__gte=text, name__lt=f"{text}\U0010ffff")


def _keys(files: StoredFileQuerySet) -> tuple[list[int], bool]:
    """Return the keys of the files, newest first, and whether there are too many for that.

    Those are in the order of their names, which an index provides.
    """
    rows = list(files.values_list("link_epoch", "pk")[: MAX_LISTED + 1])
    if len(rows) > MAX_LISTED:
        return list(files.order_by("name").values_list("pk", flat=True)[:MAX_LISTED]), True
    return [key for _epoch, key in sorted(rows, reverse=True)], False


def _entries(home: Home, files: StoredFileQuerySet, keys: Sequence[int]) -> list[Entry]:
    """Return the entries with these keys, in this order."""
    described = home.storage.catalog.trash.described
    found = {row.pk: Entry(row, described(row)) for row in files.filter(pk__in=keys)}
    return [found[key] for key in keys if key in found]


def _query(request: HttpRequest) -> str:
    begin = request.GET.get("q", "")
    return f"?{urlencode({'q': begin})}" if begin else ""
