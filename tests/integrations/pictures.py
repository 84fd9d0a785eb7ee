"""Pictures to save."""

import io
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

SIZE = (800, 600)


def picture(name: str = "a.png", size: tuple[int, int] = SIZE) -> "ContentFile[bytes]":
    """Return a picture of noise: of this size it takes several rows."""
    buffer = io.BytesIO()
    format_name = Image.registered_extensions()[Path(name).suffix]
    Image.effect_noise(size, 80).convert("RGB").save(buffer, format_name)
    return ContentFile(buffer.getvalue(), name)


def files(directory: str = "") -> list[str]:
    """Return the names of all files below a directory of the default storage."""
    catalog = default_storage.catalog
    return sorted(str(row.name) for row in catalog.files().below(directory))


def body(response: Any) -> io.BytesIO:
    """Return what a client got."""
    assert response.status_code == 200, response
    return io.BytesIO(response.getvalue())
