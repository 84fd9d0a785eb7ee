"""The upload field for pictures, which Pillow opens and whose formats are checked."""

from functools import partial
from io import BytesIO
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.forms.fields import UploadField
from secure_dbstorage.links.upload_limits import takes


class ImageUploadField(UploadField, forms.ImageField):
    """A picture that the browser may have sent before the form. Pillow has to be able to open it.

    The whole picture is read into memory for that, so give it a small ``max_size``. Its content
    must be in a format of ``types``, whatever the extension of the file; without them, in one of
    ``image/*``. An upload that is no such picture is deleted.
    """

    def to_python(self, data: Any) -> Any:
        """Return a picture in one of the formats, with the attributes that Django gives it."""
        # Not by Django's field for pictures: in that, Pillow tries every format, and takes seconds
        # to read 10 MiB of comments in an EPS file.
        file = forms.FileField.to_python(self, self._taken(data))
        if file is not None:
            self._open(file)
        return file

    def _open(self, file: Any) -> None:
        from PIL import Image  # noqa: PLC0415

        has_path = hasattr(file, "temporary_file_path")
        source = file.temporary_file_path() if has_path else BytesIO(file.read())
        formats = self._formats()
        try:
            image = Image.open(source, formats=formats)
            image.verify()
        except Exception as error:  # What Pillow raises depends on the format.
            if not _is_of_server(error):
                self._discard(file)
            raise ValidationError(
                self.error_messages["invalid_image"], code="invalid_image"
            ) from error
        file.image, file.content_type = image, Image.MIME.get(str(image.format))
        file.seek(0)

    def _discard(self, file: Any) -> None:
        """Delete an upload: the form doesn't show it again, and nobody has it parsed again."""
        receiver = self._receiver
        if receiver is not None and isinstance(file, ReceivedFile):
            receiver.catalog.repeat(partial(receiver.inbox.delete, file.upload))

    def _formats(self) -> list[str]:
        """Return the names that Pillow has for the formats whose extensions have the right types.

        It would hand others, such as EPS, to another program when they are decoded.
        """
        from PIL import Image  # noqa: PLC0415

        Image.init()
        types, more = self.types or ("image/*",), self._limits.content_types
        return sorted(
            {
                kind
                for extension, kind in Image.EXTENSION.items()
                if takes(types, f"x{extension}", more)
            }
        )


def _is_of_server(error: Exception) -> bool:
    """Tell whether an error says more of the server than of the picture."""
    is_of_system = isinstance(error, OSError) and error.errno is not None
    return is_of_system or isinstance(error, MemoryError | ImportError)
