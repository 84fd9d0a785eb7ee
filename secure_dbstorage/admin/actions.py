"""The admin's actions on several files at once."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import logged
from secure_dbstorage.admin.links import FileLinks, link_form
from secure_dbstorage.models import StoredFile

#: The most files for one action, so that pages stay readable and requests short.
MAX_SELECTED = 500


class FileActions(FileLinks):
    """Actions on the files selected in the list."""

    actions = ["make_links", "make_public", "make_private", "revoke_links", "delete_selected"]

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

    @admin.action(description=gettext_lazy("Make public"), permissions=["publish_many"])
    def make_public(self, request: HttpRequest, queryset: Any) -> None:
        """Let anyone open the files."""
        self._each(request, queryset, operations.make_public, _("Made public."))

    @admin.action(description=gettext_lazy("Make private"), permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: Any) -> None:
        """Let only signed links open the files."""
        self._each(request, queryset, operations.make_private, _("Made private."))

    @admin.action(description=gettext_lazy("Revoke links"), permissions=["change"])
    def revoke_links(self, request: HttpRequest, queryset: Any) -> None:
        """Make all existing links to the files stop working."""
        self._each(request, queryset, operations.revoke, _("Links revoked."))

    @admin.action(description=gettext_lazy("Delete"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask for confirmation, then delete the files through their storages."""
        files = self._selected(request, queryset)
        if not files:
            return None
        if "post" not in request.POST:
            title = ngettext("Delete this file?", "Delete these files?", len(files))
            return self._ask(request, "delete_selected", files, title=title)
        self._report(request, self._delete(request, files))
        return None

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete files through their storages: QuerySet.delete() may load their content."""
        for file in queryset:
            operations.delete(file)

    def _delete(self, request: HttpRequest, files: list[StoredFile]) -> list[str]:
        entries = {id(file): logged(file) for file in files}
        problems: list[str] = []
        for file, problem in operations.each(operations.delete, files):
            if problem:
                problems.append(f"{file}: {problem}")
            else:
                deleted: Any = [entries[id(file)]]
                self.log_deletions(request, deleted)
        self._tell_done(request, len(files) - len(problems))
        return problems

    def _each(
        self,
        request: HttpRequest,
        queryset: Any,
        operation: Callable[[StoredFile], None],
        done: str,
    ) -> None:
        files = self._selected(request, queryset)
        problems: list[str] = []
        for file, problem in operations.each(operation, files):
            if problem:
                problems.append(f"{file}: {problem}")
            else:
                self.note(request, file, done)
        if files:
            self._tell_done(request, len(files) - len(problems))
        self._report(request, problems)

    def _selected(self, request: HttpRequest, queryset: Any) -> list[StoredFile]:
        """Return the selected files; if there are too many, none, and show a message."""
        files = list(queryset[: MAX_SELECTED + 1])
        if len(files) <= MAX_SELECTED:
            return files
        text = ngettext("Select at most %d file.", "Select at most %d files.", MAX_SELECTED)
        self.message_user(request, text % MAX_SELECTED, messages.ERROR)
        return []

    def _tell_done(self, request: HttpRequest, count: int) -> None:
        if count:
            text = ngettext(
                "The action was completed for %d file.",
                "The action was completed for %d files.",
                count,
            )
            self.message_user(request, text % count, messages.SUCCESS)

    def _report(self, request: HttpRequest, problems: list[str]) -> None:
        for problem in problems[:10]:
            self.message_user(request, problem, messages.ERROR)
        if rest := len(problems[10:]):
            text = ngettext("… and %d more error.", "… and %d more errors.", rest)
            self.message_user(request, text % rest, messages.ERROR)

    def _ask(
        self, request: HttpRequest, action: str, files: list[StoredFile], **context: Any
    ) -> HttpResponse:
        """Show the page that asks before an action is carried out."""
        template = "delete" if action == "delete_selected" else "ask_links"
        return self.render(
            request,
            template,
            files=files,
            action=action,
            original=context["title"],
            back=request.get_full_path(),
            action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
            **context,
        )
