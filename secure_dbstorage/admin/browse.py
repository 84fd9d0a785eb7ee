"""The admin's view of directories: a page of what stands right below one."""

from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousFileOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from secure_dbstorage.admin.base import FileAdmin
from secure_dbstorage.admin.homes import Place, all_places, place_named
from secure_dbstorage.names import ancestors, canonical_name

#: How many entries of a directory a page shows.
PAGE_SIZE = 200


class Browse(FileAdmin):
    """The pages of directories."""

    def browse_view(self, request: HttpRequest, alias: str = "", path: str = "") -> HttpResponse:
        """Show a directory of a storage; without one, the storages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not alias:
            return self._show_storages(request)
        place = place_named(alias)
        if place is None:
            raise Http404(alias)
        return self._show_directory(request, place, _canonical(path))

    def _show_storages(self, request: HttpRequest) -> HttpResponse:
        entries = [
            {"name": place.alias, "url": self.page_url("browse", place.alias)}
            for place in all_places()
        ]
        return self.render(
            request, "browse", title=_("Browse"), original=_("Browse"), entries=entries
        )

    def _show_directory(self, request: HttpRequest, place: Place, path: str) -> HttpResponse:
        after = _canonical(request.GET.get("after", ""), slash_kept=True)
        names = place.storage.catalog.primary.entries(path, after=after, limit=PAGE_SIZE + 1)
        if path and not names and not after:
            raise Http404(path)
        shown = names[:PAGE_SIZE]
        return self.render(
            request,
            "browse",
            title=path.rpartition("/")[2] or place.alias,
            tools="_browse_tools",
            original=_("Browse"),
            place=place,
            path=path,
            trail=self._trail(place, path),
            entries=self._entries(place, path, shown),
            is_first=not after,
            next=shown[-1] if len(names) > PAGE_SIZE else "",
            can_add=self.has_add_permission(request),
        )

    def _entries(self, place: Place, path: str, names: list[str]) -> list[dict[str, Any]]:
        """Return what a page says of each entry; one query for all files."""
        prefix = f"{path}/" if path else ""
        wanted = [prefix + name for name in names if not name.endswith("/")]
        files = {file.name: file for file in place.files.filter(name__in=wanted)}
        entries: list[dict[str, Any]] = []
        for name in names:
            if name.endswith("/"):
                url = self.page_url("browse", place.alias, prefix + name)
                entries.append({"name": name, "url": url})
            elif file := files.get(prefix + name):
                entries.append({"name": name, "url": self.change_url(file), "file": file})
        return entries

    def _trail(self, place: Place, path: str) -> list[tuple[str, str]]:
        """Return the names and the URLs of the directories above, from the storage down."""
        if not path:
            return []
        above = [(place.alias, self.page_url("browse", place.alias))]
        for directory in ancestors(path):
            url = self.page_url("browse", place.alias, f"{directory}/")
            above.append((directory.rpartition("/")[2], url))
        return above


def _canonical(path: str, *, slash_kept: bool = False) -> str:
    """Return the one spelling of a directory.

    :raises Http404: when no directory can have this name.
    """
    try:
        canonical = canonical_name(path)
    except SuspiciousFileOperation as error:
        raise Http404(path) from error
    return f"{canonical}/" if slash_kept and path.endswith("/") else canonical
