"""The media types that an upload may have."""

import pytest

from secure_dbstorage.links.upload_limits import is_among, media_ranges


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


@pytest.mark.parametrize("types", [[], (), "image/png", None])
def test_types_are_a_list_of_one_or_more(types: object) -> None:
    with pytest.raises(ValueError, match=r"^types must be a list of one or more media types$"):
        media_ranges(types)
