"""The site's models: private documents and public pictures.

Both storages have `delete_with_instance`, so a file is deleted together with its row. The one for
documents also has `keep_deleted`, so a file can be restored: see `undo`.
"""

import mimetypes
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.db import models, transaction

from secure_dbstorage.storage import DatabaseStorage

from .images import make_thumbnail, without_metadata


def document_storage() -> DatabaseStorage:
    return cast(DatabaseStorage, storages["default"])


def picture_storage() -> DatabaseStorage:
    return cast(DatabaseStorage, storages["pictures"])


def owners_folder(instance: "Document | Picture", filename: str) -> str:
    return f"{instance.owner.username}/{filename}"


def thumbnails_folder(instance: "Picture", filename: str) -> str:
    return f"{instance.owner.username}/small/{filename}"


class DocumentManager(models.Manager["Document"]):
    @transaction.atomic
    def keep(self, owner: models.Model, file: "File[Any]") -> "Document":
        """Save a file for its owner, in one transaction: both the file and its row, or neither."""
        # Without what turns the direction of writing: strangers send files, and "fdp.exe" turned
        # around ends in ".pdf".
        title = "".join(filter(str.isprintable, Path(file.name or "").name))
        return self.create(owner=owner, title=title, size=file.size, file=file)

    @transaction.atomic
    def restore(self, owner: Any, title: str, name: str) -> "Document":
        """Restore a file that was deleted with its row, and create a new row for it.

        Raises:
            FileNotFoundError: It was deleted too long ago.
            FileExistsError: Another file has taken its name.
        """
        document_storage().undelete(name)
        size = document_storage().size(name)
        return self.create(owner=owner, title=title, size=size, file=name)


class Document(models.Model):
    """A private file. `library.access` decides who may open it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="documents")
    title = models.CharField(max_length=255)
    file = models.FileField(
        storage=document_storage, upload_to=owners_folder, max_length=255, db_index=True
    )
    size = models.PositiveBigIntegerField()
    #: Whether anyone with a link may open it. If not, links only work for the owner.
    shared = models.BooleanField(default=False)
    uploaded = models.DateTimeField(auto_now_add=True)

    objects = DocumentManager()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.title

    @property
    def suffix(self) -> str:
        return Path(self.title).suffix.removeprefix(".").lower()

    @property
    def kind(self) -> str:
        """The first half of the media type, such as "video", "audio", "image" or "text"."""
        media_type, _ = mimetypes.guess_type(self.title)
        return (media_type or "application/octet-stream").partition("/")[0]


class PictureManager(models.Manager["Picture"]):
    @transaction.atomic
    def keep(self, owner: models.Model, image: "File[Any]", description: str) -> "Picture":
        """Save a picture and a thumbnail of it, both public, and neither with a place in it.

        Raises:
            ValueError: The file is not a readable picture, or has too many pixels.
        """
        thumbnail = make_thumbnail(image)
        return self.create(
            owner=owner,
            description=description,
            image=without_metadata(image),
            thumbnail=thumbnail,
        )


class Picture(models.Model):
    """A public picture, with the thumbnail that the page shows."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="pictures")
    description = models.CharField(max_length=200)
    image = models.ImageField(storage=picture_storage, upload_to=owners_folder, max_length=255)
    thumbnail = models.ImageField(
        storage=picture_storage, upload_to=thumbnails_folder, max_length=255
    )
    uploaded = models.DateTimeField(auto_now_add=True)

    objects = PictureManager()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.description
