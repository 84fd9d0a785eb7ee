"""Forms that are sent uploads in place of files."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.files.storage import storages
from django.utils.datastructures import MultiValueDict

from secure_dbstorage.storage import DatabaseStorage
from tests.support.uploads import CONTENT, Uploader


def ours(alias: str = "default") -> DatabaseStorage:
    storage = storages[alias]
    assert isinstance(storage, DatabaseStorage)
    return storage


def sent(data: bytes = CONTENT, name: str = "a.txt", alias: str = "default", **terms: Any) -> str:
    """Return the URL of an upload that waits for a form."""
    return Uploader().sent(ours(alias).upload_url(**{"max_size": 10**6, **terms}), data, name)


def posted(urls: Iterable[str], **more: Any) -> MultiValueDict[str, Any]:
    data = MultiValueDict[str, Any]({name: [value] for name, value in more.items()})
    data.setlist("file-upload", list(urls))
    return data


def form_with(field: forms.Field, *urls: str, files: Any = None) -> forms.Form:
    """Return a form that was sent with a title, and these hidden values."""

    class AnyForm(forms.Form):
        title = forms.CharField()
        file = field

    return AnyForm(posted(urls, title="x"), files)


def codes(form: forms.BaseForm, field: str = "file") -> list[str]:
    return [str(error.code) for error in form.errors.as_data().get(field, [])]
