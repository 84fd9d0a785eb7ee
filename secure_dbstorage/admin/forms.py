"""The admin's forms: upload, rename and link."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from secure_dbstorage.admin.homes import all_homes, home_named
from secure_dbstorage.names import MAX_LENGTH

#: The lifetimes offered for a link, in seconds, up to the storage's maximum.
_LIFETIMES = (5 * 60, 3600, 24 * 3600, 7 * 24 * 3600)

#: Units of time, in seconds.
_DAY, _HOUR, _MINUTE = 24 * 3600, 3600, 60


class UploadForm(forms.Form):
    """Asks for a file, and where to store it."""

    storage = forms.ChoiceField(label=_("Storage"))
    file = forms.FileField(
        label=_("File"), max_length=MAX_LENGTH, allow_empty_file=True, widget=forms.FileInput
    )
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
        help_text=_("Leave empty to keep the file’s own name."),
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
        """Look up the storage, and join the directory and the name."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "storage" in cleaned and "file" in cleaned:
            cleaned["home"] = home_named(cleaned["storage"])
            parts = cleaned.get("directory", ""), cleaned.get("name") or cleaned["file"].name
            cleaned["path"] = "/".join(filter(None, parts))
        return cleaned

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
            ("inline", _("Show the file in the browser, if that is safe")),
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
