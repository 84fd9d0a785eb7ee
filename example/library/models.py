"""What people keep here: private documents and public pictures."""

import mimetypes
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from .thumbnails import make_thumbnail


def document_storage() -> Storage:
    return storages["default"]


def picture_storage() -> Storage:
    return storages["pictures"]


def owners_folder(instance: "Document | Picture", filename: str) -> str:
    return f"{instance.owner.username}/{filename}"


def thumbnails_folder(instance: "Picture", filename: str) -> str:
    return f"{instance.owner.username}/small/{filename}"


class DocumentManager(models.Manager["Document"]):
    @transaction.atomic
    def keep(self, owner: models.Model, file: File) -> "Document":
        """Keep a file for its owner. One transaction: bytes and row are saved both or neither."""
        return self.create(owner=owner, title=Path(file.name).name, size=file.size, file=file)


class Document(models.Model):
    """A private file. Who may open it is decided in `library.access`."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="documents")
    title = models.CharField(max_length=255)
    file = models.FileField(
        storage=document_storage, upload_to=owners_folder, max_length=255, db_index=True
    )
    size = models.PositiveBigIntegerField()
    #: True: whoever holds a link may open it. False: a link opens it for the owner alone.
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
        """The first half of the media type: "video", "audio", "image", "text" or another."""
        media_type, _ = mimetypes.guess_type(self.title)
        return (media_type or "application/octet-stream").partition("/")[0]


class PictureManager(models.Manager["Picture"]):
    @transaction.atomic
    def keep(self, owner: models.Model, image: File, description: str) -> "Picture":
        """Keep a picture and a small copy of it, both public.

        Raises:
            ValueError: it cannot be read as a picture, or has too many pixels.
        """
        thumbnail = make_thumbnail(image)
        image.name = Path(image.name).name
        return self.create(owner=owner, description=description, image=image, thumbnail=thumbnail)


class Picture(models.Model):
    """A public picture, with the small copy that the page shows."""

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


# Django leaves a file where it is when its row goes. Here it can go in the same transaction, by
# whatever way the row is deleted: if that is rolled back, the file is still there.


@receiver(post_delete, sender=Document)
def delete_document_file(instance: Document, **_: object) -> None:
    instance.file.delete(save=False)


@receiver(post_delete, sender=Picture)
def delete_picture_files(instance: Picture, **_: object) -> None:
    instance.image.delete(save=False)
    instance.thumbnail.delete(save=False)
