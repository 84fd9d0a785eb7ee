"""The admin's directories: a page for the entries of each."""

from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousFileOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from secure_dbstorage.admin.base import FileAdmin
from secure_dbstorage.admin.cells import name_cell
from secure_dbstorage.admin.homes import Home, home_named
from secure_dbstorage.admin.previews import thumbnails
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import ancestors, canonical_name, shown_name

#: How many entries a page shows.
PAGE_SIZE = 200


class Browse(FileAdmin):
    """The pages of directories."""

    def browse_view(self, request: HttpRequest, alias: str = "", path: str = "") -> HttpResponse:
        """Show a directory of a storage, or, without an alias, the storages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not alias:
            return self.show_homes(request, "browse", title=_("Browse"))
        home = home_named(alias)
        if home is None:
            raise Http404(alias)
        return self._show_directory(request, home, _canonical(path))

    def _show_directory(self, request: HttpRequest, home: Home, path: str) -> HttpResponse:
        after = _canonical(request.GET.get("after", ""), slash_kept=True)
        names = home.storage.catalog.primary.entries(path, after=after, limit=PAGE_SIZE + 1)
        if path and not names and not after:
            raise Http404(path)
        shown = names[:PAGE_SIZE]
        return self.render(
            request,
            "browse",
            title=shown_name(path.rpartition("/")[2]) or home.alias,
            tools="_browse_tools",
            home=home,
            path=path,
            crumbs=[
                *self.crumbs(),
                (_("Browse"), self.page_url("browse")),
                *self._trail(home, path),
            ],
            entries=self._entries(request, home, path, shown),
            is_first=not after,
            next=shown[-1] if len(names) > PAGE_SIZE else "",
            can_add=self.has_add_permission(request),
        )

    def _entries(
        self, request: HttpRequest, home: Home, path: str, names: list[str]
    ) -> list[dict[str, Any]]:
        """Return what the page shows for each entry, with one query for all files."""
        prefix = f"{path}/" if path else ""
        wanted = [prefix + name for name in names if not name.endswith("/")]
        files = {file.name: file for file in home.files.filter(name__in=wanted)}
        pictures: dict[StoredFile, str] = {}
        if self.has_open_permission(request):
            pictures = dict(thumbnails(request, files.values()))
        entries: list[dict[str, Any]] = []
        for name in names:
            if name.endswith("/"):
                url = self.page_url("browse", home.alias, prefix + name)
                entries.append({"name": name_cell(shown_name(name)), "url": url})
            elif file := files.get(prefix + name):
                cell = name_cell(shown_name(name), pictures.get(file, ""))
                entries.append({"name": cell, "url": self.change_url(file), "file": file})
        return entries

    def _trail(self, home: Home, path: str) -> list[tuple[str, str]]:
        """Return the names and URLs of the parent directories, from the storage down."""
        if not path:
            return []
        above = [(home.alias, self.page_url("browse", home.alias))]
        for directory in ancestors(path):
            url = self.page_url("browse", home.alias, f"{directory}/")
            above.append((shown_name(directory.rpartition("/")[2]), url))
        return above


def _canonical(path: str, *, slash_kept: bool = False) -> str:
    """Return the canonical name of a directory.

    :raises Http404: when no directory can have this name.
    """
    try:
        canonical = canonical_name(path)
    except SuspiciousFileOperation as error:
        raise Http404(path) from error
    return f"{canonical}/" if slash_kept and path.endswith("/") else canonical
