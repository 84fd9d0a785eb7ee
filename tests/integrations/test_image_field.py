"""ImageField: the first row is enough to find a picture's dimensions."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django import forms
from django.core.files.images import get_image_dimensions
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.models import StoredFile
from tests.integrations.models import Picture, Poster
from tests.integrations.pictures import SIZE, files, picture

pytestmark = pytest.mark.django_db


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]
    """The usual code."""

    class Meta:
        model = Picture
        fields = ["title", "image"]


@contextmanager
def one_row_is_read() -> Iterator[None]:
    """Assert that a block asks once for a file: what comes is its head row, with its bytes."""
    with CaptureQueriesContext(connection) as queries:
        yield
    [query] = [each["sql"] for each in queries if StoredFile._meta.db_table in each["sql"]]
    assert "name" in query


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp"])
def test_the_size_of_a_large_picture_takes_one_row(name: str) -> None:
    Poster.objects.create(image=picture(name, (1500, 1200)))
    poster = Poster.objects.get()
    assert poster.image.size > 2 * default_storage.options.chunk_size
    with one_row_is_read():
        assert (poster.image.width, poster.image.height) == (1500, 1200)
    assert poster.image.closed
    with one_row_is_read(), default_storage.open(poster.image.name) as file:
        assert get_image_dimensions(file) == (1500, 1200)


def test_a_picture_that_pillow_wants_whole_is_fetched_once() -> None:
    """Pillow needs the last byte of a WebP to find its size, so Django reads the whole file."""
    Poster.objects.create(image=picture("a.webp", (1500, 1200)))
    poster = Poster.objects.get()
    row_count = StoredFile.rows.count()
    assert row_count > 2
    with CaptureQueriesContext(connection) as queries:
        assert (poster.image.width, poster.image.height) == (1500, 1200)
    assert 1 < len(queries) <= row_count


def test_fields_with_the_size_are_filled_when_a_picture_is_set() -> None:
    created = Picture.objects.create(title="noise", image=picture())
    assert (created.width, created.height) == SIZE
    assert files() == ["pictures/noise/a.png"]
    with CaptureQueriesContext(connection) as queries:
        loaded = Picture.objects.get()
        assert (loaded.width, loaded.height) == SIZE
    assert len(queries) == 1


def test_fields_with_the_size_that_are_empty_are_filled_on_init_from_one_row() -> None:
    Picture.objects.create(title="noise", image=picture(size=(1500, 1200)))
    Picture.objects.update(width=None, height=None)
    with one_row_is_read():
        loaded = Picture.objects.get()
    assert (loaded.width, loaded.height) == (1500, 1200)


def test_a_name_that_is_set_fills_the_fields_from_one_row() -> None:
    stored = default_storage.save("b.png", picture(size=(1500, 1200)))
    with one_row_is_read():
        made = Picture(title="noise", image=stored)
    assert (made.width, made.height) == (1500, 1200)
    made.save()
    assert files() == ["b.png"]


def test_a_form_checks_saves_replaces_and_clears_a_picture() -> None:
    upload = SimpleUploadedFile("a.png", picture().read(), "image/png")
    form = PictureForm({"title": "noise"}, {"image": upload})
    assert form.is_valid(), form.errors
    made = form.save()
    assert files() == ["pictures/noise/a.png"]
    assert (made.width, made.height) == SIZE
    assert "/files/pictures/noise/a.png?token=" in PictureForm(instance=made).as_p()

    smaller = SimpleUploadedFile("b.png", picture(size=(20, 10)).read(), "image/png")
    form = PictureForm({"title": "noise"}, {"image": smaller}, instance=made)
    assert form.is_valid(), form.errors
    form.save()
    assert (made.width, made.height) == (20, 10)

    form = PictureForm({"title": "noise", "image-clear": "on"}, instance=made)
    assert form.is_valid(), form.errors
    form.save()
    made.refresh_from_db()
    assert not made.image
    assert made.width is None


def test_a_form_refuses_a_file_that_is_not_a_picture() -> None:
    form = PictureForm({"title": "x"}, {"image": SimpleUploadedFile("a.png", b"no picture")})
    assert "image" in form.errors
    assert files() == []
