"""The storage: Django's ``Storage`` over the table, with links and more."""

import errno
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Unpack, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.utils import validate_file_name
from django.utils import timezone

from secure_dbstorage.conf import project_time, upload_directory
from secure_dbstorage.exceptions import os_error
from secure_dbstorage.files import DeletedFile, FileStat
from secure_dbstorage.links.arguments import (
    FolderLinkArguments,
    LinkArguments,
    UploadArguments,
    ZipLinkArguments,
)
from secure_dbstorage.links.grants import UploadPlace
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import MAX_LENGTH, canonical_name
from secure_dbstorage.saving import FreeName, NameLimit, Naming, PlacedName
from secure_dbstorage.storage.alternatives import of_same_type, other_names
from secure_dbstorage.storage.announcements import (
    announce_changed,
    announce_deleted,
    announce_saved,
)
from secure_dbstorage.storage.base import BaseStorage, Name
from secure_dbstorage.storage.unsettled import release, rewind, unsettled_name
from secure_dbstorage.storage.uploads import adopted_name
from secure_dbstorage.storage.urls import (
    AnyName,
    url_of_file,
    url_of_folder,
    url_of_uploads,
    url_of_zip,
    urls_of_files,
)
from secure_dbstorage.table.chunks import pieces_of
from secure_dbstorage.table.handles import StoredFileHandle, open_file


class _LeftOut(Enum):
    LEFT_OUT = "left out"


#: Marks an argument that was not given, where None would be a mistake.
_LEFT_OUT: Final = _LeftOut.LEFT_OUT


class DatabaseStorage(BaseStorage):
    """Keeps files in the table. Changes are part of the caller's transaction.

    Behaves like Django's FileSystemStorage wherever a table can. Every method normalises and
    checks names. A name that leads out of the storage, or holds a control character, raises
    SuspiciousFileOperation.
    """

    # Django's Storage

    def save(self, name: Name | None, content: Any, max_length: int | None = None) -> str:
        """Save content and return the name of the file.

        :param content: a File, any readable object, bytes or text (saved as UTF-8). It is read
            from its start if it can seek, and stays open.
        :param max_length: the most characters that the returned name may have.
        :raises FileTooLarge: above the option ``max_size``. Nothing is saved.
        :raises FileExistsError: if the name lies below an existing file.
        """
        if isinstance(content, bytes | str):
            content = ContentFile(content)
        if name is None:
            name = content.name
        if not hasattr(content, "chunks"):
            content = File(content, str(name))
        validate_file_name(name, allow_relative_path=True)
        available = self.get_available_name(name, max_length=max_length)
        # A call that a subclass may override can return another name, which is checked as well.
        if available != name:
            validate_file_name(available, allow_relative_path=True)
        free = FreeName(available, max_length)
        saved = str(self._save(free, content))
        if saved != available:
            validate_file_name(saved, allow_relative_path=True)
        # A field always gives its limit. Everyone else gets plain text, which holds no content.
        if max_length is None or not self.catalog.is_in_transaction:
            return saved
        return unsettled_name(
            self,
            saved,
            created=free.created,
            save_again=partial(self._save_again, name, content, max_length),
        )

    def get_available_name(self, name: Name, max_length: int | None = None) -> str:
        """Return a free name, within the caller's limit and the table's."""
        limit = NameLimit(min(max_length or MAX_LENGTH, MAX_LENGTH))
        available: str = super().get_available_name(str(name), max_length=limit)
        # Otherwise an end of random characters is added.
        if self.options.allow_overwrite and len(str(name)) > limit:
            available = of_same_type(available, str(name), self.options.content_types)
        return PlacedName(available) if available == limit.placed else available

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Tell whether a name is free. With ``allow_overwrite``, every name that fits is."""
        if self.options.allow_overwrite:
            return not (max_length and len(name) > max_length)
        asks_subclass = type(self).exists is not DatabaseStorage.exists
        if asks_subclass or not isinstance(max_length, NameLimit) or len(name) > max_length:
            return super().is_name_available(name, max_length=max_length)
        room = self.catalog.room(canonical_name(name))
        if not room.is_taken and not room.is_below_file:
            max_length.placed = name
        return not room.is_taken

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        """Return another name; the same one with ``allow_overwrite``."""
        if self.options.allow_overwrite:
            return f"{file_root}{file_ext}"
        return super().get_alternative_name(file_root, file_ext)

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

    def exists(self, name: Name) -> bool:
        """Tell whether there is such a file, or a directory with files below it."""
        return self.catalog.exists(canonical_name(name))

    def listdir(self, path: Name) -> tuple[list[str], list[str]]:
        """Return the directories and the files of a directory, both sorted.

        :raises FileNotFoundError: when there is no such directory.
        :raises NotADirectoryError: for a file.
        """
        directory = canonical_name(path)
        directories, files = self.catalog.children(directory)
        if directory and not directories and not files:
            if self.catalog.exists(directory):
                raise os_error(NotADirectoryError, errno.ENOTDIR, directory)
            raise os_error(FileNotFoundError, errno.ENOENT, directory)
        return directories, files

    def size(self, name: Name) -> int:
        """Return the length of a file in bytes."""
        return self.stat(name).size

    def get_created_time(self, name: Name) -> datetime:
        """Return when the file was created; aware if ``USE_TZ`` is set."""
        return project_time(self.stat(name).created)

    def get_modified_time(self, name: Name) -> datetime:
        """Return when the content was last saved; aware if ``USE_TZ`` is set."""
        return project_time(self.stat(name).modified)

    def get_accessed_time(self, name: Name) -> datetime:
        """Raise NotImplementedError: keeping access times would cost a write for each read."""
        raise NotImplementedError("Access times are not kept: each read would be a write.")

    def path(self, name: Name) -> str:
        """Raise NotImplementedError: the files are not on a disk."""
        raise NotImplementedError("Files are rows of a table. They have no path on a disk.")

    def _open(self, name: Name, mode: str = "rb") -> StoredFileHandle:
        """Open a file in any mode of `open`. Text is UTF-8.

        :raises io.UnsupportedOperation: for a mode that `open` does not have.
        """
        canonical = canonical_name(name)
        return StoredFileHandle(canonical, mode, opener=partial(self._open_file, canonical))

    def _save(self, name: str, content: "File[Any]") -> str:
        free = name if isinstance(name, FreeName) else FreeName(name, None)
        name, created = str(canonical_name(name)), True
        pieces = pieces_of(content, self.options.chunk_size)
        naming = Naming(
            others=other_names(self, free, free.max_length),
            is_placed=free.is_placed,
            note_time=partial(setattr, free, "created"),
        )
        if (adopted := adopted_name(self, name, content, naming)) is not None:
            name, created = adopted
        elif self.options.allow_overwrite:
            created = self.saves.replace(name, pieces)
        else:
            name = self.saves.add(name, pieces, naming=naming)
        announce_saved(self, name, created=created)
        if hasattr(content, "temporary_file_path"):
            # FileSystemStorage moves it away as well. If it is saved again, it is read from the
            # file object, which is still open.
            with suppress(OSError):
                Path(content.temporary_file_path()).unlink()
        return name

    def _save_again(self, name: Name, content: "File[Any]", max_length: int | None) -> str:
        rewind(content, name)
        # Not what a subclass makes of it: it has made it already.
        return DatabaseStorage.save(self, name, content, max_length)

    def _delete(self, name: str, remove: Callable[[str], bool]) -> bool:
        is_deleted = remove(name)
        if is_deleted:
            release(self, name)
            announce_deleted(self, name)
        return is_deleted

    # Links

    @property
    def base_url(self) -> str:
        """The URL under which the files are served, with a slash at its end."""
        return self.links.prefix()

    def url(self, name: Name | None, **arguments: Unpack[LinkArguments]) -> str:
        """Return the URL of a file: unsigned for a public one, signed for a private one.

        A missing file gets an unsigned URL, which leads to a 404, so that no page breaks. Makes
        one small query.

        In an event loop, which can't wait for a query, the URL is signed without a look: that of
        a public file too, and that of a lost one answers 403. :meth:`aurl` looks.

        :param arguments: see :class:`~secure_dbstorage.links.arguments.LinkArguments`.
        :raises ValueError: for impossible arguments.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        return url_of_file(self, name, arguments)

    def urls(
        self, names: Iterable[AnyName], **arguments: Unpack[LinkArguments]
    ) -> dict[AnyName, str]:
        """Return the URLs of any number of files by name, with one query.

        In an event loop they are those of :meth:`url`.
        """
        return urls_of_files(self, names, arguments)

    async def aurl(self, name: Name | None, **arguments: Unpack[LinkArguments]) -> str:
        """Do what :meth:`url` does, in async code."""
        return await sync_to_async(self.url)(name, **arguments)

    async def aurls(
        self, names: Iterable[AnyName], **arguments: Unpack[LinkArguments]
    ) -> dict[AnyName, str]:
        """Do what :meth:`urls` does, in async code."""
        return await sync_to_async(self.urls)(names, **arguments)

    def folder_url(self, prefix: Name, **arguments: Unpack[FolderLinkArguments]) -> str:
        """Return a signed URL of a directory, with a slash at its end.

        Append the names of files below the directory. Relative links between them work: from a
        playlist to its segments, or from a page to its pictures. The URL opens the files that
        exist now. Files that are saved, renamed or revoked later need a new one. Makes no query.

        :param arguments: see :class:`~secure_dbstorage.links.arguments.FolderLinkArguments`.
        :raises ValueError: for impossible arguments, and for the root.
        """
        return url_of_folder(self, prefix, arguments)

    def zip_url(self, *, prefix: Name, **arguments: Unpack[ZipLinkArguments]) -> str:
        """Return a signed URL that downloads the files below a directory as one zip archive.

        The archive has the files that exist now, as they are when it is downloaded. Files that are
        saved, renamed or revoked later stay out. Makes no query.

        :param prefix: the directory.
        :param arguments: see :class:`~secure_dbstorage.links.arguments.ZipLinkArguments`.
        :raises ValueError: for impossible arguments, and for the root.
        :raises ImproperlyConfigured: without the package that makes the archives.
        """
        return url_of_zip(self, prefix, arguments)

    # Uploads

    def upload_url(
        self, name: Name | _LeftOut = _LEFT_OUT, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Return a signed URL that takes an upload: by PUT, or in pieces by tus.

        With a name, the upload becomes this file. With ``prefix=``, any number of uploads become
        files below that directory, named by the client. Without either, an upload has no name
        until a form takes it. Makes no query.

        :param arguments: see :class:`~secure_dbstorage.links.arguments.UploadArguments`.
        :raises ValueError: for impossible arguments, and without a limit of the size.
        :raises SuspiciousFileOperation: for a name that no file can have.
        :raises ImproperlyConfigured: without a route: a CDN takes no uploads.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        prefix = arguments.pop("prefix", _LEFT_OUT)
        if None in (name, prefix):
            raise ValueError("None is neither a name nor a prefix: leave it out")
        place = UploadPlace.of(
            None if isinstance(name, _LeftOut) else name,
            None if isinstance(prefix, _LeftOut) else prefix,
        )
        return url_of_uploads(self, place, arguments)

    async def aupload_url(
        self, name: Name | _LeftOut = _LEFT_OUT, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Do what :meth:`upload_url` does, in async code."""
        return await sync_to_async(self.upload_url)(name, **arguments)

    # More than Django's Storage

    def stat(self, name: Name) -> FileStat:
        """Return the metadata of a file.

        :raises FileNotFoundError: when there is no such file.
        :raises IsADirectoryError: for a directory.
        """
        return self.catalog.get(canonical_name(name)).stat

    def is_public(self, name: Name) -> bool:
        """Tell whether a file is served without a token."""
        return self.stat(name).is_public

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
        self, name: Name | _LeftOut = _LEFT_OUT, *, prefix: Name | _LeftOut = _LEFT_OUT
    ) -> int:
        """Make all existing links to a file stop working. New links work.

        :param name: the file.
        :param prefix: instead of a name, the directory whose files are revoked; "" for all files.
        :returns: the number of files.
        :raises TypeError: without an argument, or with both. Nothing is revoked by mistake.
        :raises FileNotFoundError: when there is no file *name*.
        :raises IsADirectoryError: when *name* is a directory.
        """
        if isinstance(name, _LeftOut) == isinstance(prefix, _LeftOut):
            raise TypeError("revoke_urls() takes a name or a prefix")
        if not isinstance(prefix, _LeftOut):
            return self.changes.revoke_below(canonical_name(prefix))
        return self.changes.revoke(canonical_name(cast("Name", name)))

    def rename(self, old: Name, new: Name) -> str:
        """Rename a file and return its new name. No bytes are copied.

        Links to the old name stop working, and never open a later file of that name.

        :raises FileNotFoundError: when there is no file *old*.
        :raises IsADirectoryError: when *old* is a directory.
        :raises FileExistsError: when *new* is taken.
        """
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

    def _open_file(self, name: str, mode: str) -> Any:
        save = partial(self._save_written, name)
        return open_file(self.catalog, name, mode, save=save, directory=upload_directory())

    def _save_written(
        self, name: str, file: IO[bytes], *, replaced_key: int | None, must_be_new: bool
    ) -> None:
        pieces, created = pieces_of(File(file), self.options.chunk_size), True
        if must_be_new:
            self.saves.add(name, pieces)
        else:
            created = self.saves.replace(name, pieces, replaced_key=replaced_key)
        announce_saved(self, name, created=created)


def default() -> DatabaseStorage:
    """Return ``STORAGES["default"]`` with its type, which Django's ``default_storage`` hides."""
    return named("default")


def named(alias: str) -> DatabaseStorage:
    """Return the storage of an alias in ``STORAGES``, with its type.

    :raises ImproperlyConfigured: when it is another kind of storage.
    :raises InvalidStorageError: when there is none.
    """
    storage = storages[alias]
    if not isinstance(storage, DatabaseStorage):
        raise ImproperlyConfigured(f"STORAGES[{alias!r}] is not a DatabaseStorage")
    return storage
