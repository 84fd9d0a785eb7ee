"""Limits: what a file must be."""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from secure_dbstorage.forms.limits import Limits
from secure_dbstorage.storage import DatabaseStorage


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
    storage = DatabaseStorage(content_types={".ours": "text/x-ours"})
    assert code_for(Limits(types=types, storage=storage), name) == expected


@pytest.mark.parametrize("name", ["★★★", "💩", " ", ".★."])
def test_of_a_name_something_is_left_when_it_is_cleaned(name: str) -> None:
    assert code_for(Limits(), name) == "file_name"
    assert code_for(Limits(types=["application/octet-stream"]), name) == "file_name"
    assert code_for(Limits(max_size=2), name) == "too_large"


@pytest.mark.parametrize(
    "name", ["x.pd★f", "x.ht?ml", "page.p★n★g", "x.html★", "x.h t.ml", "★.pdf"]
)
@pytest.mark.parametrize(
    "types", [["application/octet-stream"], ["application/pdf", "text/html", "image/png"]]
)
def test_a_type_is_that_of_the_name_as_it_was_sent_and_as_it_is_saved(
    name: str, types: list[str]
) -> None:
    """The field of a model cleans it, and code that calls ``save()`` may not."""
    is_hidden_by_space = name == "x.h t.ml"  # Which becomes an underscore.
    expected = None if is_hidden_by_space and "text/html" not in types else "file_type"
    assert code_for(Limits(types=types), name) == expected
