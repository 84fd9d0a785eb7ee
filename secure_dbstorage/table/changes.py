"""Changes of files that are there: renamed, published, revoked, deleted and restored."""

import errno
from collections.abc import Callable
from datetime import datetime

from django.db import IntegrityError, connections, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from secure_dbstorage.exceptions import os_error
from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.table import chunks, heads
from secure_dbstorage.table.catalog import Catalog


class Changes:
    """Changes and deletes the files of one namespace."""

    def __init__(self, options: StorageOptions, catalog: Catalog) -> None:
        self._options = options
        self._catalog = catalog

    def rename(self, old: str, new: str) -> None:
        """Rename a file. Links to the old name never open it.

        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        :raises FileExistsError: when the new name is taken.
        """
        using = self._catalog.writer
        with transaction.atomic(using=using):
            row = self._catalog.locked(old, using)
            if row is None:
                raise self._catalog.no_file(old)
            if old == new:
                return
            if self._catalog.room_for(new).is_taken:
                raise os_error(FileExistsError, errno.EEXIST, new)
            try:
                with transaction.atomic(using=using):
                    renamed = heads.renamed_head(row, new, self._options)
                    self._catalog.files().filter(pk=row.pk).update(**renamed)
            except IntegrityError as error:
                raise os_error(FileExistsError, errno.EEXIST, new) from error

    def set_public(self, name: str, *, public: bool) -> None:
        """Make a file public or private.

        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        if not self._catalog.files().filter(name=name).update(is_public=public):
            raise self._catalog.no_file(name)

    def set_expires(self, name: str, expires: datetime | None) -> None:
        """Set when a file expires; None for never.

        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        if not self._catalog.files().filter(name=name).update(expires=expires):
            raise self._catalog.no_file(name)

    def revoke(self, name: str) -> int:
        """Make all existing links to a file stop working. New links work.

        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        revoked = self._revoke(self._catalog.files().filter(name=name))
        if not revoked:
            raise self._catalog.no_file(name)
        return revoked

    def revoke_below(self, directory: str) -> int:
        """Revoke the links to all files below a directory, and return the number of files."""
        using, files = self._catalog.writer, self._catalog.files().below(directory)
        if not connections[using].features.has_select_for_update:
            return self._revoke(files)
        with transaction.atomic(using=using):
            # An update locks the rows in whatever order it finds them, and two of them may find
            # them in different ones: that would be a deadlock.
            for _ in files.order_by("pk").select_for_update().values_list("pk").iterator():
                pass
            return self._revoke(files)

    def remove(self, name: str, condition: Callable[[StoredFile], bool] | None = None) -> bool:
        """Delete a file, and tell whether it existed and was deleted.

        :param condition: receives the head row; the file is deleted only if it returns True.
        :raises OSError: for a directory.
        """
        using = self._catalog.writer
        with transaction.atomic(using=using):
            row = self._catalog.locked(name, using)
            if row is None:
                if self._catalog.is_directory(name):
                    raise os_error(OSError, errno.ENOTEMPTY, name)
            elif condition is None or condition(row):
                self._catalog.trash.take(row)
                return True
            return False

    def erase(self, name: str) -> bool:
        """Delete a file and all that was deleted under its name for good.

        :returns: whether there was a file.
        :raises OSError: for a directory, unless a file of its name was deleted.
        """
        using = self._catalog.writer
        with transaction.atomic(using=using):
            # While the row is locked, nobody puts what it holds into the trash.
            row = self._catalog.locked(name, using)
            if row is not None:
                chunks.delete(row.content, using=using)
            erased = self._catalog.trash.erase(name)
            if not erased and row is None and self._catalog.is_directory(name):
                raise os_error(OSError, errno.ENOTEMPTY, name)
            return row is not None

    def undelete(self, name: str, version: str | None) -> None:
        """Make a deleted file a file again.

        :param version: None for the last one deleted.
        :raises FileNotFoundError: when there is none that is still kept.
        :raises FileExistsError: when the name is taken, or lies below a file.
        """
        using = self._catalog.writer
        with transaction.atomic(using=using):
            is_free = not self._catalog.room_for(name).is_taken
            try:
                if is_free and self._catalog.trash.restore(name, version):
                    return
                is_free = is_free and not self._catalog.exists(name)  # Another was faster.
            except IntegrityError as error:
                raise os_error(FileExistsError, errno.EEXIST, name) from error
            if is_free:
                raise os_error(FileNotFoundError, errno.ENOENT, name)
            raise os_error(FileExistsError, errno.EEXIST, name)

    def _revoke(self, files: StoredFileQuerySet) -> int:
        # `later_epoch()` in SQL: an epoch never comes back, even if the clock is set back.
        epoch = Greatest(Value(heads.later_epoch(0)), F("link_epoch") + 1)
        return files.update(link_epoch=epoch)
