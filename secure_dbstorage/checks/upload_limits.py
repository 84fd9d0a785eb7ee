"""Checks of forms: whether each field for uploads has a limit."""

from collections.abc import Iterator
from copy import copy
from typing import Any

from django import forms
from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from secure_dbstorage.forms import UploadField


def check_upload_limits(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find form fields that take uploads of any size, in all imported forms.

    The admin makes those of ``formfield_overrides`` for each request, so they are not seen.
    """
    for form in _form_classes(forms.BaseForm):
        fields: dict[str, Any] = getattr(form, "base_fields", {})
        for name, field in fields.items():
            if isinstance(field, UploadField) and _lacks_limit(field, form, name):
                yield checks.Error(
                    f"{form.__module__}.{form.__qualname__}.{name} takes uploads of any size.",
                    hint="Give it max_size, or set the option max_size of its storage.",
                    id="secure_dbstorage.E012",
                )


def _form_classes(parent: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for child in parent.__subclasses__():
        yield child
        yield from _form_classes(child)


def _lacks_limit(field: UploadField, form: type[forms.BaseForm], name: str) -> bool:
    try:
        return copy(field).lacks_limit(form, name)
    except ImproperlyConfigured:
        return False  # `check_options()` reports it.
