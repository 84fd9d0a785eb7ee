"""A model with pictures, as many projects have."""

import reversion
from django.db import models
from django_cleanup import cleanup
from simple_history.models import HistoricalRecords

from tests.testapp.models import owned


def by_title(picture: "Picture", filename: str) -> str:
    """Return where a picture is saved."""
    return f"pictures/{picture.title}/{filename}"


class Picture(models.Model):
    """A picture whose size is kept beside it."""

    title = models.CharField(max_length=50)
    image = models.ImageField(
        upload_to=by_title, width_field="width", height_field="height", blank=True
    )
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title


class Poster(models.Model):
    """A picture whose size is read each time."""

    image = models.ImageField(upload_to="posters")

    def __str__(self) -> str:
        return str(self.image.name)


@cleanup.ignore  # It deletes the files of earlier versions.
class Contract(models.Model):
    """A file that goes with its row, in all versions that django-simple-history keeps."""

    file = models.FileField(storage=owned, upload_to="contracts")
    history = HistoricalRecords()

    def __str__(self) -> str:
        return str(self.file.name)


@cleanup.ignore
@reversion.register
class Statute(models.Model):
    """The same with django-reversion."""

    file = models.FileField(storage=owned, upload_to="statutes")

    def __str__(self) -> str:
        return str(self.file.name)


@cleanup.ignore
@reversion.register(follow=["statute_ptr"])
class ByLaw(Statute):
    """One with a file of its own, in a table of its own."""

    annex = models.FileField(storage=owned, upload_to="annexes")
