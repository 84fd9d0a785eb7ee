"""The admin's actions for many files at once."""

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
from secure_dbstorage.admin.base import FileAdmin, logged
from secure_dbstorage.admin.pages import link_form, link_words, make_links
from secure_dbstorage.models import StoredFile

#: How many files an action takes: what a page has room for, and a request takes time for.
MAX_CHOSEN = 500


class FileActions(FileAdmin):
    """Actions for the files that are ticked in the list."""

    actions = ["make_links", "make_public", "make_private", "revoke_links", "delete_selected"]

    def has_publish_many_permission(self, request: HttpRequest) -> bool:
        """Tell whether a person may make files public."""
        return self.has_publish_permission(request)

    @admin.action(description=gettext_lazy("Make links"), permissions=["open"])
    @sensitive_variables()
    def make_links(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask what the links are to allow; then show them."""
        files = self._taken(request, queryset)
        if not files:
            return None
        try:
            form = link_form(files, request.POST if "post" in request.POST else None)
            links = make_links(self, request, files, form)
        except ValidationError as error:
            self.message_user(request, error.messages[0], messages.ERROR)
            return None
        if links:
            return self.render(
                request,
                "links",
                title=_("Links"),
                original=_("Links"),
                links=links,
                back=request.get_full_path(),
                **link_words(form),
            )
        return self._ask(
            request, "make_links", files, title=_("Make links"), form=form, errors=form.errors
        )

    @admin.action(description=gettext_lazy("Make public"), permissions=["publish_many"])
    def make_public(self, request: HttpRequest, queryset: Any) -> None:
        """Let everybody open the files."""
        self._each(request, queryset, operations.make_public, _("Made public."))

    @admin.action(description=gettext_lazy("Make private"), permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: Any) -> None:
        """Let the files be opened by links alone."""
        self._each(request, queryset, operations.make_private, _("Made private."))

    @admin.action(description=gettext_lazy("Revoke links"), permissions=["change"])
    def revoke_links(self, request: HttpRequest, queryset: Any) -> None:
        """Let no link that is out open the files."""
        self._each(request, queryset, operations.revoke, _("Links revoked."))

    @admin.action(description=gettext_lazy("Delete"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask whether the files are to be deleted; then delete them, by their storages."""
        files = self._taken(request, queryset)
        if not files:
            return None
        if "post" not in request.POST:
            return self._ask(request, "delete_selected", files, title=_("Delete these files?"))
        self._report(request, self._delete(request, files))
        return None

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete files by their storages: a queryset's own way may load their bytes."""
        for file in queryset:
            operations.delete(file)

    def _delete(self, request: HttpRequest, files: list[StoredFile]) -> list[str]:
        stand_for = {id(file): logged(file) for file in files}
        problems: list[str] = []
        for file, problem in operations.each(operations.delete, files):
            if problem:
                problems.append(f"{file}: {problem}")
            else:
                deleted: Any = [stand_for[id(file)]]
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
        files = self._taken(request, queryset)
        problems: list[str] = []
        for file, problem in operations.each(operation, files):
            if problem:
                problems.append(f"{file}: {problem}")
            else:
                self.note(request, file, done)
        if files:
            self._tell_done(request, len(files) - len(problems))
        self._report(request, problems)

    def _taken(self, request: HttpRequest, queryset: Any) -> list[StoredFile]:
        """Return the chosen files; none, and a message, if they are too many."""
        files = list(queryset[: MAX_CHOSEN + 1])
        if len(files) <= MAX_CHOSEN:
            return files
        text = _("An action takes at most %d files. Choose fewer.") % MAX_CHOSEN
        self.message_user(request, text, messages.ERROR)
        return []

    def _tell_done(self, request: HttpRequest, count: int) -> None:
        if count:
            text = ngettext("Done for %d file.", "Done for %d files.", count) % count
            self.message_user(request, text, messages.SUCCESS)

    def _report(self, request: HttpRequest, problems: list[str]) -> None:
        for problem in problems[:10]:
            self.message_user(request, problem, messages.ERROR)
        if rest := len(problems[10:]):
            text = ngettext("… and %d more.", "… and %d more.", rest) % rest
            self.message_user(request, text, messages.ERROR)

    def _ask(
        self, request: HttpRequest, action: str, files: list[StoredFile], **context: Any
    ) -> HttpResponse:
        """Show the page between an action and what it does."""
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
