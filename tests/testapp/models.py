"""Models with files, as a project has them."""

from django.db import models
from django.db.models import QuerySet

from secure_dbstorage.storage import DatabaseStorage


def owned() -> DatabaseStorage:
    """Return a storage whose files are deleted with their instances."""
    return DatabaseStorage(namespace="owned", base_url="/owned/", delete_with_instance=True)


class VisibleManager(models.Manager["Book"]):
    """Leaves hidden books out."""

    def get_queryset(self) -> QuerySet["Book"]:
        """Return the visible ones."""
        return super().get_queryset().filter(is_hidden=False)


class Book(models.Model):
    """A file in the default storage, behind a manager that does not show all rows."""

    text = models.FileField(upload_to="books", max_length=200, blank=True)
    is_hidden = models.BooleanField(default=False)

    objects = VisibleManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.text.name or "a book"


class Letter(models.Model):
    """Files that are deleted with it."""

    scan = models.FileField(storage=owned, upload_to="scans")
    copy = models.FileField(storage=owned, upload_to="copies", null=True, blank=True)
    subject = models.CharField(max_length=20, blank=True)

    def __str__(self) -> str:
        return self.subject


class SignedLetter(Letter):
    """A child model with another file, in another table."""

    signature = models.FileField(storage=owned, upload_to="signatures", blank=True)
