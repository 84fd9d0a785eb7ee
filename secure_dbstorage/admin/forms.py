"""The forms of the admin: what can be asked of a file."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from secure_dbstorage.admin.homes import all_homes, home_named
from secure_dbstorage.names import MAX_LENGTH

#: The lifetimes offered for a link, in seconds, as far as the storage allows them.
_LIFETIMES = (5 * 60, 3600, 24 * 3600, 7 * 24 * 3600)

#: Units of time in seconds, the largest first.
_DAY, _HOUR, _MINUTE = 24 * 3600, 3600, 60


class UploadForm(forms.Form):
    """Asks for a file, and where it is to be kept."""

    storage = forms.ChoiceField(label=_("Storage"))
    file = forms.FileField(
        label=_("File"), max_length=MAX_LENGTH, allow_empty_file=True, widget=forms.FileInput
    )
    directory = forms.CharField(
        label=_("Directory"),
        required=False,
        max_length=MAX_LENGTH,
        help_text=_("Such as “invoices/2026”. It need not exist."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=MAX_LENGTH,
        strip=False,
        help_text=_("Left out, the file keeps its own name."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"),
        required=False,
        choices=[
            ("", _("As the storage has it")),
            ("private", _("Private: opens by links alone")),
            ("public", _("Public: opens for everybody")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the storages of the project."""
        super().__init__(*args, **kwargs)
        storage = self.fields["storage"]
        assert isinstance(storage, forms.ChoiceField)  # noqa: S101 -- for the type checker
        storage.choices = [(home.alias, home.alias) for home in all_homes()]

    def clean(self) -> dict[str, Any]:
        """Put the storage and the whole name together."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "storage" in cleaned and "file" in cleaned:
            cleaned["home"] = home_named(cleaned["storage"])
            parts = cleaned.get("directory", ""), cleaned.get("name") or cleaned["file"].name
            cleaned["path"] = "/".join(filter(None, parts))
        return cleaned

    @property
    def public(self) -> bool | None:
        """What was chosen; None leaves it to the storage."""
        return {"private": False, "public": True}.get(self.cleaned_data["visibility"])


class RenameForm(forms.Form):
    """Asks for another name."""

    name = forms.CharField(
        label=_("New name"),
        max_length=MAX_LENGTH,
        strip=False,
        help_text=_("With its directories. Links to the old name stop to work."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class LinkForm(forms.Form):
    """Asks what a link is to allow."""

    lifetime = forms.TypedChoiceField(label=_("Works for"), coerce=int)
    presentation = forms.ChoiceField(
        label=_("The browser"),
        choices=[
            ("inline", _("shows it, where it safely can")),
            ("attachment", _("saves it")),
        ],
        initial="inline",
    )
    once = forms.BooleanField(label=_("Works one time"), required=False)

    def __init__(self, *args: Any, usual: int, longest: int, **kwargs: Any) -> None:
        """Offer lifetimes.

        :param usual: the lifetime that is chosen first, in seconds.
        :param longest: the most that the storage allows, in seconds.
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
            # A life that begins now: the link on the page works as long as the page says.
            "window": 0,
        }
        return chosen | {"uses": 1} if self.cleaned_data["once"] else chosen


def readable_lifetime(seconds: int) -> str:
    """Return a lifetime in the largest unit that it is whole in."""
    if seconds % _DAY == 0:
        return ngettext("%d day", "%d days", seconds // _DAY) % (seconds // _DAY)
    if seconds % _HOUR == 0:
        return ngettext("%d hour", "%d hours", seconds // _HOUR) % (seconds // _HOUR)
    if seconds % _MINUTE == 0:
        return ngettext("%d minute", "%d minutes", seconds // _MINUTE) % (seconds // _MINUTE)
    return ngettext("%d second", "%d seconds", seconds) % seconds
