"""Where the bytes of a file are."""

import pytest

from secure_dbstorage.files.contents import Content


@pytest.mark.parametrize(
    ("size", "rows"),
    [(0, 1), (1, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 3), (2**50, 2**38)],
)
def test_a_content_has_a_row_for_each_chunk_and_at_least_one(size: int, rows: int) -> None:
    content = Content(using="default", key=1, size=size, chunk_size=4096)
    assert content.chunk_count == rows
