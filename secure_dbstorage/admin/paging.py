"""Paging: pages of the files in a table that may hold a million, without counting them."""

from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from django.core.paginator import Page, Paginator

from secure_dbstorage.models import StoredFile, StoredFileQuerySet

if TYPE_CHECKING:
    FilePage = Page[StoredFile]
    AnyPaginator = Paginator[StoredFile]
else:
    FilePage = Page
    AnyPaginator = Paginator

#: How many files can be paged through. Who has more is better served by a search or a filter.
MAX_LISTED = 10_000


class FilePaginator(AnyPaginator):
    """Finds the keys of the first files, and fetches each page of files by its keys.

    What is found gives the count and the page; nothing is asked twice.
    """

    @cached_property
    def count(self) -> int:
        """The number of files, at most :data:`MAX_LISTED`."""
        return min(len(self._keys), MAX_LISTED)

    @property
    def is_capped(self) -> bool:
        """Whether there are more files than can be paged through."""
        return len(self._keys) > MAX_LISTED

    def page(self, number: int | str) -> FilePage:
        """Return a page, without what was deleted since the keys were found."""
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        keys = self._keys[start : min(start + self.per_page, self.count)]
        found = {file.pk: file for file in self._files.order_by().filter(pk__in=keys)}
        return Page([found[key] for key in keys if key in found], number, self)

    @cached_property
    def _keys(self) -> list[int]:
        """The keys of the files in their order: all of them, or one above the most.

        Few files among many are found by one walk through the table, as it lies; in their order,
        it would jump from the index to each row (5 times as long on MariaDB). Of many files, the
        first in order are soon found.
        """
        fields = [str(field) for field in self._files.query.order_by]
        order = [field.removeprefix("-") for field in fields]
        columns = self._files.order_by().values_list("pk", *order)
        rows = list(columns[: MAX_LISTED + 1])
        if len(rows) > MAX_LISTED:
            # On SQLite, NULL is no bound of an index, and stands in front of all.
            files = self._files.filter(namespace__gte="")
            return list(files.values_list("pk", flat=True)[: MAX_LISTED + 1])
        is_descending = any(field.startswith("-") for field in fields)
        rows.sort(key=itemgetter(*range(1, len(order) + 1)), reverse=is_descending)
        return [row[0] for row in rows]

    @property
    def _files(self) -> StoredFileQuerySet:
        files: Any = self.object_list
        return cast("StoredFileQuerySet", files)
