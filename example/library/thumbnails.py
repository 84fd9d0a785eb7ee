"""Makes thumbnails."""

from io import BytesIO
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile
from PIL import Image, ImageOps

LONGEST_SIDE = 720
MAX_PIXELS = 50_000_000


def make_thumbnail(image: "File[Any]") -> "ContentFile[Any]":
    """Return a WebP copy of at most 720 pixels, upright and without the camera's metadata.

    Raises:
        ValueError: The file is not a readable picture, or has too many pixels.
    """
    image.seek(0)
    try:
        with Image.open(image) as picture:
            # A few kilobytes can decompress to gigabytes, so check the size before decoding.
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError("This picture has more than 50 million pixels.")
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(picture)
            small = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            target = BytesIO()
            small.save(target, "WEBP", quality=82, exif=b"")
    # Each decoder reports broken files in its own way. AVIF's raises RuntimeError.
    except (OSError, SyntaxError, EOFError, RuntimeError, Image.DecompressionBombError) as error:
        raise ValueError("This file is not a readable picture.") from error
    finally:
        image.seek(0)
    return ContentFile(target.getvalue(), name=Path(image.name or "").stem + ".webp")
