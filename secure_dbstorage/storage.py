"""The storage: Django's ``Storage`` over the table, with links and more."""

import errno
import logging
import os
import posixpath
from asyncio import _get_running_loop
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from enum import Enum
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path, PurePath
from pickle import PicklingError
from typing import IO, Any, Final, Self, TypeVar, Unpack, cast
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.core.files.utils import validate_file_name
from django.core.signals import setting_changed
from django.dispatch import Signal
from django.utils import timezone

from secure_dbstorage.conf import (
    SECRET_OPTIONS,
    declared_storages,
    hide_keys,
    project_time,
    read_options,
    unknown_option,
    upload_directory,
)
from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.exceptions import UploadGone, os_error
from secure_dbstorage.files import DeletedFile, FileStat, LinkState, ReceivedFile, Upload
from secure_dbstorage.links.grants import PlaceKind, UploadPlace
from secure_dbstorage.links.maker import LinkMaker
from secure_dbstorage.links.paths import link_id
from secure_dbstorage.links.terms import (
    FolderLinkArguments,
    LinkArguments,
    UploadArguments,
    ZipLinkArguments,
)
from secure_dbstorage.links.tokens import Audience, LinkSigner
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import (
    MAX_LENGTH,
    canonical_name,
    has_control_character,
    is_plain,
    normal_name,
)
from secure_dbstorage.options import OPTION_NAMES, Options, StorageOptions
from secure_dbstorage.saving import FreeName, NameLimit, Naming, PlacedName, UnsettledName
from secure_dbstorage.signals import file_changed, file_deleted, file_saved, link_made
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.handles import StoredFileHandle, open_file, reader
from secure_dbstorage.table.streams import Sending, pieces_of

Name = str | PurePath

#: A name as the caller spells it, None included.
AnyName = TypeVar("AnyName", bound=str | PurePath | None)


class _LeftOut(Enum):
    LEFT_OUT = "left out"


#: Marks an argument that was not given, where None would be a mistake.
_LEFT_OUT: Final = _LeftOut.LEFT_OUT

_logger = logging.getLogger("secure_dbstorage.links")

#: Names whose saves may still be rolled back, by alias, namespace and name.
_unsettled: WeakValueDictionary[tuple[str, str, str], UnsettledName] = WeakValueDictionary()

#: How many names a save tries. Each but the first carries 7 random characters.
_MAX_ATTEMPTS = 10


class DatabaseStorage(Storage):
    """Keeps files in the table. Changes are part of the caller's transaction.

    Behaves like Django's FileSystemStorage wherever a table can. Every method normalises and
    checks names. A name that leads out of the storage, or holds a control character, raises
    SuspiciousFileOperation.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        """Keep the options for later.

        :param options: see the README. Defaults come from ``SECURE_DBSTORAGE``.
        :raises ImproperlyConfigured: for an unknown name; with keys among the options, on
            first use. Values are checked by the system checks and on first use, so that models
            may create a storage while apps are loading.
        """
        self._given: Options = hide_keys(options)
        # An error report shows the callers' variables too. Their keys can't be hidden.
        if SECRET_OPTIONS.isdisjoint(options):
            for name in options:
                if name not in OPTION_NAMES:
                    raise ImproperlyConfigured(unknown_option(name, self._given, type(self)))
        setting_changed.connect(self._forget_settings)

    def deconstruct(self) -> tuple[str, tuple[()], dict[str, Any]]:
        """Return what a migration needs. Keys and hooks never end up in one."""
        kept = {
            name: value
            for name, value in self._given.items()
            if name in ("namespace", "using", "base_url")
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", (), kept

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the alias in ``STORAGES``, or else options without keys.

        :raises PicklingError: for keys outside ``STORAGES``: a pickle must not hold them.
        """
        for alias, given in declared_storages(type(self)).items():
            if given == self._given and type(storages[alias]) is type(self):
                return _declared_as, (alias,)
        for option in sorted(SECRET_OPTIONS):
            if self._given.get(option):
                raise PicklingError(f"A storage with {option} is pickled only from STORAGES")
        return _made_again, (type(self), self._given)

    def __copy__(self) -> Self:
        """Copy the given options, and no key that was derived from them."""
        return type(self)(**self._given)

    def __deepcopy__(self, memo: object) -> Self:
        """Do the same: the options are never changed."""
        return self.__copy__()

    @cached_property
    def options(self) -> StorageOptions:
        """The options of this storage, complete and checked.

        :raises ImproperlyConfigured: for an invalid value.
        """
        return read_options(self._given)

    @cached_property
    def signer(self) -> LinkSigner:
        """Signs and checks the tokens of this storage."""
        return LinkSigner(self.options.signing_keys, namespace=self.options.namespace)

    @property
    def audience(self) -> Audience:
        """The owner of these files at this moment, which every link signs.

        :raises ImproperlyConfigured: when the option ``audience`` gives no text.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        if (word := self.options.audience) is not None:
            return Audience(word=word())
        return Audience(*self.catalog.place)

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
        # Django checks the name again after each call that a subclass may override.
        validate_file_name(name, allow_relative_path=True)
        available = self.get_available_name(name, max_length=max_length)
        validate_file_name(available, allow_relative_path=True)
        free = FreeName(available, max_length)
        saved = str(self._save(free, content))
        validate_file_name(saved, allow_relative_path=True)
        # A field always gives its limit. Everyone else gets plain text, which holds no content.
        if max_length is None or not self.catalog.is_in_transaction:
            return saved
        unsettled = UnsettledName(
            saved,
            is_there=partial(self._is_there, saved, free.created),
            save_again=partial(self._save_again, name, content, max_length),
        )
        _unsettled[self._identity(saved)] = unsettled
        if self.catalog.is_in_atomic_block:
            self.catalog.after_commit(unsettled.settler())
        return unsettled

    def get_available_name(self, name: Name, max_length: int | None = None) -> str:
        """Return a free name, within the caller's limit and the table's."""
        limit = NameLimit(min(max_length or MAX_LENGTH, MAX_LENGTH))
        available: str = super().get_available_name(str(name), max_length=limit)
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
        remove = self.catalog.erase if forever else self.catalog.remove
        self._delete(canonical_name(name), remove)

    def delete_if(self, name: Name, condition: Callable[[StoredFile], bool]) -> bool:
        """Delete a file if a condition holds for its row at that instant.

        :param condition: receives the head row, without its bytes.
        :returns: whether the file was deleted.
        """
        return self._delete(
            canonical_name(name), partial(self.catalog.remove, condition=condition)
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
            others=self._other_names(free, free.max_length),
            is_placed=free.is_placed,
            note_created=partial(setattr, free, "created"),
        )
        if (adopted := self._adopted(name, content, naming)) is not None:
            name, created = adopted
        elif self.options.allow_overwrite:
            created = self.catalog.replace(name, pieces)
        else:
            name = self.catalog.add(name, pieces, naming=naming)
        announce_saved(self, name, created=created)
        if hasattr(content, "temporary_file_path"):
            # FileSystemStorage moves it away as well. If it is saved again, it is read from the
            # file object, which is still open.
            with suppress(OSError):
                Path(content.temporary_file_path()).unlink()
        return name

    def _adopted(self, name: str, content: "File[Any]", naming: Naming) -> tuple[str, bool] | None:
        """Make an upload to this storage the file, and return its name and whether that was new.

        :returns: None for content that has to be copied.
        :raises UploadGone: when somebody else has deleted the upload.
        """
        if not isinstance(content, ReceivedFile) or not self._has_received(content.upload):
            return None
        try:
            if self.options.allow_overwrite:
                adopted = name, self.catalog.adopt_over(name, content.upload)
            else:
                adopted = self.catalog.adopt(name, content.upload, naming=naming), True
        except UploadGone:
            # Saved a second time, or by two forms at one moment, it is copied like any other file.
            if self._is_file(content.upload):
                return None
            raise
        return adopted

    def _is_file(self, upload: Upload) -> bool:
        found = self.catalog.upload(upload.content.key)
        return found is not None and found.name is not None

    def _has_received(self, upload: Upload) -> bool:
        ours = self.catalog.writer, self.options.namespace
        return (upload.content.using, upload.namespace) == ours

    def _is_there(self, name: str, created: datetime | None) -> bool:
        """Tell whether a file that was saved is still there, and not another of its name.

        :param created: when it was created; None if that is not known.
        """
        head = self.catalog.find(canonical_name(name))
        if head is None or created is None:
            return head is not None
        return project_time(head.stat.created) == created

    def _save_again(self, name: Name, content: "File[Any]", max_length: int | None) -> str:
        try:
            content.seek(0)
        except (AttributeError, OSError, ValueError) as error:
            text = "The save was rolled back and its content can't be read again; assign the file"
            raise FileNotFoundError(errno.ENOENT, text, str(name)) from error
        # Not what a subclass makes of it: it has made it already.
        return DatabaseStorage.save(self, name, content, max_length)

    def _delete(self, name: str, remove: Callable[[str], bool]) -> bool:
        is_deleted = remove(name)
        if is_deleted:
            self._release(name)
            _announce(file_deleted, self, name=name)
        return is_deleted

    def _release(self, name: str) -> None:
        if (unsettled := _unsettled.pop(self._identity(name), None)) is not None:
            unsettled.release()

    def _identity(self, name: str) -> tuple[str, str, str]:
        return self.catalog.writer, self.options.namespace, name

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

        :param arguments: see :class:`~secure_dbstorage.links.terms.LinkArguments`.
        :raises ValueError: for impossible arguments.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        normal, audience = _normal(name), self.audience
        if _is_in_event_loop():
            made = self.links.unseen_batch(audience, **arguments).url(normal)
        else:
            links = self.links.batch(audience, **arguments)
            made = links.url(normal, self._found([normal], audience).get(normal))
        self._tell_made({normal: made})
        return made

    def urls(
        self, names: Iterable[AnyName], **arguments: Unpack[LinkArguments]
    ) -> dict[AnyName, str]:
        """Return the URLs of any number of files by name, with one query.

        In an event loop they are those of :meth:`url`.
        """
        if isinstance(names, str):
            raise TypeError("urls() takes names; url() takes one")
        normal = {name: _normal(name) for name in names}
        audience = self.audience
        if _is_in_event_loop():
            unseen = self.links.unseen_batch(audience, **arguments)
            made = {given: unseen.url(name) for given, name in normal.items()}
        else:
            links = self.links.batch(audience, **arguments)
            found = self._found(normal.values(), audience).get
            made = {given: links.url(name, found(name)) for given, name in normal.items()}
        self._tell_made({normal[given]: url for given, url in made.items()})
        return made

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

        :param arguments: see :class:`~secure_dbstorage.links.terms.FolderLinkArguments`.
        :raises ValueError: for impossible arguments, and for the root.
        """
        folder = canonical_name(prefix)
        if not folder:
            raise ValueError("A link for a folder must name one: the root is every file")
        made = self.links.folder(folder, self.audience, **arguments)
        self._tell_made({folder: made})
        return made

    def zip_url(self, *, prefix: Name, **arguments: Unpack[ZipLinkArguments]) -> str:
        """Return a signed URL that downloads the files below a directory as one zip archive.

        The archive has the files that exist now, as they are when it is downloaded. Files that are
        saved, renamed or revoked later stay out. Makes no query.

        :param prefix: the directory.
        :param arguments: see :class:`~secure_dbstorage.links.terms.ZipLinkArguments`.
        :raises ValueError: for impossible arguments, and for the root.
        :raises ImproperlyConfigured: without the package that makes the archives.
        """
        check_zip()
        folder = canonical_name(prefix)
        if not folder:
            raise ValueError("An archive must name its directory: the root is every file")
        made = self.links.zip(folder, self.audience, **arguments)
        self._tell_made({folder: made})
        return made

    # Uploads

    def upload_url(
        self, name: Name | _LeftOut = _LEFT_OUT, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Return a signed URL that takes an upload: by PUT, or in pieces by tus.

        With a name, the upload becomes this file. With ``prefix=``, any number of uploads become
        files below that directory, named by the client. Without either, an upload has no name
        until a form takes it. Makes no query.

        :param arguments: see :class:`~secure_dbstorage.links.terms.UploadArguments`.
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
        made = self.links.upload(place, self.audience, **arguments)
        self._tell_made({place.path: made})
        return made

    async def aupload_url(
        self, name: Name | _LeftOut = _LEFT_OUT, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Do what :meth:`upload_url` does, in async code."""
        return await sync_to_async(self.upload_url)(name, **arguments)

    def received_file(self, upload: Upload, name: str, *, lends: bool = False) -> ReceivedFile:
        """Return a complete upload to this storage as a file that ``save()`` takes over.

        :param name: the client's; its last segment counts.
        :param lends: whether a pooled connection is given back while its reader is busy. There
            must be no transaction.
        """
        content_type = content_type_of(name, self.options.content_types)
        opener = partial(reader, sending=Sending() if lends else None)
        return ReceivedFile(upload, name=name, content_type=content_type, opener=opener)

    def name_upload(
        self,
        upload: Upload,
        place: UploadPlace,
        filename: str,
        *,
        overwrite: bool = False,
        replaced_key: int | None = None,
    ) -> tuple[str, bool]:
        """Make a complete upload a file, and return its name and whether that was new.

        :param place: the file, or the directory below which a free name is found as in ``save()``.
        :param filename: the client's name.
        :param overwrite: whether the name of the file may be taken.
        :param replaced_key: the content key of the file that it must replace; None for any.
        :raises FileExistsError: when the name is taken, or lies below a file.
        :raises FileChanged: when the file is not the one to replace.
        :raises UploadGone: when the upload was deleted, or is a file by now.
        """
        name, created = place.path, True
        if place.kind is PlaceKind.FOLDER:
            wanted = self.generate_filename(posixpath.join(place.path, filename))
            free = FreeName(self.get_available_name(wanted), None)
            available = str(canonical_name(free))
            others = self._other_names(available, None)
            naming = Naming(others=others, is_placed=free.is_placed)
            name = self.catalog.adopt(available, upload, naming=naming)
        elif overwrite:
            created = self.catalog.adopt_over(name, upload, replaced_key=replaced_key)
        else:
            self.catalog.adopt(name, upload)
        announce_saved(self, name, created=created)
        return name, created

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
        """
        if not isinstance(public, bool):
            raise TypeError(f"public must be True or False, not {public!r}")
        canonical = canonical_name(name)
        self.catalog.set_public(canonical, public=public)
        announce_changed(self, canonical, "is_public")

    def set_expires(self, name: Name, expires: datetime | None) -> None:
        """Make a file temporary, or permanent.

        Once it has expired, a file is no longer served, and ``dbstorage_prune`` removes it. Until
        it is removed, code can open it.

        :param expires: when it expires. A naive time is in the project's time zone. None makes the
            file permanent.
        :raises FileNotFoundError: when there is no such file.
        :raises ValueError: for anything else than an instant or None.
        """
        if expires is not None:
            if not isinstance(expires, datetime):
                raise ValueError(f"expires must be a datetime or None, not {expires!r}")
            aware = timezone.make_aware(expires) if timezone.is_naive(expires) else expires
            expires = project_time(aware)
        canonical = canonical_name(name)
        self.catalog.set_expires(canonical, expires)
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
        """
        if isinstance(name, _LeftOut) == isinstance(prefix, _LeftOut):
            raise TypeError("revoke_urls() takes a name or a prefix")
        if not isinstance(prefix, _LeftOut):
            return self.catalog.revoke_below(canonical_name(prefix))
        return self.catalog.revoke(canonical_name(cast("Name", name)))

    def rename(self, old: Name, new: Name) -> str:
        """Rename a file and return its new name. No bytes are copied.

        Links to the old name stop working, and never open a later file of that name.

        :raises FileNotFoundError: when there is no file *old*.
        :raises FileExistsError: when *new* is taken.
        """
        old_name, name = canonical_name(old), canonical_name(new)
        self.catalog.rename(old_name, name)
        self._release(old_name)
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
        self.catalog.undelete(restored, version)
        announce_saved(self, restored, created=True)
        return restored

    def _other_names(self, name: str, max_length: int | None) -> Iterator[str]:
        """Yield other names to try, in case another save takes this one first."""
        for _ in range(_MAX_ATTEMPTS - 1):
            # The previous name counts as taken, whatever the table says: the caller's transaction
            # may not see the row that has it.
            directory, filename = posixpath.split(name)
            extension = "".join(PurePath(filename).suffixes)
            other = self.get_alternative_name(filename.removesuffix(extension), extension)
            name = self.get_available_name(posixpath.join(directory, other), max_length)
            yield canonical_name(name)

    @cached_property
    def catalog(self) -> Catalog:
        """The head rows of this storage."""
        return Catalog(self.options)

    @cached_property
    def links(self) -> LinkMaker:
        """Makes the URLs of this storage."""
        return LinkMaker(self.options, self.signer)

    def _found(self, names: Iterable[str], audience: Audience) -> dict[str, LinkState]:
        # No file has any other name, and a page must not break because of one.
        return self.catalog.link_states(
            [name for name in names if name and not has_control_character(name)],
            using=audience.alias,
        )

    def _tell_made(self, urls: Mapping[str, str]) -> None:
        """Log each signed link by its short name, and send a signal. Most projects need neither.

        :param urls: by the names of the files or folders.
        """
        sender = type(self)
        if not (_logger.isEnabledFor(logging.DEBUG) or link_made.has_listeners(sender)):
            return
        for name, url in urls.items():
            if short := link_id(url):
                _logger.debug(
                    "link=%s namespace=%a name=%a", short, self.options.namespace, str(name)
                )
                link_made.send_robust(sender, storage=self, name=name, link=short)

    def _open_file(self, name: str, mode: str) -> Any:
        def save(file: IO[bytes], *, replaced_key: int | None, must_be_new: bool) -> None:
            pieces, created = pieces_of(File(file), self.options.chunk_size), True
            if must_be_new:
                self.catalog.add(name, pieces)
            else:
                created = self.catalog.replace(name, pieces, replaced_key=replaced_key)
            announce_saved(self, name, created=created)

        return open_file(self.catalog, name, mode, save=save, directory=upload_directory())

    def _forget_settings(self, **kwargs: object) -> None:
        for name in ("options", "signer", "catalog", "links"):
            self.__dict__.pop(name, None)


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


def check_zip() -> None:
    """Check that zip archives can be made.

    :raises ImproperlyConfigured: without the package that makes them.
    """
    if find_spec("zipstream") is None:
        raise ImproperlyConfigured(
            "Zip archives need zipstream-ng: pip install 'secure-dbstorage[zip]'"
        )


def announce_saved(storage: DatabaseStorage, name: str, *, created: bool) -> None:
    """Send ``file_saved`` as soon as the save is committed.

    :param created: False for an overwrite.
    """
    _announce(file_saved, storage, name=name, created=created)


def announce_changed(
    storage: DatabaseStorage, name: str, attribute: str, *, old_name: str | None = None
) -> None:
    """Send ``file_changed`` as soon as the change is committed.

    :param attribute: what has changed, as :class:`~secure_dbstorage.files.FileStat` calls it.
    :param old_name: before a rename.
    """
    _announce(file_changed, storage, name=name, old_name=old_name or name, attribute=attribute)


def _announce(signal: Signal, storage: DatabaseStorage, **arguments: object) -> None:
    sender = type(storage)
    if signal.has_listeners(sender):
        send = partial(signal.send_robust, sender, storage=storage, **arguments)
        storage.catalog.after_commit(send)


def _made_again(storage_class: type[DatabaseStorage], options: Options) -> DatabaseStorage:
    return storage_class(**options)


def _declared_as(alias: str) -> Storage:
    return storages[alias]


def _is_in_event_loop() -> bool:
    # The public function says no by an error, which takes a quarter of the time of signing.
    return _get_running_loop() is not None


def _normal(name: Name | None) -> str:
    if isinstance(name, str) and is_plain(name):
        return name
    return "" if name is None else normal_name(os.fspath(name).lstrip("/\\"))
