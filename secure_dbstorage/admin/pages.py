"""The admin's pages of one file: view, upload, rename, link, publish, revoke, delete."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import logged
from secure_dbstorage.admin.forms import RenameForm, UploadForm
from secure_dbstorage.admin.homes import all_homes, home_of, key_of
from secure_dbstorage.admin.links import FileLinks, link_form, preview_url
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.headers import may_show


class FilePages(FileLinks):
    """The pages of one file."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may upload files, and there is a storage to hold them."""
        return super().has_add_permission(request) and any(all_homes())

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Upload a file."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {name: request.GET.get(name) for name in ("storage", "directory")}
        form = UploadForm(request.POST or None, request.FILES or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                return self._upload(request, form)
            except ValidationError as error:
                form.add_error(None, error)
        return self.render(
            request,
            "upload",
            title=_("Upload a file"),
            add=True,
            form=form,
            errors=form.errors,
            **(extra_context or {}),
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a file and what can be done with it, or do it."""
        file = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, file):
            raise PermissionDenied
        if file is None:
            return self.gone(request, unquote(object_id))
        if request.method != "POST":
            return self._show(request, file, **(extra_context or {}))
        operation = request.POST.get("operation", "")
        if operation == "rename":
            return self._rename(request, file)
        if operation == "link":
            return self._link(request, file)
        return self._run(request, file, operation)

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask for confirmation, then delete a file."""
        file = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, file):
            raise PermissionDenied
        if file is None:
            return self.gone(request, unquote(object_id))
        if request.method != "POST":
            return self.render(
                request,
                "delete",
                title=ngettext("Delete this file?", "Delete these files?", 1),
                files=[file],
                original=file,
                back=self.change_url(file),
                **(extra_context or {}),
            )
        entry = logged(file)
        try:
            self.delete_model(request, file)
        except ValidationError as error:
            return self.back_to(request, file, error)
        self.log_deletions(request, [entry])  # type: ignore[arg-type]
        self.message_user(request, _("“%s” was deleted.") % file, messages.SUCCESS)
        return HttpResponseRedirect(self.page_url("changelist"))

    def delete_model(self, request: HttpRequest, obj: StoredFile) -> None:
        """Delete a file through its storage."""
        operations.delete(obj)

    @sensitive_variables()
    def _show(self, request: HttpRequest, file: StoredFile, **forms: Any) -> HttpResponse:
        """Show a file; *forms* holds a submitted form that is not valid."""
        home = home_of(file)
        can_open = home is not None and self.has_open_permission(request)
        context: dict[str, Any] = {
            "home": home,
            "directory": str(file.name).rpartition("/")[0],
            "key": quote(key_of(file)),
            "can_open": can_open,
            "can_change": self.has_change_permission(request, file),
            "can_publish": self.has_publish_permission(request, file),
            "can_delete": self.has_delete_permission(request, file),
            "rename_form": RenameForm(initial={"name": file.name}),
        }
        if home is not None and can_open:
            context["is_inline"] = may_show(str(file.content_type), home.storage.options)
            context["preview"] = preview_url(file) if context["is_inline"] else ""
            context["link_form"] = link_form([file])
        return self.render(
            request,
            "file",
            title=str(file).rpartition("/")[2],
            tools="_file_tools",
            change=True,
            original=file,
            file=file,
            **(context | forms),
        )

    def _upload(self, request: HttpRequest, form: UploadForm) -> HttpResponse:
        given = form.cleaned_data
        file, is_new = operations.upload(
            given["home"],
            given["path"],
            given["file"],
            public=form.public,
            may_replace=self.has_change_permission(request),
        )
        if is_new:
            self.log_addition(request, logged(file), _("Uploaded."))
        else:
            self.note(request, file, _("Content replaced."))
        self.message_user(request, _("“%s” was uploaded.") % file, messages.SUCCESS)
        if self.has_view_permission(request, file):
            return HttpResponseRedirect(self.change_url(file))
        return HttpResponseRedirect(self.page_url("add"))

    def _rename(self, request: HttpRequest, file: StoredFile) -> HttpResponse:
        if not self.has_change_permission(request, file):
            raise PermissionDenied
        form = RenameForm(request.POST)
        if form.is_valid():
            try:
                name = operations.rename(file, form.cleaned_data["name"])
            except ValidationError as error:
                form.add_error("name", error)
        if form.errors:
            return self._show(request, file, rename_form=form, errors=form.errors)
        self.note(request, file, _("Renamed to “%s”.") % name)
        self.message_user(request, _("The file was renamed to “%s”.") % name, messages.SUCCESS)
        return HttpResponseRedirect(self.change_url(file))

    @sensitive_variables()
    def _link(self, request: HttpRequest, file: StoredFile) -> HttpResponse:
        """Create a link, and show it once."""
        if not self.has_open_permission(request):
            raise PermissionDenied
        try:
            form = link_form([file], request.POST)
            page = self.links_page(
                request,
                [file],
                form,
                title=_("Link to this file"),
                original=file,
                back=self.change_url(file),
            )
        except ValidationError as error:
            return self.back_to(request, file, error)
        return page or self._show(request, file, link_form=form, errors=form.errors)

    def _run(self, request: HttpRequest, file: StoredFile, name: str) -> HttpResponse:
        """Run an operation that needs no form."""
        operation: Callable[[StoredFile], None]
        if name == "public":
            may, operation = self.has_publish_permission, operations.make_public
            done = _("Made public.")
        elif name == "private":
            may, operation = self.has_change_permission, operations.make_private
            done = _("Made private.")
        elif name == "revoke":
            may, operation = self.has_change_permission, operations.revoke
            done = _("Links revoked. Existing links no longer open this file.")
        else:
            return HttpResponseRedirect(self.change_url(file))
        if not may(request, file):
            raise PermissionDenied
        try:
            operation(file)
        except ValidationError as error:
            return self.back_to(request, file, error)
        self.note(request, file, done)
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(self.change_url(file))
