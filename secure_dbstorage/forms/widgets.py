"""The widget of an upload field: a file input, and a hidden value for each file that was sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.widgets import FILE_INPUT_CONTRADICTION

from secure_dbstorage.forms.limits import Limits
from secure_dbstorage.links.paths import SignedPath


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was sent already, and that the form shows again beside an error elsewhere."""

    url: SignedPath
    #: As people see it.
    name: str


class UploadInput(forms.ClearableFileInput):
    """Sends files while the form is filled in, if the browser runs scripts.

    It does so only in an :class:`~secure_dbstorage.forms.UploadField`, and is a plain file input
    otherwise.
    """

    template_name = "secure_dbstorage/upload_input.html"

    class Media:
        css = {"all": ["secure_dbstorage/upload.css"]}
        js = ["secure_dbstorage/upload.js"]

    #: Returns the link that begins uploads; None for no uploads.
    begin: Callable[[], str] | None = None
    #: What a file must be.
    limits = Limits()
    #: Files that were sent already.
    kept: Sequence[Kept] = ()

    def hidden_name(self, name: str) -> str:
        """Return the name of the hidden values beside a file input of this name."""
        return f"{name}-upload"

    def value_from_datadict(
        self, data: Mapping[str, Any], files: Mapping[str, Any], name: str
    ) -> Any:
        """Return what a file input returns, with a signed path in place of each upload."""
        urls = [
            SignedPath(value)
            for value in _values(data, self.hidden_name(name))
            if value and isinstance(value, str)
        ]
        if self.allow_multiple_selected:
            return [*filter(None, _values(files, name)), *urls]
        value = super().value_from_datadict(data, files, name)  # type: ignore[arg-type]
        if value is False and urls:
            return FILE_INPUT_CONTRADICTION
        # The script takes a file out of the input when it sends it: one in there is newer.
        return urls[-1] if urls and value is None else value

    def value_omitted_from_data(
        self, data: Mapping[str, Any], files: Mapping[str, Any], name: str
    ) -> bool:
        """Tell whether there is neither a file nor an upload, and nothing to clear."""
        is_omitted = super().value_omitted_from_data(data, files, name)  # type: ignore[arg-type]
        return is_omitted and self.hidden_name(name) not in data

    def use_required_attribute(self, initial: Any) -> bool:
        """Tell whether the browser should require a file: not if there is one already."""
        return super().use_required_attribute(initial) and not self.kept

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Return what the template shows."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"] |= {
            "begin": self.begin() if self.begin else "",
            "limits": self.limits,
            "kept": self.kept,
            "hidden_name": self.hidden_name(name),
        }
        return context


def _values(data: Any, name: str) -> list[Any]:
    """Return all values of a name, from a dictionary with one or several for each name."""
    if hasattr(data, "getlist"):
        return list(data.getlist(name))
    value = data.get(name)
    return list(value) if isinstance(value, list | tuple) else [value]
