"""The media types that an upload may have."""

import pytest

from secure_dbstorage.links.upload_limits import is_among


@pytest.mark.parametrize(
    ("content_type", "types", "is_in"),
    [
        ("image/png", ["image/png"], True),
        ("image/png", ["image/*"], True),
        ("image/png", ["video/*", "image/*"], True),
        ("image/png", ["image/jpeg"], False),
        ("image/png", ["application/*"], False),
        ("images/png", ["image/*"], False),
    ],
)
def test_a_type_is_among_exact_ones_and_kinds(
    content_type: str, types: list[str], *, is_in: bool
) -> None:
    assert is_among(content_type, types) == is_in
