"""The filters of the admin's list of files. Their choices need no look at the files."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from secure_dbstorage.admin.homes import all_homes, home_database, home_named, lost_namespaces

_KIB, _MIB = 1024, 1024 * 1024


class _ChoiceFilter(admin.SimpleListFilter):
    """A filter with a fixed condition for each choice."""

    #: The label and the condition of each value.
    conditions: dict[str, tuple[Any, Q]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(value, label) for value, (label, _condition) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.conditions.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class StorageFilter(admin.SimpleListFilter):
    """Keeps the files of one storage, from its database."""

    title = _("storage")
    parameter_name = "storage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return the project's storages, and the namespaces without a storage."""
        for home in all_homes():
            yield home.alias, home.alias
        for namespace in lost_namespaces():
            yield f":{namespace}", gettext("“%s” (no storage)") % namespace

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the files of the chosen storage or namespace; without one, all of them."""
        chosen = self.value() or ""
        if chosen not in dict(self.lookup_choices):
            return queryset
        if chosen.startswith(":"):
            return queryset.using(home_database()).in_namespace(chosen[1:])
        home = home_named(chosen)
        return queryset.using(home.database).in_namespace(home.namespace) if home else queryset

    def left_out(self) -> list[str]:
        """Return the storages that are offered, and left out of the list while none is chosen.

        Their files are in another database than those that are listed.
        """
        offered = dict(self.lookup_choices)
        if self.value() in offered:
            return []
        listed = home_database()
        elsewhere = [home.alias for home in all_homes() if home.database != listed]
        return [alias for alias in elsewhere if alias in offered]


class VisibilityFilter(_ChoiceFilter):
    """Keeps public or private files."""

    title = _("visibility")
    parameter_name = "visibility"
    conditions = {
        "public": (_("Public"), Q(is_public=True)),
        "private": (_("Private"), Q(is_public=False)),
    }


def _of_type(major: str) -> Q:
    # A range, for the index: types are compared byte by byte, and "0" follows "/".
    return Q(content_type__gte=f"{major}/", content_type__lt=f"{major}0")


_PDF = Q(content_type="application/pdf")


class TypeFilter(_ChoiceFilter):
    """Keeps files by their media type."""

    title = _("type")
    parameter_name = "type"
    conditions = {
        "image": (_("Images"), _of_type("image")),
        "video": (_("Video"), _of_type("video")),
        "audio": (_("Audio"), _of_type("audio")),
        "pdf": (_("PDF"), _PDF),
        "text": (pgettext_lazy("type of files", "Text"), _of_type("text")),
        "other": (
            pgettext_lazy("type of files", "Other"),
            ~(_PDF | _of_type("image") | _of_type("video") | _of_type("audio") | _of_type("text")),
        ),
    }


class SizeFilter(_ChoiceFilter):
    """Keeps files by their size."""

    title = _("size")
    parameter_name = "size"
    conditions = {
        "empty": (pgettext_lazy("size of files", "Empty"), Q(size=0)),
        "100k": (_("Up to 100 KB"), Q(size__gt=0, size__lte=100 * _KIB)),
        "1m": (_("100 KB to 1 MB"), Q(size__gt=100 * _KIB, size__lte=_MIB)),
        "100m": (_("1 MB to 100 MB"), Q(size__gt=_MIB, size__lte=100 * _MIB)),
        "more": (_("Over 100 MB"), Q(size__gt=100 * _MIB)),
    }


class DateFilter(admin.SimpleListFilter):
    """Keeps files by the date of their last save."""

    title = _("date modified")
    parameter_name = "modified"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return the periods."""
        return [
            ("today", _("Today")),
            ("week", _("Past 7 days")),
            ("month", _("Past 30 days")),
            ("year", _("Past 12 months")),
            ("older", pgettext_lazy("date of files", "Older")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the files last saved in the chosen period."""
        midnight = _last_midnight()
        since = {
            "today": midnight,
            "week": midnight - timedelta(days=7),
            "month": midnight - timedelta(days=30),
            "year": midnight - timedelta(days=365),
        }
        chosen = self.value() or ""
        if chosen == "older":
            return queryset.filter(modified__lt=since["year"])
        return queryset.filter(modified__gte=since[chosen]) if chosen in since else queryset


def _last_midnight() -> datetime:
    return timezone.localtime(datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
