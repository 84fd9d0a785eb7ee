"""Complete uploads: read as files, and made files of their storage without a copy."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from django.core.files import File
from django.core.files.storage import Storage

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.exceptions import FileTypeRefused, UploadGone
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.links.grants import PlaceKind, UploadPlace
from secure_dbstorage.links.upload_limits import takes
from secure_dbstorage.names import canonical_name
from secure_dbstorage.saving import FreeName, Naming
from secure_dbstorage.storage.alternatives import other_names
from secure_dbstorage.storage.announcements import announce_saved
from secure_dbstorage.storage.base import BaseStorage
from secure_dbstorage.table.lending import Sending
from secure_dbstorage.table.readers import reader


def cleaned_name(storage: Storage, filename: str, directory: str = "") -> str:
    """Return the name that a client's file gets below a directory, as long as that isn't taken.

    :param filename: cleaned as a model's field does it; its last segment counts.
    :raises SuspiciousFileOperation: when nothing of it is left.
    """
    return storage.generate_filename(posixpath.join(directory, posixpath.basename(filename)))


def received_file(
    storage: BaseStorage,
    upload: Upload,
    name: str,
    *,
    saved_as: str | None = None,
    lends: bool = False,
) -> ReceivedFile:
    """Return a complete upload to a storage as a file that its ``save()`` takes over.

    :param name: the client's; its last segment counts.
    :param saved_as: the name that decides the media type; None for the same.
    :param lends: whether a pooled connection is given back while its reader is busy. There
        must be no transaction.
    """
    content_type = content_type_of(saved_as or name, storage.options.content_types)
    opener = partial(reader, sending=Sending() if lends else None)
    return ReceivedFile(upload, name=name, content_type=content_type, opener=opener)


def name_upload(  # noqa: PLR0913 -- the upload, its name, and what may be there already
    storage: BaseStorage,
    upload: Upload,
    place: UploadPlace,
    filename: str,
    *,
    types: Sequence[str] = (),
    overwrite: bool = False,
    replaced_key: int | None = None,
    note_time: Callable[[datetime], object] | None = None,
) -> tuple[str, bool]:
    """Make a complete upload a file, and return its name and whether that was new.

    :param place: the file, or the directory below which a free name is found as in ``save()``.
    :param filename: the client's name.
    :param types: the media types that the file may have, as its name decides; none for all.
    :param overwrite: whether the name of the file may be taken.
    :param replaced_key: the content key of the file that it must replace; None for any.
    :param note_time: receives when the file is saved, before that is committed.
    :raises FileExistsError: when the name is taken, or lies below a file.
    :raises FileChanged: when the file is not the one to replace.
    :raises FileTypeRefused: when the name is not one of these types, once it is final.
    :raises UploadGone: when the upload was deleted, or is a file by now.
    """
    name, created, naming = place.path, True, Naming(note_time=note_time)
    of_type = partial(_of_type, types=types, more=storage.options.content_types)
    if place.kind is PlaceKind.FOLDER:
        wanted = cleaned_name(storage, filename, place.path)
        free = FreeName(storage.get_available_name(wanted), None)
        available = str(canonical_name(free))
        others = other_names(storage, available, None)
        if storage.options.allow_overwrite and storage.catalog.exists(available):
            available = next(others)  # Every name was called available, that of a directory too.
        naming = replace(naming, others=map(of_type, others), is_placed=free.is_placed)
        name = storage.inbox.adopt(of_type(available), upload, naming=naming)
    elif overwrite:
        created = storage.inbox.adopt_over(
            of_type(name), upload, replaced_key=replaced_key, naming=naming
        )
    else:
        storage.inbox.adopt(of_type(name), upload, naming=naming)
    announce_saved(storage, name, created=created)
    return name, created


def adopted_name(
    storage: BaseStorage, name: str, content: "File[Any]", naming: Naming
) -> tuple[str, bool] | None:
    """Make an upload to this storage the file, and return its name and whether that was new.

    :returns: None for content that has to be copied.
    :raises UploadGone: when somebody else has saved or deleted the upload.
    """
    if not isinstance(content, ReceivedFile) or not _has_received(storage, content.upload):
        return None
    try:
        if storage.options.allow_overwrite:
            timed = Naming(note_time=content.save_times.add)
            return name, storage.inbox.adopt_over(name, content.upload, naming=timed)
        timed = replace(naming, note_time=partial(_note, content, naming))
        return storage.inbox.adopt(name, content.upload, naming=timed), True
    except UploadGone:
        # Code that saves the same object twice wants a copy, as with any other file, even if only
        # the answer to the first commit was lost. A client must not get one by sending one upload
        # in many forms.
        head = storage.catalog.find_content(content.upload.content.key)
        if head is None or head.stat.modified not in content.save_times:
            raise
        return None


def _of_type(name: str, *, types: Sequence[str], more: Mapping[str, str]) -> str:
    """Return the name of a file.

    :raises FileTypeRefused: when its media type is none of these.
    """
    if not takes(types, name, more):
        raise FileTypeRefused(f"The link doesn't take files with the type of {name!r}")
    return name


def _note(content: ReceivedFile, naming: Naming, time: datetime) -> None:
    """Note when a file is saved, for the content and for the caller."""
    content.save_times.add(time)
    naming.note({"modified": time})


def _has_received(storage: BaseStorage, upload: Upload) -> bool:
    ours = storage.catalog.writer, storage.options.namespace
    return (upload.content.using, upload.namespace) == ours
