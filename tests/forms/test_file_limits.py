"""Limits: what a file must be."""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from secure_dbstorage.forms.limits import Limits


def code_for(limits: Limits, name: str = "a.txt", data: bytes = b"abc") -> str | None:
    """Return why a file is refused; None if it is not."""
    try:
        limits.check(SimpleUploadedFile(name, data))
    except ValidationError as error:
        return str(error.code)
    return None


def test_without_limits_every_file_passes() -> None:
    assert code_for(Limits(), "a.exe") is None


def test_the_size_is_inclusive() -> None:
    assert code_for(Limits(max_size=3)) is None
    assert code_for(Limits(max_size=2)) == "too_large"


@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("a.TXT", ["text/plain"], None),
        ("a.csv", ["text/*"], None),
        ("a.png", ["text/*", "image/jpeg"], "file_type"),
        ("a", ["text/plain"], "file_type"),
        ("a.ours", ["text/x-ours"], None),
    ],
)
def test_a_type_is_that_of_the_name(name: str, types: list[str], expected: str | None) -> None:
    limits = Limits(types=types, content_types={".ours": "text/x-ours"})
    assert code_for(limits, name) == expected
