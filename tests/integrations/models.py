"""A model with pictures, as many projects have."""

from django.db import models


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
