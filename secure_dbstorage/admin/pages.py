"""The admin's pages of one file: view, rename, link, publish, revoke, delete."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import logged
from secure_dbstorage.admin.deeds import (
    DELETE,
    MAKE_PRIVATE,
    MAKE_PUBLIC,
    REVOKE,
    DeedPages,
    kept_note,
)
from secure_dbstorage.admin.forms import RenameForm
from secure_dbstorage.admin.homes import Home, home_of, key_of
from secure_dbstorage.admin.hooks import check_hooks
from secure_dbstorage.admin.links import FileLinks, link_form
from secure_dbstorage.admin.previews import preview_of
from secure_dbstorage.exceptions import SecureDBStorageError
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.headers import may_show
from secure_dbstorage.upkeep.renaming import Reference


class FilePages(FileLinks, DeedPages):
    """The pages of one file."""

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
            return self.ask_first(
                request, DELETE, [file], original=file, back=self.change_url(file)
            )
        entry, note = logged(file), kept_note([file])
        try:
            self.delete_model(request, file)
        except ValidationError as error:
            return self.back_to(request, file, error)
        self.note_deed(request, entry, DELETE)
        self.tell_done(request, DELETE, [str(file)], note=note)
        return HttpResponseRedirect(self.page_url("changelist"))

    def delete_model(self, request: HttpRequest, obj: StoredFile) -> None:
        """Delete a file through its storage."""
        operations.delete(obj)

    @sensitive_variables()
    def _show(self, request: HttpRequest, file: StoredFile, **forms: Any) -> HttpResponse:
        """Show a file; *forms* holds a submitted form that is not valid."""
        home, may_open = home_of(file), self.has_open_permission(request)
        can_open = home is not None and may_open
        context: dict[str, Any] = {
            "home": home,
            "directory": str(file.name).rpartition("/")[0],
            "key": quote(key_of(file)),
            "can_open": can_open,
            "can_change": self.has_change_permission(request, file),
            "can_publish": self.has_publish_permission(request, file),
            "can_delete": self.has_delete_permission(request, file),
            "rename_form": RenameForm(initial={"name": file.name}),
            # A digest confirms a guess at a short file's content.
            "sha256": _digest(file, home) if may_open else "",
        }
        if home is not None and can_open:
            context["is_inline"] = may_show(str(file.content_type), home.storage.options)
            context["preview"] = preview_of(request, file)
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

    def _rename(self, request: HttpRequest, file: StoredFile) -> HttpResponse:
        # With the name of another file that was deleted, it would show in that one's place.
        if not self.has_publish_permission(request, file):
            raise PermissionDenied
        form, name, changed = RenameForm(request.POST), "", 0
        if form.is_valid():
            try:
                name = operations.canonical(form.cleaned_data["name"])
                # Under its new name, the file may show in another place, to other people.
                check_hooks(request, file)
                check_hooks(request, file, name=name)
                if "post" not in request.POST and (page := self._ask_rename(request, file, name)):
                    return page
                name, changed = operations.rename(file, name)
            except ValidationError as error:
                form.add_error("name", error)
        if form.errors:
            return self._show(request, file, rename_form=form, errors=form.errors)
        self.note(request, file, _("Renamed to “%s”.") % name)
        said = _("The file was renamed to “%s”.") % name
        if changed:
            rows = ngettext("%d row was changed.", "%d rows were changed.", changed) % changed
            said = f"{said} {rows}"
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(self.change_url(file))

    def _ask_rename(
        self, request: HttpRequest, file: StoredFile, name: str
    ) -> HttpResponse | None:
        """Show which rows name the file, or name what it is to be called; None if no row does."""
        if name == file.name:
            return None
        changing, waiting = operations.references(file), operations.references(file, name)
        if not changing and not waiting:
            return None
        return self.render(
            request,
            "rename",
            title=_("Rename this file?"),
            original=file,
            file=file,
            name=name,
            changing=[_described(request, found) for found in changing],
            waiting=[_described(request, found) for found in waiting],
            back=self.change_url(file),
        )

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
        deed, may = {
            "public": (MAKE_PUBLIC, self.has_publish_permission),
            "private": (MAKE_PRIVATE, self.has_change_permission),
            "revoke": (REVOKE, self.has_change_permission),
        }.get(name, (None, None))
        if deed is None or may is None:
            return HttpResponseRedirect(self.change_url(file))
        if not may(request, file):
            raise PermissionDenied
        back = self.change_url(file)
        if deed.question and "post" not in request.POST:
            return self.ask_first(request, deed, [file], original=file, operation=name, back=back)
        try:
            deed.run(request, file)
        except ValidationError as error:
            return self.back_to(request, file, error)
        self.note_deed(request, logged(file), deed)
        self.tell_done(request, deed, [str(file)])
        return HttpResponseRedirect(back)


def _digest(file: StoredFile, home: Home | None) -> str:
    """Return the SHA-256 of a file; an empty text if it is encrypted and can't be opened now."""
    if file.sealed_key is None:
        return str(file.sha256)
    if home is None:
        return ""
    try:
        return file.head(home.storage.options.encryption_keys).stat.sha256
    except SecureDBStorageError:
        return ""


def _described(request: HttpRequest, found: Reference) -> str:
    """Return a row as far as a user may see it."""
    options = found.row._meta
    codename = get_permission_codename("view", options)
    if request.user.has_perm(f"{options.app_label}.{codename}"):
        return f"{options.verbose_name}: {found.row}"
    return f"{options.verbose_name} {found.row.pk}"
