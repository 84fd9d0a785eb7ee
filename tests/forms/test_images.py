"""A field for pictures: Pillow opens them, and they have the right format."""

from io import BytesIO
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from PIL import Image
from pytest_django import Settings

from secure_dbstorage.forms import ImageUploadField, UploadField
from secure_dbstorage.models import StoredFile
from tests.support.forms import codes, form_with, sent
from tests.support.uploads import CONTENT

pytestmark = pytest.mark.django_db

SIZE = len(CONTENT)


def png(kind: str = "PNG") -> bytes:
    Image.new("RGB", (3, 2)).save(buffer := BytesIO(), kind)
    return buffer.getvalue()


#: Pillow knows what it is, and leaves it to Ghostscript to draw it.
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"


def test_pillow_opens_it() -> None:
    form = form_with(ImageUploadField(max_size=SIZE), sent(png(), "a.png"))
    assert form.is_valid(), form.errors
    file = form.cleaned_data["file"]
    assert (file.image.size, file.content_type) == ((3, 2), "image/png")
    assert file.read() == png()


def test_what_is_no_picture_is_refused() -> None:
    field = ImageUploadField(max_size=SIZE)
    assert codes(form_with(field, sent(b"x", "a.png"))) == ["invalid_image"]
    assert codes(form_with(field, sent(png(), "a.txt"))) == ["invalid_extension"]
    assert 'accept="image/*"' in form_with(field).as_p()


@pytest.mark.parametrize(
    ("content", "types", "is_taken"),
    [
        (png("TIFF"), [], True),
        (png("TIFF"), ["image/*"], True),
        (png("TIFF"), ["image/png", "image/jpeg"], False),
        (png("MPO"), ["image/png", "image/jpeg"], True),
        (EPS, [], False),
        (EPS, ["image/*"], False),
        (EPS, ["image/*", "application/postscript"], True),
        (b"", ["image/*"], False),
    ],
)
def test_its_format_is_among_the_types(
    content: bytes, types: list[str], *, is_taken: bool
) -> None:
    code = "invalid_image" if content else "empty"
    file = SimpleUploadedFile("a.png", content)
    for form in (
        form_with(ImageUploadField(max_size=SIZE, types=types), sent(content, "a.png")),
        form_with(ImageUploadField(max_size=SIZE, types=types), files={"file": file}),
    ):
        assert codes(form) == ([] if is_taken else [code])


def test_no_other_format_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read the comments of an EPS file takes seconds."""
    parsed = list[str]()
    Image.init()
    for kind, (factory, accept) in list(Image.OPEN.items()):

        def note(*given: Any, kind: str = kind, factory: Any = factory) -> Any:
            parsed.append(kind)
            return factory(*given)

        monkeypatch.setitem(Image.OPEN, kind, (note, accept))
    field = ImageUploadField(max_size=SIZE, types=["image/png"])
    for content in (EPS, png("TIFF"), png("JPEG")):
        assert codes(form_with(field, sent(content, "a.png"))) == ["invalid_image"]
        files = {"file": SimpleUploadedFile("a.png", content)}
        assert codes(form_with(field, files=files)) == ["invalid_image"]
    assert parsed == []
    assert form_with(field, sent(png(), "a.png")).is_valid()
    assert parsed == ["PNG"]


def test_what_is_no_picture_is_parsed_once_and_deleted() -> None:
    field, url = ImageUploadField(max_size=SIZE), sent(CONTENT, "a.png")
    assert codes(form_with(field, url)) == ["invalid_image"]
    assert not StoredFile.rows.exists()
    assert codes(form_with(field, url)) == ["upload_gone"]


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("a plugin"), OSError(24, "Too many open files")]
)
def test_a_server_in_need_deletes_no_upload(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, url = ImageUploadField(max_size=SIZE), sent(png(), "a.png")

    def fail(*given: Any, **named: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", fail)
        assert codes(form_with(field, url)) == ["invalid_image"]
    assert form_with(field, url).is_valid()


def test_a_project_mixes_the_field_with_that_of_django() -> None:
    class Picture(UploadField, forms.ImageField):
        """It also looks into the file."""

    assert form_with(Picture(max_size=SIZE), sent(png(), "a.png")).is_valid()
    assert codes(form_with(Picture(max_size=SIZE), sent(b"x", "a.png"))) == ["invalid_image"]


def test_a_large_picture_in_the_form_is_opened_on_disk() -> None:
    with TemporaryUploadedFile("a.png", "image/png", len(png()), None) as file:
        file.write(png())
        file.flush()
        form = form_with(ImageUploadField(max_size=SIZE), files={"file": file})
        assert form.is_valid(), form.errors
        assert form.cleaned_data["file"].image.size == (3, 2)
        assert file.read() == png()


def test_a_project_has_its_own_extensions(settings: Settings) -> None:
    settings.SECURE_DBSTORAGE = {"CONTENT_TYPES": {".tif": "image/x-ours"}}
    field = ImageUploadField(max_size=SIZE, types=["image/x-ours"])
    assert form_with(field, sent(png("TIFF"), "a.tif")).is_valid()
    assert codes(form_with(field, sent(png(), "a.tif"))) == ["invalid_image"]
