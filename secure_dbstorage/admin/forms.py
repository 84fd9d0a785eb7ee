"""The admin's forms: upload, rename and link."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from secure_dbstorage.admin.homes import Home, all_homes, home_named
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.forms import UploadField, UploadInput
from secure_dbstorage.forms.limits import Limits
from secure_dbstorage.names import MAX_LENGTH

#: The lifetimes offered for a link, in seconds, up to the storage's maximum.
_LIFETIMES = (5 * 60, 3600, 24 * 3600, 7 * 24 * 3600)

#: Units of time, in seconds.
_DAY, _HOUR, _MINUTE = 24 * 3600, 3600, 60


#: The most bytes of a file in a storage without a limit of its own: a link must have one.
_MAX_SIZE = 2**40


class FilesField(UploadField):
    """Takes one file or more; its value is their list.

    The storage itself refuses what is too large, so that one refusal spoils no other file.
    """

    def __init__(self, **arguments: Any) -> None:
        """Take what an upload field for several files takes."""
        super().__init__(multiple=True, max_size=_MAX_SIZE, **arguments)
        self.widget.attrs["data-drop"] = _("Or drop files anywhere on this page.")
        #: Whether the browser may send files before the form.
        self.has_route = True

    def _upload_url(self) -> str:
        return super()._upload_url() if self.has_route else ""

    def _check_limits(self, file: "UploadedFile[Any]") -> None:
        """Leave it to the storage."""


class StorageSelect(forms.Select):
    """Tells the script where the uploads to each storage begin, and what their limit is."""

    #: Attributes of the option, by the alias of the storage.
    data: Mapping[str, Mapping[str, object]] = {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return an option with these."""
        option = super().create_option(name, value, *args, **kwargs)
        option["attrs"] |= self.data.get(str(value), {})
        return option


class UploadForm(forms.Form):
    """Asks for files, and where to store them."""

    storage = forms.ChoiceField(label=_("Storage"), widget=StorageSelect)
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

    def __init__(self, *args: Any, user: object, **kwargs: Any) -> None:
        """Offer the project's storages.

        :param user: whom the form is for: nobody else can send uploads for it.
        """
        super().__init__(*args, **kwargs)
        homes = {home.alias: home for home in all_homes()}
        storage, file = self.fields["storage"], self.fields["file"]
        assert isinstance(storage, forms.ChoiceField)  # noqa: S101 -- for the type checker
        assert isinstance(file, FilesField)  # noqa: S101 -- likewise
        assert isinstance(storage.widget, StorageSelect)  # noqa: S101 -- likewise
        storage.choices = [(alias, alias) for alias in homes]
        chosen = homes.get(self["storage"].value()) or next(iter(homes.values()))
        file.storage, file.max_size, file.user = chosen.storage, _most(chosen), user
        try:
            storage.widget.data = {alias: _data(home, user) for alias, home in homes.items()}
        except ImproperlyConfigured:  # A storage without a route: the form brings the files.
            file.has_route = False

    def clean(self) -> dict[str, Any]:
        """Look up the storage, and refuse one name for several files."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "storage" in cleaned:
            cleaned["home"] = home_named(cleaned["storage"])
        if cleaned.get("name") and len(cleaned.get("file", [])) > 1:
            self.add_error("name", _("Several files can’t share one name."))
        return cleaned

    def keep_only(self, refused: Sequence[Any]) -> None:
        """Show again, of the files that the browser has sent, only those that were refused."""
        widget = self.fields["file"].widget
        assert isinstance(widget, UploadInput)  # noqa: S101 -- for the type checker
        sent = [file for file in self.cleaned_data["file"] if isinstance(file, ReceivedFile)]
        kept = zip(sent, widget.kept, strict=True)
        widget.kept = [shown for file, shown in kept if file in refused]

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


def _most(home: Home) -> int:
    """Return the most bytes of a file in a storage."""
    limit = home.storage.options.max_size
    return _MAX_SIZE if limit is None else limit


def _data(home: Home, user: object) -> dict[str, object]:
    """Return what the script has to know of a storage.

    :raises ImproperlyConfigured: when it has no route.
    """
    most = _most(home)
    return {
        "data-begin": home.storage.upload_url(max_size=most, user=user),
        "data-max-size": str(most),
        "data-too-large": Limits(max_size=most).too_large,
    }


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
