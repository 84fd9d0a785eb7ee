"""The types that a project sees, as ``assert_type`` lines. mypy checks them with the linters."""

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, assert_type

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse

from secure_dbstorage.access import AuthHook, UploadHook, authenticated, staff
from secure_dbstorage.files import DeletedFile, FileStat, ReceivedFile
from secure_dbstorage.forms import ImageUploadField, UploadField, UploadInput, received
from secure_dbstorage.links.grants import Grant, UploadGrant
from secure_dbstorage.signals import (
    file_changed,
    file_deleted,
    file_received,
    file_refused,
    file_saved,
    file_served,
)
from secure_dbstorage.storage import DatabaseStorage, default, named


def pictures() -> DatabaseStorage:
    """Choose a storage as a FileField does."""
    return named("pictures")


def of_the_ways_in() -> None:
    """Get a storage, and use what only ours has."""
    assert_type(default(), DatabaseStorage)
    assert_type(default().url("a.txt", expires_in=60), str)
    assert_type(named("pictures").stat("a.txt"), FileStat)
    models.FileField(storage=pictures)
    models.ImageField(storage=default)
    default_storage.url("a.txt", expires_in=60)  # type: ignore[call-arg]  # Django's promises less


def of_files(storage: DatabaseStorage) -> None:
    """Save, look and change."""
    assert_type(storage.save("a.txt", ContentFile(b"x")), str)
    assert_type(storage.save("a.txt", b"x"), str)
    assert_type(storage.exists("a.txt"), bool)
    assert_type(storage.size(PurePosixPath("a.txt")), int)
    assert_type(storage.listdir(""), tuple[list[str], list[str]])
    assert_type(storage.get_modified_time("a.txt"), datetime)
    assert_type(storage.stat("a.txt"), FileStat)
    assert_type(storage.is_public("a.txt"), bool)
    assert_type(storage.rename("a.txt", "b.txt"), str)
    assert_type(storage.revoke_urls("a.txt"), int)
    assert_type(storage.revoke_urls(prefix="a"), int)
    assert_type(storage.versions("a.txt"), list[DeletedFile])
    assert_type(storage.undelete("a.txt"), str)
    assert_type(storage.undelete("a.txt", version=storage.versions("a.txt")[0]), str)
    assert_type(storage.undelete("a.txt", version="0" * 13), str)
    storage.delete("a.txt", forever=True)
    storage.set_public("a.txt", True)
    storage.set_expires("a.txt", datetime.now(UTC))
    storage.set_expires("a.txt", None)
    with storage.open("a.txt") as file:
        file.read()


async def of_links(storage: DatabaseStorage) -> None:
    """Make links, one by one and many at once."""
    assert_type(storage.url("a.txt"), str)
    assert_type(storage.url("a.txt", expires_in=timedelta(hours=1), filename="b.txt"), str)
    assert_type(storage.url("a.txt", user=7, ip="203.0.113.9", uses=1), str)
    assert_type(storage.urls(["a.txt"]), dict[str, str])
    assert_type(storage.urls([PurePosixPath("a.txt")]), dict[PurePosixPath, str])
    assert_type(storage.folder_url("a", expires_in=60), str)
    assert_type(storage.zip_url(prefix="a", filename="a.zip"), str)
    assert_type(await storage.aurl("a.txt"), str)
    assert_type(await storage.aurls(["a.txt"]), dict[str, str])


def of_forms(storage: DatabaseStorage) -> None:
    """Take uploads."""
    UploadField(max_size=1, types=["image/*"], multiple=True, label="Files", widget=UploadInput)
    ImageUploadField(storage=storage, required=False)
    assert_type(received("/files/~", storage, max_size=1, user=7, ip="::1"), ReceivedFile)


async def of_uploads(storage: DatabaseStorage, file: ReceivedFile) -> None:
    """Make links for uploads, and take one over."""
    assert_type(storage.upload_url("a.txt", max_size=9), str)
    assert_type(storage.upload_url(prefix="a", types=["image/*"], expires_in=60), str)
    assert_type(storage.upload_url(max_size=9, user=7, sha256="ab" * 32, window=0), str)
    assert_type(await storage.aupload_url(PurePosixPath("a.txt"), overwrite=True), str)
    assert_type(file.name, str | None)
    assert_type(file.size, int | None)
    assert_type(storage.save("a.txt", file), str)


def no_upload(request: HttpRequest, file: ReceivedFile, grant: UploadGrant) -> bool:
    """Refuse an upload."""
    return grant.place.path == ""


upload_hook: UploadHook = no_upload


def of_a_stat(stat: FileStat) -> None:
    """Read what is known of a file."""
    assert_type(stat.name, str)
    assert_type(stat.size, int)
    assert_type(stat.sha256, str)
    assert_type(stat.content_type, str)
    assert_type(stat.is_public, bool)
    assert_type(stat.created, datetime)
    assert_type(stat.modified, datetime)
    assert_type(stat.expires, datetime | None)
    assert_type(stat.etag, str)


def mistakes(storage: DatabaseStorage, stat: FileStat) -> None:
    """Make mistakes that a type checker finds: each comment is needed."""
    storage.url("a.txt", expires=60)  # type: ignore[call-arg]  # expires_in
    storage.url("a.txt", attachment="yes")  # type: ignore[arg-type]  # a bool
    storage.folder_url("a", uses=1)  # type: ignore[call-arg]  # not for folders
    storage.zip_url(prefix="a", attachment=True)  # type: ignore[call-arg]  # always a download
    DatabaseStorage(namespaces="a")  # type: ignore[call-arg]  # namespace
    stat.size = 1  # type: ignore[misc]  # frozen


def lets_in(request: HttpRequest, file: FileStat, grant: Grant) -> bool:
    """Decide as a hook does."""
    return file.size > 0


async def sends_elsewhere(request: HttpRequest, file: FileStat, grant: Grant) -> HttpResponse:
    """Answer as an async hook does."""
    return HttpResponse(status=402)


HOOKS: list[AuthHook] = [authenticated, staff, lets_in, sends_elsewhere]
SIGNALS: list[Signal] = [
    *(file_saved, file_deleted, file_changed, file_received, file_served, file_refused)
]


def receives(sender: type[DatabaseStorage], storage: DatabaseStorage, **kwargs: Any) -> None:
    """Receive as a project does."""


file_saved.connect(receives)
