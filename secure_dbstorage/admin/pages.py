"""The admin's pages of one file: look, upload, rename, make a link, revoke, publish, delete."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import FileAdmin, logged
from secure_dbstorage.admin.forms import LinkForm, RenameForm, UploadForm, in_words
from secure_dbstorage.admin.homes import all_places, key_of, place_of
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.headers import may_show

#: What a page shows as a picture: raster images, which can't carry script.
_PICTURES = frozenset(
    f"image/{kind}"
    for kind in ("apng", "avif", "bmp", "gif", "jpeg", "png", "vnd.microsoft.icon", "webp")
)

#: Larger pictures are not fetched for a look at their page, in bytes.
_MAX_PREVIEW = 5 * 1024 * 1024


class FilePages(FileAdmin):
    """The pages of one file."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether a person may upload files, and there is a storage for them."""
        return super().has_add_permission(request) and any(all_places())

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
        """Show a file, and what can be done to it; do it."""
        file = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, file):
            raise PermissionDenied
        if file is None:
            return self.gone(request, unquote(object_id))
        if request.method != "POST":
            return self._show(request, file, **(extra_context or {}))
        errand = request.POST.get("errand", "")
        if errand == "rename":
            return self._rename(request, file)
        if errand == "link":
            return self._link(request, file)
        return self._run(request, file, errand)

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask whether a file is to be deleted; delete it."""
        file = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, file):
            raise PermissionDenied
        if file is None:
            return self.gone(request, unquote(object_id))
        if request.method != "POST":
            return self.render(
                request,
                "delete",
                title=_("Delete this file?"),
                files=[file],
                original=file,
                back=self.change_url(file),
                **(extra_context or {}),
            )
        stands_for = logged(file)
        try:
            self.delete_model(request, file)
        except ValidationError as error:
            return self._back(request, file, error)
        self.log_deletions(request, [stands_for])  # type: ignore[arg-type]
        self.message_user(request, _("“%s” is deleted.") % file, messages.SUCCESS)
        return HttpResponseRedirect(self.page_url("changelist"))

    def delete_model(self, request: HttpRequest, obj: StoredFile) -> None:
        """Delete a file by its storage."""
        operations.delete(obj)

    def open_view(self, request: HttpRequest, object_id: str, *, attachment: bool) -> HttpResponse:
        """Send the browser to a file, by a link that was made for this click."""
        file = self.get_object(request, unquote(object_id))
        if not (self.has_view_permission(request, file) and self.has_open_permission(request)):
            raise PermissionDenied
        if file is None:
            return self.gone(request, unquote(object_id))
        try:
            url = _momentary(file, attachment=attachment, window=0)
        except ValidationError as error:
            return self._back(request, file, error)
        return HttpResponseRedirect(url, headers={"Referrer-Policy": "no-referrer"})

    @sensitive_variables()
    def _show(self, request: HttpRequest, file: StoredFile, **forms: Any) -> HttpResponse:
        """Show a file; *forms* has one that was sent in and is not right."""
        place = place_of(file)
        can_open = place is not None and self.has_open_permission(request)
        context: dict[str, Any] = {
            "place": place,
            "directory": str(file.name).rpartition("/")[0],
            "key": quote(key_of(file)),
            "can_open": can_open,
            "can_change": self.has_change_permission(request, file),
            "can_publish": self.has_publish_permission(request, file),
            "can_delete": self.has_delete_permission(request, file),
            "rename_form": RenameForm(initial={"name": file.name}),
        }
        if place is not None and can_open:
            context["is_inline"] = may_show(str(file.content_type), place.storage.options)
            context["preview"] = _preview(file) if context["is_inline"] else ""
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
            given["place"],
            given["path"],
            given["file"],
            public=form.public,
            may_replace=self.has_change_permission(request),
        )
        if is_new:
            self.log_addition(request, logged(file), _("Uploaded."))
        else:
            self.note(request, file, _("Content replaced."))
        self.message_user(request, _("“%s” is stored.") % file, messages.SUCCESS)
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
        self.message_user(request, _("The file is called “%s” now.") % name, messages.SUCCESS)
        return HttpResponseRedirect(self.change_url(file))

    @sensitive_variables()
    def _link(self, request: HttpRequest, file: StoredFile) -> HttpResponse:
        """Make a link, and show it this once."""
        if not self.has_open_permission(request):
            raise PermissionDenied
        try:
            form = link_form([file], request.POST)
            links = make_links(self, request, [file], form)
        except ValidationError as error:
            return self._back(request, file, error)
        if not links:
            return self._show(request, file, link_form=form, errors=form.errors)
        return self.render(
            request,
            "links",
            title=_("A link to this file"),
            original=file,
            links=links,
            back=self.change_url(file),
            **link_words(form),
        )

    def _run(self, request: HttpRequest, file: StoredFile, name: str) -> HttpResponse:
        """Do what takes a click."""
        errand: Callable[[StoredFile], None]
        if name == "public":
            may, errand = self.has_publish_permission, operations.make_public
            done = _("Made public.")
        elif name == "private":
            may, errand = self.has_change_permission, operations.make_private
            done = _("Made private.")
        elif name == "revoke":
            may, errand = self.has_change_permission, operations.revoke
            done = _("Links revoked: none that was made before now opens the file.")
        else:
            return HttpResponseRedirect(self.change_url(file))
        if not may(request, file):
            raise PermissionDenied
        try:
            errand(file)
        except ValidationError as error:
            return self._back(request, file, error)
        self.note(request, file, done)
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(self.change_url(file))

    def _back(
        self, request: HttpRequest, file: StoredFile, error: ValidationError
    ) -> HttpResponse:
        self.message_user(request, error.messages[0], messages.ERROR)
        return HttpResponseRedirect(self.change_url(file))


def link_form(files: list[StoredFile], data: Any = None) -> LinkForm:
    """Return the form that asks what links to these files are to allow.

    :raises ValidationError: when one of them is of no storage.
    """
    options = [operations.place_for(file).storage.options for file in files]
    longest = min(option.max_expires_in for option in options)
    usual = min(option.expires_in for option in options)
    return LinkForm(data, usual=min(usual, longest), longest=longest)


@sensitive_variables()
def make_links(
    model_admin: FileAdmin, request: HttpRequest, files: list[StoredFile], form: LinkForm
) -> list[tuple[StoredFile, str]]:
    """Return files with whole URLs, and log that they were made; none if the form is not right."""
    if not form.is_valid():
        return []
    links = operations.links(files, **form.arguments)
    lifetime = in_words(form.cleaned_data["lifetime"])
    for file in files:
        model_admin.note(request, file, _("Link made, for %s.") % lifetime)
    return [(file, request.build_absolute_uri(url)) for file, url in links]


def link_words(form: LinkForm) -> dict[str, Any]:
    """Return what a page says of links."""
    seconds = form.cleaned_data["lifetime"]
    return {
        "lifetime": in_words(seconds),
        "expires": timezone.now() + timedelta(seconds=seconds),
        "once": form.cleaned_data["once"],
    }


def _preview(file: StoredFile) -> str:
    """Return the URL of a picture that is small enough to be shown; else nothing."""
    if file.content_type not in _PICTURES or (file.size or 0) > _MAX_PREVIEW:
        return ""
    try:
        return _momentary(file)
    except ValidationError:
        return ""


def _momentary(file: StoredFile, **arguments: Any) -> str:
    longest = operations.place_for(file).storage.options.max_expires_in
    return operations.link(file, expires_in=min(operations.MOMENT, longest), **arguments)
