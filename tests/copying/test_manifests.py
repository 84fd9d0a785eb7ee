"""Manifests return the records written to them, all or in part."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_dbstorage.copying.manifests import ManifestWriter, read
from secure_dbstorage.files.records import FileRecord

RECORDS = [
    FileRecord(
        name=name,
        size=3,
        sha256="0" * 64,
        is_public=is_public,
        created=datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        modified=None,
        expires=datetime(2040, 1, 1, tzinfo=UTC) if is_public else None,
    )
    for name, is_public in [("a/ünï.txt", True), ("a/b\u2028c", False), ("ab", False)]
]


def write(path: Path, records: list[FileRecord]) -> None:
    with ManifestWriter(path) as writer:
        for record in records:
            writer.add(record)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    assert list(read(tmp_path / "m")) == RECORDS
    assert list(read(tmp_path / "m", "a")) == RECORDS[:2]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_an_unfinished_manifest_replaces_nothing(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    writer = ManifestWriter(tmp_path / "m")
    writer.add(RECORDS[0])
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(read(tmp_path / "m")) == RECORDS
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_the_lines_of_files_that_a_run_does_not_name_stay(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    changed = replace(RECORDS[1], size=4)
    write(tmp_path / "m", [changed])
    assert list(read(tmp_path / "m")) == [changed, RECORDS[0], RECORDS[2]]


def test_a_file_that_is_no_manifest_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Mine.\n")
    with pytest.raises(ValueError, match=r"notes\.txt, line 1: not a line of a manifest"):
        ManifestWriter(tmp_path / "notes.txt")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["Mine.\n"]


def test_an_invalid_line_is_named_and_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    with (tmp_path / "m").open("a") as file:
        file.write(
            '{"name": "x", "size": 1, "sha256": "", "is_public": true, "created": "soon"}\n'
        )
        file.write('{"size": 1}\n')
        file.write((tmp_path / "m").read_text().splitlines()[0])
    *found, bad, nameless, last = read(tmp_path / "m")
    assert [*found, last] == [*RECORDS, RECORDS[0]]
    assert bad.name == "m, line 4"
    assert "not a line of a manifest" in bad.problem
    assert nameless.problem == "not a line of a manifest: it has no 'name'"
