"""The upload field for pictures, which Pillow opens and whose formats are checked."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from secure_dbstorage.forms.fields import UploadField
from secure_dbstorage.links.upload_limits import takes

#: What Pillow calls a JPEG with a second picture, as many phones save it.
_FAMILIES = {"MPO": "JPEG"}


class ImageUploadField(UploadField, forms.ImageField):
    """A picture that the browser may have sent before the form. Pillow has to be able to open it.

    Django reads the whole picture into memory for that, so give it a small ``max_size``. Its
    content must be in a format of ``types``, whatever the extension of the file; without them, in
    one of ``image/*``.
    """

    def to_python(self, data: Any) -> Any:
        """Return a picture in one of the formats."""
        file = super().to_python(data)
        kind = getattr(getattr(file, "image", None), "format", None)
        if kind is not None and _FAMILIES.get(kind, kind) not in self._formats():
            raise ValidationError(self.error_messages["invalid_image"], code="invalid_image")
        return file

    def _formats(self) -> set[str]:
        """Return the names that Pillow has for the formats whose extensions have the right types.

        It would hand others, such as EPS, to another program when they are decoded.
        """
        from PIL import Image  # noqa: PLC0415

        Image.init()
        types, more = self.types or ("image/*",), self._limits.content_types
        return {
            kind
            for extension, kind in Image.EXTENSION.items()
            if takes(types, f"x{extension}", more)
        }
