"""The values that describe a file."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from secure_dbstorage.files import FileStat
from secure_dbstorage.files.contents import Content

STAT = FileStat(
    name="a.txt",
    size=3,
    sha256="ab" * 32,
    content_type="text/plain",
    is_public=False,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    modified=datetime(2026, 1, 2, tzinfo=UTC),
)


def test_the_entity_tag_is_strong_and_the_digest_of_the_content() -> None:
    assert STAT.etag == f'"{"ab" * 32}"'


def test_metadata_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        STAT.is_public = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("size", "rows"),
    [(0, 1), (1, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 3), (2**50, 2**38)],
)
def test_a_content_has_a_row_for_each_chunk_and_at_least_one(size: int, rows: int) -> None:
    content = Content(using="default", key=1, size=size, chunk_size=4096)
    assert content.chunk_count == rows
