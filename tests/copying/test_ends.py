"""The content expected, written and read back must be the same."""

import hashlib

import pytest

from secure_dbstorage.copying.ends import check_content, digest_of
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord


def test_a_digest_is_that_of_all_pieces() -> None:
    assert digest_of([b"ab", b"", b"c"]) == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("expected", [None, "1"])
def test_equal_content_passes(expected: str | None) -> None:
    check_content(FileRecord(name="a", sha256=expected), "1", "1")


@pytest.mark.parametrize(("expected", "written", "found"), [("1", "2", "2"), (None, "1", "2")])
def test_different_content_does_not_pass(expected: str | None, written: str, found: str) -> None:
    with pytest.raises(CopyFailed):
        check_content(FileRecord(name="a", sha256=expected), written, found)
