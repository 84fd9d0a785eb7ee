"""The storage: Django's ``Storage`` over the table, which saves, finds and opens files."""

import errno
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.utils import validate_file_name

from secure_dbstorage.conf import project_time, upload_directory
from secure_dbstorage.exceptions import os_error
from secure_dbstorage.files import FileStat
from secure_dbstorage.names import MAX_LENGTH, canonical_name
from secure_dbstorage.saving import FreeName, NameLimit, Naming, PlacedName
from secure_dbstorage.storage.alternatives import of_same_type, other_names
from secure_dbstorage.storage.announcements import announce_saved
from secure_dbstorage.storage.base import Name
from secure_dbstorage.storage.changes import ChangingStorage
from secure_dbstorage.storage.unsettled import rewind, unsettled_name
from secure_dbstorage.storage.uploads import adopted_name
from secure_dbstorage.storage.urls import LinkingStorage
from secure_dbstorage.table.chunks import pieces_of
from secure_dbstorage.table.handles import StoredFileHandle, open_file


class DatabaseStorage(ChangingStorage, LinkingStorage):
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
