"""Fields for uploads of any size are found before anybody uses them."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from pytest_django import Settings

from secure_dbstorage.checks import upload_limits
from secure_dbstorage.forms import ImageUploadField, UploadField
from tests.support.checks import storages
from tests.testapp.models import Book


@pytest.fixture(autouse=True)
def _forms_are_forgotten() -> Iterator[None]:
    """Let no form of a test be found by another."""
    yield
    gc.collect()


def found(part: str = __name__) -> list[str]:
    """Return what is said of the forms of this module, or of others."""
    return [each.msg for each in upload_limits.check_upload_limits() if part in each.msg]


def model_form(**more: Any) -> type[forms.BaseForm]:
    """Return a form whose model field is of another storage than "default"."""
    return forms.modelform_factory(
        Book,
        fields=["text"],
        field_classes={"text": UploadField},
        formfield_callback=lambda field, **given: field.formfield(**given, **more),
    )


def test_a_field_without_a_limit_is_named() -> None:
    class Unlimited(forms.Form):
        file = UploadField()
        picture = ImageUploadField()
        limited = UploadField(max_size=5)

    class Child(Unlimited):
        file = UploadField(max_size=7)

    assert Child.base_fields
    names = ["Unlimited.file", "Unlimited.picture", "Child.picture"]
    ends = [f"{name} takes uploads of any size." for name in names]
    said = found()
    assert len(said) == len(ends)
    assert all(text.endswith(end) for text, end in zip(said, ends, strict=True))
    (message, *_) = [e for e in upload_limits.check_upload_limits() if __name__ in e.msg]
    assert message.id == "secure_dbstorage.E012"


def test_the_limit_of_a_storage_is_enough(settings: Settings) -> None:
    class AnyForm(forms.Form):
        file = UploadField()

    settings.STORAGES = storages(default={"max_size": 5})
    assert AnyForm.base_fields
    assert found() == []
    settings.STORAGES = storages(default={"colour": 1})  # Another check reports it.
    assert found() == []


def test_a_form_of_a_model_counts_too() -> None:
    form = model_form()
    (said,) = found("BookForm.")
    assert said.endswith(".BookForm.text takes uploads of any size.")
    del form
    gc.collect()
    form = model_form(max_size=5)
    assert form.base_fields
    assert not found("BookForm.")
