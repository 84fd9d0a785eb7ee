"""The admin's page for uploads: several files at once, each of which is kept or refused."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import FileAdmin, logged
from secure_dbstorage.admin.forms import UploadForm
from secure_dbstorage.admin.homes import Home, all_homes
from secure_dbstorage.admin.hooks import check_hooks
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import shown_name

#: The most names in one message.
_MAX_NAMES = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files of one request."""

    saved: list[StoredFile] = field(default_factory=list)
    #: Each file that was refused, and what to tell about it.
    refused: list[tuple[Any, str]] = field(default_factory=list)


class Uploads(FileAdmin):
    """Takes new files."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may upload files, and there is a storage to hold them."""
        return super().has_add_permission(request) and any(all_homes())

    @method_decorator(sensitive_post_parameters("file-upload"))
    @sensitive_variables()
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask for files, or take them."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {name: request.GET.get(name) for name in ("storage", "directory")}
        form = UploadForm(
            request.POST or None, request.FILES or None, initial=initial, user=request.user
        )
        if request.method == "POST" and form.is_valid():
            outcome = self._take(request, form)
            self._tell(request, outcome.saved)
            if not outcome.refused:
                return self._leave(request, form.cleaned_data["home"], outcome.saved)
            form.keep_only([content for content, _text in outcome.refused])
            for _content, text in outcome.refused:
                form.add_error(None, text)
        return self.render(
            request,
            "upload",
            title=_("Upload files"),
            add=True,
            form=form,
            errors=form.errors,
            media=self.media + form.media,
            **(extra_context or {}),
        )

    def _take(self, request: HttpRequest, form: UploadForm) -> Outcome:
        """Save each file in a separate transaction, so that one refusal spoils no other."""
        outcome = Outcome()
        for path, content in form.uploads:
            try:
                file = operations.upload(
                    form.cleaned_data["home"],
                    path,
                    content,
                    public=form.public,
                    before_publishing=partial(self._check_may_publish, request),
                )
            except ValidationError as error:
                outcome.refused.append((content, f"{shown_name(path)}: {error.messages[0]}"))
            else:
                outcome.saved.append(file)
                self.log_addition(request, logged(file), _("Uploaded."))
        return outcome

    def _tell(self, request: HttpRequest, saved: list[StoredFile]) -> None:
        if len(saved) == 1:
            self.message_user(request, _("“%s” was uploaded.") % saved[0], messages.SUCCESS)
        elif saved:
            text = ngettext("%d file was uploaded:", "%d files were uploaded:", len(saved))
            names = [_("“%s”") % file for file in saved[:_MAX_NAMES]] + ["…"] * (
                len(saved) > _MAX_NAMES
            )
            said = f"{text % len(saved)} {', '.join(names)}"
            self.message_user(request, said, messages.SUCCESS)

    def _leave(
        self, request: HttpRequest, home: Home, saved: list[StoredFile]
    ) -> HttpResponseRedirect:
        """Redirect to the file; if there are several, to their directory."""
        if not self.has_view_permission(request, saved[0]):
            return HttpResponseRedirect(self.page_url("add"))
        if len(saved) == 1:
            return HttpResponseRedirect(self.change_url(saved[0]))
        directory, slash, _name = str(saved[0].name).rpartition("/")
        path = [directory + slash] if directory else []
        return HttpResponseRedirect(self.page_url("browse", home.alias, *path))

    def _check_may_publish(self, request: HttpRequest, file: StoredFile) -> None:
        """Return if a user may make a file public.

        :raises ValidationError: if not.
        """
        if not self.has_publish_permission(request, file):
            raise ValidationError(_("You don’t have permission to make files public."))
        check_hooks(request, file)
