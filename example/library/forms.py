"""The forms for uploads and links."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.template.defaultfilters import filesizeformat

from secure_dbstorage.forms import UploadField, UploadInput

#: The lifetimes offered for a link, in seconds.
LIFETIMES = {10: "10 seconds", 60: "1 minute", 3600: "1 hour", 86400: "1 day"}


def refuse_larger(file: "UploadedFile[Any]", limit: int) -> None:
    """Show a friendly error for a file that the storage's `max_size` would refuse."""
    size = file.size or 0
    if size > limit:
        raise forms.ValidationError(
            f"This file is {filesizeformat(size)}. The limit is {filesizeformat(limit)}."
        )


class DocumentForm(forms.Form):
    """The browser sends the file in pieces, and continues after a broken connection.

    The storage's option `max_size` is the limit.
    """

    file = UploadField(
        label="Choose a document, or drop one here",
        max_length=200,
        widget=UploadInput(attrs={"class": "drop"}),
    )

    def __init__(self, *args: Any, user: object, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].user = user  # type: ignore[attr-defined]  # It is an UploadField.


class GuestForm(forms.Form):
    """For somebody without an account."""

    sent = UploadField(
        label="Choose files, or drop them here",
        max_length=200,
        multiple=True,
        widget=UploadInput(attrs={"class": "drop"}),
    )


class PictureForm(forms.Form):
    image = forms.ImageField(
        label="Choose a picture, or drop one here",
        max_length=200,
        validators=[FileExtensionValidator(["png", "jpg", "jpeg", "webp", "gif", "avif"])],
        widget=forms.FileInput(
            attrs={
                "class": "drop",
                "accept": "image/png,image/jpeg,image/webp,image/gif,image/avif",
            }
        ),
    )
    description = forms.CharField(
        label="What does it show?",
        max_length=200,
        help_text="For people who cannot see it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_image(self) -> "UploadedFile[Any]":
        image: UploadedFile[Any] = self.cleaned_data["image"]
        refuse_larger(image, settings.PICTURE_MAX_BYTES)
        return image


class LinkForm(forms.Form):
    seconds = forms.TypedChoiceField(choices=list(LIFETIMES.items()), coerce=int)
