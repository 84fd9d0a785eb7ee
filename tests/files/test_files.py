"""What is known about a file."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from secure_dbstorage.files import FileStat

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
