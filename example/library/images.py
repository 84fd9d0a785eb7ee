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
#: hands some to other programs, and would copy what a TIFF says about its place.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")

#: The parts of a colour profile (ICC.1:2022) that say which colours are meant, and nothing else.
COLOUR_TAGS = frozenset(
    {
        *(b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC"),
        *(b"wtpt", b"chad", b"cicp", b"A2B0", b"A2B1", b"A2B2"),
    }
)


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

    It keeps its format and its colours. A JPEG that is upright keeps its quality too.

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
            icc_profile=plain_profile(picture.info.get("icc_profile")),
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
            raise ValueError("This picture has more than 50 million pixels.")
    if frames > 1:
        picture.seek(0)


def plain_profile(profile: bytes | None) -> bytes | None:
    """Return a colour profile without texts, dates and serial numbers of devices."""
    if not profile or profile[36:40] != b"acsp":
        return None
    count = min(int.from_bytes(profile[128:132]), len(profile) // 12)
    entries = [profile[start : start + 12] for start in range(132, 132 + 12 * count, 12)]
    kept = [entry for entry in entries if entry[:4] in COLOUR_TAGS]
    table, data = len(kept).to_bytes(4), b""
    for entry in kept:
        offset, size = int.from_bytes(entry[4:8]), int.from_bytes(entry[8:12])
        start = 132 + 12 * len(kept) + len(data)
        table += entry[:4] + start.to_bytes(4) + entry[8:12]
        data += profile[offset : offset + size].ljust(-(-size // 4) * 4, b"\0")
    header = bytearray(profile[:128])
    header[0:4] = (128 + len(table) + len(data)).to_bytes(4)
    # The program and the date; the system; the device; who made it, and all that is reserved.
    for start, end in ((4, 8), (24, 36), (40, 44), (48, 56), (80, 128)):
        header[start:end] = bytes(end - start)
    return bytes(header) + table + data if kept else None
