"""The admin of stored files: their list, and the URLs of all other pages."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from secure_dbstorage.admin.actions import FileActions
from secure_dbstorage.admin.browse import Browse
from secure_dbstorage.admin.cells import date_cell, name_cell, type_cell
from secure_dbstorage.admin.filters import (
    DateFilter,
    SizeFilter,
    StorageFilter,
    TypeFilter,
    VisibilityFilter,
)
from secure_dbstorage.admin.homes import all_homes, home_of
from secure_dbstorage.admin.pages import FilePages
from secure_dbstorage.admin.paging import FilePaginator
from secure_dbstorage.admin.previews import thumbnails
from secure_dbstorage.admin.searching import find_files
from secure_dbstorage.admin.trash import TrashPages
from secure_dbstorage.admin.unfinished import Unfinished
from secure_dbstorage.admin.uploading import Uploads
from secure_dbstorage.models import StoredFile

_FILTERS: list[Any] = [StorageFilter, VisibilityFilter, TypeFilter, SizeFilter, DateFilter]


class FileList(ChangeList):
    """The list, in an order that an index provides."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Return the order by name, or by age, which is the order of the primary keys."""
        first, *_rest = super().get_ordering(request, queryset) or ["name"]
        if str(first).removeprefix("-") == "pk":
            return [str(first)]
        return ["-namespace", "-name"] if str(first) == "-name" else ["namespace", "name"]

    def get_results(self, request: HttpRequest) -> None:
        """Take a single page from the paginator too, which has fetched it already."""
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list
        model_admin: Any = self.model_admin
        if model_admin.has_open_permission(request):
            for file, url in thumbnails(request, self.result_list):
                file.thumbnail = url  # type: ignore[attr-defined]  # for its column

    @property
    def left_out(self) -> list[str]:
        """The storages of other databases, which the list shows only if the filter chooses one."""
        filters = (spec for spec in self.filter_specs if isinstance(spec, StorageFilter))
        return [alias for storage_filter in filters for alias in storage_filter.left_out()]

    def url_for_result(self, result: Any) -> str:
        """Return the URL of a file's page, whichever database holds it."""
        model_admin: Any = self.model_admin
        return str(model_admin.change_url(result))


@admin.register(StoredFile)
class StoredFileAdmin(FileActions, FilePages, Uploads, Unfinished, Browse, TrashPages):
    """Manages the stored files, without loading their content."""

    list_filter = _FILTERS
    search_fields = ["name"]
    search_help_text = _(
        "Enter the beginning of a name, including its directories. If no name starts with it, "
        "names that contain it are shown. Enter *word to find all names that contain “word”."
    )
    sortable_by = ["full_name", "added"]
    ordering = ["name"]
    show_full_result_count = False
    list_max_show_all = 0
    # Facets would read the table once for each choice of each filter.
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin/secure_dbstorage/storedfile/list.html"

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns. The storage is one of them if there are several."""
        storage = ["storage"] if len(list(all_homes())) != 1 else []
        return [
            *("full_name", "kind", *storage, "visibility"),
            *("readable_size", "last_saved", "added"),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that is ordered by an index."""
        return FileList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow what the filters ask for. Any other lookup would tell of hidden columns.

        With Django's rule, who may see the list could guess the bytes of a file one by one.
        """
        return lookup in {filter_class.parameter_name for filter_class in _FILTERS}

    def get_paginator(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Return a paginator that does not count millions of files."""
        if queryset.model is StoredFile:
            return FilePaginator(queryset, *args, **kwargs)
        return super().get_paginator(request, queryset, *args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Return the files whose names match."""
        return (find_files(queryset, search_term) if search_term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of these pages, then Django's."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        ours = [
            path("unfinished/", wrap(self.unfinished_view), name=f"{name}_unfinished"),
            path("browse/", wrap(self.browse_view), name=f"{name}_browse"),
            path("browse/<str:alias>/", wrap(self.browse_view), name=f"{name}_browse"),
            path("browse/<str:alias>/<path:path>", wrap(self.browse_view), name=f"{name}_browse"),
            path("trash/", wrap(self.trash_view), name=f"{name}_trash"),
            path("trash/<str:alias>/", wrap(self.trash_view), name=f"{name}_trash"),
            *(
                path(
                    f"<path:object_id>/{page}/",
                    wrap(self.open_view),
                    {"attachment": page == "download"},
                    name=f"{name}_{page}",
                )
                for page in ("open", "download")
            ),
        ]
        return [*ours, *super().get_urls()]

    @admin.display(description=_("name"), ordering="name")
    def full_name(self, file: StoredFile) -> str:
        """Return the name, including directories, and a picture itself."""
        return name_cell(str(file), getattr(file, "thumbnail", ""))

    @admin.display(description=_("type"))
    def kind(self, file: StoredFile) -> str:
        """Return the media type."""
        return type_cell(str(file.content_type))

    @admin.display(description=_("storage"))
    def storage(self, file: StoredFile) -> str | None:
        """Return the storage's alias in ``STORAGES``."""
        home = home_of(file)
        return home.alias if home else None

    @admin.display(description=_("visibility"))
    def visibility(self, file: StoredFile) -> Any:
        """Tell whether a file opens without a signed link."""
        return _("Public") if file.is_public else _("Private")

    @admin.display(description=_("size"))
    def readable_size(self, file: StoredFile) -> str:
        """Return the size in a suitable unit."""
        return filesizeformat(file.size or 0)

    @admin.display(description=_("modified"))
    def last_saved(self, file: StoredFile) -> Any:
        """Return when the content was last saved."""
        return date_cell(file.modified)

    @admin.display(description=_("added"), ordering="pk")
    def added(self, file: StoredFile) -> Any:
        """Return when a file was first saved under this name."""
        return date_cell(file.created)
