"""The admin's actions on several files at once."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.archives import archive_of
from secure_dbstorage.admin.base import logged
from secure_dbstorage.admin.deeds import (
    DELETE,
    MAKE_PRIVATE,
    MAKE_PUBLIC,
    REVOKE,
    Deed,
    DeedPages,
    kept_note,
)
from secure_dbstorage.admin.homes import is_number
from secure_dbstorage.admin.links import FileLinks, link_form
from secure_dbstorage.models import StoredFile

#: The most files for one action, so that pages stay readable and requests short.
MAX_SELECTED = 500


class FileActions(FileLinks, DeedPages):
    """Actions on the files selected in the list."""

    actions = [
        *("make_links", "download_zip", "make_public", "make_private", "revoke_links"),
        "delete_selected",
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or run an action, on the selected keys that are numbers."""
        if chosen := request.POST.getlist(helpers.ACTION_CHECKBOX_NAME):
            keys = [key for key in chosen if is_number(key)]
            if not keys:
                self.message_user(request, _("No file was selected."), messages.WARNING)
                return HttpResponseRedirect(request.get_full_path())
            given = request.POST.copy()
            given.setlist(helpers.ACTION_CHECKBOX_NAME, keys)
            request.POST = given  # type: ignore[assignment]  # it has a setter
        return super().changelist_view(request, extra_context)

    def has_publish_many_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may make files public."""
        return self.has_publish_permission(request)

    @admin.action(description=gettext_lazy("Create links"), permissions=["open"])
    @sensitive_variables()
    def make_links(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask for the terms of the links, then show the links."""
        files = self._selected(request, queryset)
        if not files:
            return None
        try:
            form = link_form(files, request.POST if "post" in request.POST else None)
            page = self.links_page(
                request,
                files,
                form,
                title=_("Links"),
                original=_("Links"),
                back=request.get_full_path(),
            )
        except ValidationError as error:
            self.message_user(request, error.messages[0], messages.ERROR)
            return None
        return page or self._ask(
            request, "make_links", files, title=_("Create links"), form=form, errors=form.errors
        )

    @admin.action(description=gettext_lazy("Download as zip"), permissions=["open"])
    def download_zip(self, request: HttpRequest, queryset: Any) -> HttpResponseBase | None:
        """Send the files as one archive, if the auth hooks let this user open each of them."""
        files = self._selected(request, queryset)
        if not files:
            return None
        try:
            return archive_of(request, files)
        except ValidationError as error:
            self.message_user(request, error.messages[0], messages.ERROR)
            return None

    @admin.action(description=gettext_lazy("Make public"), permissions=["publish_many"])
    def make_public(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Let anyone open the files."""
        return self._each(request, queryset, "make_public", MAKE_PUBLIC)

    @admin.action(description=gettext_lazy("Make private"), permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Let only signed links open the files."""
        return self._each(request, queryset, "make_private", MAKE_PRIVATE)

    @admin.action(description=gettext_lazy("Revoke links"), permissions=["change"])
    def revoke_links(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Make all existing links to the files stop working."""
        return self._each(request, queryset, "revoke_links", REVOKE)

    @admin.action(description=gettext_lazy("Delete"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Delete the files through their storages."""
        return self._each(request, queryset, "delete_selected", DELETE)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete files through their storages: QuerySet.delete() may load their content."""
        for file in queryset:
            operations.delete(file)

    def _each(
        self, request: HttpRequest, queryset: Any, action: str, deed: Deed
    ) -> HttpResponse | None:
        """Do something to each file, or ask first."""
        files = self._selected(request, queryset)
        if not files:
            return None
        if deed.question and "post" not in request.POST:
            return self.ask_first(
                request, deed, files, action=action, back=request.get_full_path()
            )
        done: list[StoredFile] = []
        problems: list[str] = []
        # A deleted file has no key any more.
        entries = {id(file): logged(file) for file in files}
        for file, problem in operations.each(partial(deed.run, request), files):
            if problem:
                problems.append(f"{file}: {problem}")
                continue
            done.append(file)
            self.note_deed(request, entries[id(file)], deed)
        if done:
            note = kept_note(done) if deed is DELETE else ""
            self.tell_done(request, deed, list(map(str, done)), note=note)
        self._report(request, problems)
        return None

    def _selected(self, request: HttpRequest, queryset: Any) -> list[StoredFile]:
        """Return the selected files; if there are too many, none, and show a message."""
        files = list(queryset[: MAX_SELECTED + 1])
        if len(files) <= MAX_SELECTED:
            return files
        text = ngettext("Select at most %d file.", "Select at most %d files.", MAX_SELECTED)
        self.message_user(request, text % MAX_SELECTED, messages.ERROR)
        return []

    def _report(self, request: HttpRequest, problems: list[str]) -> None:
        for problem in problems[:10]:
            self.message_user(request, problem, messages.ERROR)
        if rest := len(problems[10:]):
            text = ngettext("… and %d more error.", "… and %d more errors.", rest)
            self.message_user(request, text % rest, messages.ERROR)

    def _ask(
        self, request: HttpRequest, action: str, files: list[StoredFile], **context: Any
    ) -> HttpResponse:
        """Show the page that asks for the terms of links."""
        return self.render(
            request,
            "ask_links",
            files=files,
            action=action,
            original=context["title"],
            back=request.get_full_path(),
            action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
            **context,
        )
