"""The base of the admin's pages: rows of any database, permissions and the log."""

from typing import TYPE_CHECKING, Any

import django
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from secure_dbstorage.admin.homes import all_homes, find_by_key, home_database, home_of, key_of
from secure_dbstorage.models import StoredFile, StoredFileQuerySet

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[StoredFile]
else:
    ModelAdmin = admin.ModelAdmin


_TEMPLATES = "admin/secure_dbstorage/storedfile"


class FileAdmin(ModelAdmin):
    """A ModelAdmin for rows in several databases, which change only through storages."""

    class Media:
        css = {"all": ["secure_dbstorage/admin.css"]}
        js = ["secure_dbstorage/admin.js"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the files of the first storage's database, without their content."""
        files: StoredFileQuerySet = StoredFile.objects.using(home_database())
        return files

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> StoredFile | None:
        """Return the file for a key in a URL."""
        return find_by_key(object_id)

    def has_open_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may open files and create links to them."""
        codename = get_permission_codename("open", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))

    def has_publish_permission(self, request: HttpRequest, obj: StoredFile | None = None) -> bool:
        """Tell whether a user may make files public, which takes permission to open them too."""
        return self.has_change_permission(request, obj) and self.has_open_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: StoredFile | None = None) -> bool:
        """Tell whether a user may change a file. Nobody may if it belongs to no storage."""
        return super().has_change_permission(request, obj) and (obj is None or bool(home_of(obj)))

    def has_delete_permission(self, request: HttpRequest, obj: StoredFile | None = None) -> bool:
        """Tell whether a user may delete a file. Nobody may if it belongs to no storage."""
        return super().has_delete_permission(request, obj) and (obj is None or bool(home_of(obj)))

    def change_url(self, file: StoredFile) -> str:
        """Return the URL of a file's page."""
        return self.page_url("change", quote(key_of(file)))

    def page_url(self, page: str, *arguments: str) -> str:
        """Return the URL of one of these pages."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=arguments, current_app=self.admin_site.name)

    def crumbs(self) -> list[tuple[str, str]]:
        """Return the names and URLs of the admin's pages above."""
        index = reverse("admin:index", current_app=self.admin_site.name)
        app = reverse(
            "admin:app_list", args=[self.opts.app_label], current_app=self.admin_site.name
        )
        return [
            (_("Home"), index),
            (str(self.opts.app_config.verbose_name), app),
            (str(capfirst(self.opts.verbose_name_plural)), self.page_url("changelist")),
        ]

    def note(self, request: HttpRequest, file: StoredFile, message: str) -> None:
        """Log a change to a file."""
        self.log_change(request, logged(file), message)

    def gone(self, request: HttpRequest, key: str) -> HttpResponseRedirect:
        """Say that a file does not exist, and redirect to the list."""
        text = _("The stored file “%s” doesn’t exist. Perhaps it was deleted?") % key
        self.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(self.page_url("changelist"))

    def back_to(
        self, request: HttpRequest, file: StoredFile, error: ValidationError
    ) -> HttpResponseRedirect:
        """Show an error, and redirect to the file's page."""
        self.message_user(request, error.messages[0], messages.ERROR)
        return HttpResponseRedirect(self.change_url(file))

    def show_homes(self, request: HttpRequest, page: str, *, title: str) -> TemplateResponse:
        """Show the storages.

        :param page: the name of the page that each leads to.
        """
        entries = [
            {"name": home.alias, "url": self.page_url(page, home.alias)} for home in all_homes()
        ]
        return self.render(request, "browse", title=title, crumbs=self.crumbs(), entries=entries)

    def render(
        self,
        request: HttpRequest,
        template: str,
        *,
        title: str,
        tools: str = "",
        **context: Any,
    ) -> TemplateResponse:
        """Render a page that looks like the rest of the admin.

        :param tools: the template of the buttons beside the title, if any.
        """
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"{_TEMPLATES}/{template}.html",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "tools": tools and f"{_TEMPLATES}/{tools}.html",
                "tools_stand_apart": django.VERSION >= (6, 1),
                "opts": self.opts,
                "app_label": self.opts.app_label,
                "media": self.media,
                "has_view_permission": self.has_view_permission(request),
                **context,
            },
        )


def logged(file: StoredFile) -> StoredFile:
    """Return an instance to log for a file; its primary key is the file's key in the admin."""
    return StoredFile(pk=key_of(file), name=str(file))
