"""Makes what the wall shows of a picture: a thumbnail, and a copy without the camera's notes."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile
from PIL import ExifTags, Image, ImageOps

LONGEST_SIDE = 720
MAX_PIXELS = 50_000_000

#: What the form allows, whatever the extension of a file. Pillow knows many more formats. It
#: hands some to other programs, and from a TIFF it would copy where the picture was taken.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def make_thumbnail(image: "File[Any]") -> "ContentFile[Any]":
    """Return a WebP copy of at most 720 pixels, upright and without metadata.

    Raises:
        ValueError: The file is not a readable picture, or has too many pixels.
    """
    target = BytesIO()
    with opened(image) as picture:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(picture)
        small = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        small.save(target, "WEBP", quality=82, exif=b"")
    return ContentFile(target.getvalue(), name=Path(image.name or "").stem + ".webp")


def without_metadata(image: "File[Any]") -> "ContentFile[Any]":
    """Return an upright copy that says neither where nor with what it was taken.

    It keeps its format and its colour profile, in which cameras write nothing of their own. A JPEG
    that is upright keeps its quality too.

    Raises:
        ValueError: The file is not a readable picture, or has too many pixels.
    """
    target = BytesIO()
    with opened(image) as picture:
        # Two pictures in one file: phones add one for depth or brightness, which is not shown.
        kind = "JPEG" if picture.format == "MPO" else str(picture.format)
        is_upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
        copy = picture if is_upright else ImageOps.exif_transpose(picture)
        copy.save(
            target,
            kind,
            save_all=kind != "JPEG" and getattr(copy, "is_animated", False),
            quality="keep" if copy.format == "JPEG" else 92,
            icc_profile=picture.info.get("icc_profile"),
            exif=b"",
            xmp=b"",
            comment=b"",
        )
    return ContentFile(target.getvalue(), name=Path(image.name or "").name)


@contextmanager
def opened(image: "File[Any]") -> Iterator[Image.Image]:
    """Open a picture that may be anything.

    Raises:
        ValueError: The file is not a readable picture, or has too many pixels.
    """
    image.seek(0)
    Image.init()
    try:
        # An older Pillow has no AVIF.
        with Image.open(
            image, formats=[kind for kind in FORMATS if kind in Image.OPEN]
        ) as picture:
            check_pixels(picture)
            yield picture
    # Each decoder reports broken files in its own way. AVIF's raises RuntimeError.
    except (OSError, SyntaxError, EOFError, RuntimeError, Image.DecompressionBombError) as error:
        raise ValueError("This file is not a readable picture.") from error
    finally:
        image.seek(0)


def check_pixels(picture: Image.Image) -> None:
    """Count the pixels of all frames: a few kilobytes can decompress to gigabytes.

    Raises:
        ValueError: There are too many.
    """
    # The second picture in a phone's JPEG is left out.
    frames = 1 if picture.format in ("JPEG", "MPO") else getattr(picture, "n_frames", 1)
    for frame in range(frames):
        if frame:
            picture.seek(frame)
        # A frame of a GIF can be larger than the picture, which grows when its turn comes.
        if picture.width * picture.height * frames > MAX_PIXELS:
            raise ValueError(
                "This picture has more than 50 million pixels, counting all its frames."
            )
    if frames > 1:
        picture.seek(0)
