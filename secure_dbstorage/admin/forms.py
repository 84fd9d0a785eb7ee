"""The admin's forms: upload, rename and link."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from secure_dbstorage.admin.homes import all_homes, home_named
from secure_dbstorage.names import MAX_LENGTH

#: The lifetimes offered for a link, in seconds, up to the storage's maximum.
_LIFETIMES = (5 * 60, 3600, 24 * 3600, 7 * 24 * 3600)

#: Units of time, in seconds.
_DAY, _HOUR, _MINUTE = 24 * 3600, 3600, 60


class FilesInput(forms.FileInput):
    """Lets people choose several files. The script lets them drop files too."""

    allow_multiple_selected = True

    def __init__(self) -> None:
        super().__init__({"multiple": True, "data-drop": _("Or drop files anywhere here.")})


class FilesField(forms.FileField):
    """Takes one file or more; its value is their list."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Check each file."""
        return [super(FilesField, self).clean(file, initial) for file in data or [None]]


class UploadForm(forms.Form):
    """Asks for files, and where to store them."""

    storage = forms.ChoiceField(label=_("Storage"))
    file = FilesField(label=_("Files"), max_length=MAX_LENGTH, allow_empty_file=True)
    directory = forms.CharField(
        label=_("Directory"),
        required=False,
        max_length=MAX_LENGTH,
        help_text=_("For example “invoices/2026”. It doesn’t have to exist yet."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=MAX_LENGTH,
        strip=False,
        help_text=_("For a single file. Leave empty to keep the files’ own names."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"),
        required=False,
        choices=[
            ("", _("The storage’s default")),
            ("private", _("Private: opens only with a signed link")),
            ("public", _("Public: anyone can open it")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the project's storages."""
        super().__init__(*args, **kwargs)
        storage = self.fields["storage"]
        assert isinstance(storage, forms.ChoiceField)  # noqa: S101 -- for the type checker
        storage.choices = [(home.alias, home.alias) for home in all_homes()]

    def clean(self) -> dict[str, Any]:
        """Look up the storage, and refuse one name for several files."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "storage" in cleaned:
            cleaned["home"] = home_named(cleaned["storage"])
        if cleaned.get("name") and len(cleaned.get("file", [])) > 1:
            self.add_error("name", _("Several files can’t share one name."))
        return cleaned

    @property
    def uploads(self) -> Iterator[tuple[str, "UploadedFile[Any]"]]:
        """The files, each with its future name, including its directory."""
        given = self.cleaned_data
        for file in given["file"]:
            parts = given["directory"], given["name"] or file.name
            yield "/".join(filter(None, parts)), file

    @property
    def public(self) -> bool | None:
        """The chosen visibility; None for the storage's default."""
        return {"private": False, "public": True}.get(self.cleaned_data["visibility"])


class RenameForm(forms.Form):
    """Asks for a new name."""

    name = forms.CharField(
        label=_("New name"),
        max_length=MAX_LENGTH,
        strip=False,
        help_text=_("Including directories. Links to the old name will stop working."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class LinkForm(forms.Form):
    """Asks for the terms of a link."""

    lifetime = forms.TypedChoiceField(label=_("Valid for"), coerce=int)
    presentation = forms.ChoiceField(
        label=_("When opened"),
        choices=[
            ("inline", _("Show the file, if that is safe")),
            ("attachment", _("Download the file")),
        ],
        initial="inline",
    )
    once = forms.BooleanField(label=_("Works only once"), required=False)

    def __init__(self, *args: Any, usual: int, longest: int, **kwargs: Any) -> None:
        """Offer lifetimes.

        :param usual: the lifetime selected initially, in seconds.
        :param longest: the storage's maximum, in seconds.
        """
        super().__init__(*args, **kwargs)
        lifetimes = {seconds for seconds in _LIFETIMES if seconds <= longest}
        lifetime = self.fields["lifetime"]
        assert isinstance(lifetime, forms.ChoiceField)  # noqa: S101 -- for the type checker
        lifetime.choices = [
            (str(seconds), readable_lifetime(seconds))
            for seconds in sorted(lifetimes | {usual, longest})
        ]
        lifetime.initial = str(usual)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of ``url()``."""
        chosen: dict[str, Any] = {
            "expires_in": self.cleaned_data["lifetime"],
            "attachment": self.cleaned_data["presentation"] == "attachment",
            # The lifetime starts now, so the link works for as long as the page says.
            "window": 0,
        }
        return chosen | {"uses": 1} if self.cleaned_data["once"] else chosen


def readable_lifetime(seconds: int) -> str:
    """Return a lifetime in the largest unit that divides it."""
    if seconds % _DAY == 0:
        return ngettext("%d day", "%d days", seconds // _DAY) % (seconds // _DAY)
    if seconds % _HOUR == 0:
        return ngettext("%d hour", "%d hours", seconds // _HOUR) % (seconds // _HOUR)
    if seconds % _MINUTE == 0:
        return ngettext("%d minute", "%d minutes", seconds // _MINUTE) % (seconds // _MINUTE)
    return ngettext("%d second", "%d seconds", seconds) % seconds
