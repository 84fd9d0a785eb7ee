"""Changes of files: deleted, restored, renamed, revoked, published; and announced."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import cast

from django.core.exceptions import SuspiciousFileOperation
from django.utils import timezone

from secure_dbstorage.files import DeletedFile
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import canonical_name, is_spelled_as_directory
from secure_dbstorage.storage.announcements import (
    announce_changed,
    announce_deleted,
    announce_saved,
)
from secure_dbstorage.storage.base import LEFT_OUT, BaseStorage, LeftOut, Name
from secure_dbstorage.storage.unsettled import release


class ChangingStorage(BaseStorage):
    """Changes and deletes the files of a storage."""

    def delete(self, name: Name, *, forever: bool = False) -> None:
        """Delete a file, if it exists. With ``keep_deleted``, it can be restored for a while.

        :param forever: erase it, and all that was deleted or overwritten under its name.
        :raises ValueError: for an empty name.
        :raises OSError: for a directory. It disappears with the last file below it.
        """
        if not name:
            raise ValueError("The name must be given to delete().")
        remove = self.changes.erase if forever else self.changes.remove
        self._delete(canonical_name(name), remove)

    def delete_if(self, name: Name, condition: Callable[[StoredFile], bool]) -> bool:
        """Delete a file if a condition holds for its row at that instant.

        :param condition: receives the head row, without its bytes.
        :returns: whether the file was deleted.
        """
        return self._delete(
            canonical_name(name), partial(self.changes.remove, condition=condition)
        )

    def set_public(self, name: Name, public: bool) -> None:  # noqa: FBT001 -- reads as it is called
        """Make a file public or private, from the next request on.

        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        if not isinstance(public, bool):
            raise TypeError(f"public must be True or False, not {public!r}")
        canonical = canonical_name(name)
        self.changes.set_public(canonical, public=public)
        announce_changed(self, canonical, "is_public")

    def set_expires(self, name: Name, expires: datetime | None) -> None:
        """Make a file temporary, or permanent.

        Once it has expired, a file is no longer served, and ``dbstorage_prune`` removes it. Until
        it is removed, code can open it.

        :param expires: when it expires. A naive time is in the project's time zone. None makes the
            file permanent.
        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        :raises ValueError: for anything else than an instant or None.
        """
        if expires is not None:
            if not isinstance(expires, datetime):
                raise ValueError(f"expires must be a datetime or None, not {expires!r}")
            expires = timezone.make_aware(expires) if timezone.is_naive(expires) else expires
        canonical = canonical_name(name)
        self.changes.set_expires(canonical, expires)
        announce_changed(self, canonical, "expires")

    def revoke_urls(
        self, name: Name | LeftOut = LEFT_OUT, *, prefix: Name | LeftOut = LEFT_OUT
    ) -> int:
        """Make all existing links to a file stop working. New links work.

        :param name: the file.
        :param prefix: instead of a name, the directory whose files are revoked; "" for all files.
        :returns: the number of files.
        :raises TypeError: without an argument, or with both. Nothing is revoked by mistake.
        :raises FileNotFoundError: when there is no file *name*.
        :raises IsADirectoryError: when *name* is a directory.
        """
        if isinstance(name, LeftOut) == isinstance(prefix, LeftOut):
            raise TypeError("revoke_urls() takes a name or a prefix")
        if not isinstance(prefix, LeftOut):
            return self.changes.revoke_below(canonical_name(prefix))
        return self.changes.revoke(canonical_name(cast("Name", name)))

    def rename(self, old: Name, new: Name) -> str:
        """Rename a file and return its new name. No bytes are copied.

        Links to the old name stop working, and never open a later file of that name.

        :raises FileNotFoundError: when there is no file *old*.
        :raises IsADirectoryError: when *old* is a directory.
        :raises FileExistsError: when *new* is taken.
        :raises SuspiciousFileOperation: when *new* is spelled as a directory's name, as ``x/`` is.
        """
        if is_spelled_as_directory(new):
            raise SuspiciousFileOperation(f"{str(new)!r} can't be the name of a file")
        old_name, name = canonical_name(old), canonical_name(new)
        self.changes.rename(old_name, name)
        release(self, old_name)
        if name != old_name:
            announce_changed(self, name, "name", old_name=old_name)
        return name

    def versions(self, name: Name) -> list[DeletedFile]:
        """Return what was deleted or overwritten under a name, the last one first.

        Without ``keep_deleted``, there is nothing.
        """
        if self.options.keep_deleted is None:
            return []
        return self.catalog.trash.versions(canonical_name(name))

    def undelete(self, name: Name, *, version: str | DeletedFile | None = None) -> str:
        """Restore a file that was deleted or overwritten, and return its name.

        Links made before don't open it. It is public only if it was, and ``default_public`` says
        so now. It expires when it would have, or earlier if ``delete_after`` says so now.

        :param version: one of :meth:`versions`, or its ``version``; None for the last one.
        :raises FileNotFoundError: when there is none, or its time is over.
        :raises FileExistsError: when the name is taken, or lies below a file.
        """
        restored = canonical_name(name)
        if isinstance(version, DeletedFile):
            version = version.version
        self.changes.undelete(restored, version)
        announce_saved(self, restored, created=True)
        return restored

    def _delete(self, name: str, remove: Callable[[str], bool]) -> bool:
        is_deleted = remove(name)
        if is_deleted:
            release(self, name)
            announce_deleted(self, name)
        return is_deleted
