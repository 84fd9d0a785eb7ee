"""Head rows: new, kept and changed columns."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.heads import HEAD_COLUMNS
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.table.chunks import Written
from secure_dbstorage.table.heads import later_epoch, new_head, renamed_head, replaced_head

WRITTEN = Written(
    content=Content(using="default", key=5, size=7, chunk_size=4096),
    sha256="0" * 64,
    first_chunk=b"content",
)
THEN = datetime(2020, 1, 2, tzinfo=UTC)
KEPT = FileRecord(name="elsewhere.txt", is_public=True, created=THEN, modified=THEN)
ROW = StoredFile(name="a.txt", link_epoch=2**60)


def test_a_new_file_has_every_column_of_a_head() -> None:
    columns = new_head("a.txt", WRITTEN, StorageOptions(namespace="invoices"), None)
    needed = {*HEAD_COLUMNS, "data", "position", "namespace"} - {"expires"}
    assert columns.keys() == needed
    assert columns["content_type"] == "text/plain"
    assert columns["is_public"] is False


def test_a_temporary_file_ends_after_its_lifetime() -> None:
    options = StorageOptions(delete_after=lambda name: timedelta(days=1))
    columns = new_head("a.txt", WRITTEN, options, None)
    assert columns["expires"] == columns["modified"] + timedelta(days=1)  # type: ignore[operator]


def test_times_and_flags_from_elsewhere_are_kept() -> None:
    columns = new_head("a.txt", WRITTEN, StorageOptions(), KEPT)
    assert (columns["created"], columns["modified"], columns["is_public"]) == (THEN, THEN, True)


def test_an_overwrite_changes_neither_flag_nor_creation_nor_epoch() -> None:
    columns = replaced_head(ROW, WRITTEN, StorageOptions(), None)
    assert columns.keys().isdisjoint({"name", "is_public", "created", "link_epoch"})


def test_another_file_in_its_place_has_another_epoch() -> None:
    columns = replaced_head(ROW, WRITTEN, StorageOptions(), KEPT)
    assert columns["link_epoch"] == 2**60 + 1


def test_a_renamed_file_has_another_type_and_epoch() -> None:
    assert renamed_head(ROW, "b.png", StorageOptions()) == {
        "name": "b.png",
        "content_type": "image/png",
        "link_epoch": 2**60 + 1,
    }


@pytest.mark.parametrize("clock", [0, 3_000_000_000_000_000_000])
def test_an_epoch_grows_even_if_the_clock_is_set_back(
    monkeypatch: pytest.MonkeyPatch, clock: int
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: clock)
    assert later_epoch(2**50) > 2**50
