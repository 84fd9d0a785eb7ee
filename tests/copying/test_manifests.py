"""Manifests return the records written to them, all or in part."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_dbstorage.copying.manifests import ManifestWriter, count, read
from secure_dbstorage.files.records import FileRecord

OWNER = "invoices"
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
    with ManifestWriter(path, OWNER) as writer:
        for record in records:
            writer.add(record)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    assert list(read(tmp_path / "m", OWNER)) == RECORDS
    assert list(read(tmp_path / "m", OWNER, "a")) == RECORDS[:2]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_an_unfinished_manifest_replaces_nothing(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    writer = ManifestWriter(tmp_path / "m", OWNER)
    writer.add(RECORDS[0])
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(read(tmp_path / "m", OWNER)) == RECORDS
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_the_lines_of_files_that_a_run_does_not_name_stay(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    changed = replace(RECORDS[1], size=4)
    write(tmp_path / "m", [changed])
    assert list(read(tmp_path / "m", OWNER)) == [changed, RECORDS[0], RECORDS[2]]


def test_a_file_that_is_no_manifest_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Mine.\n")
    with pytest.raises(ValueError, match=r"notes\.txt, line 1: not a line of a manifest"):
        ManifestWriter(tmp_path / "notes.txt", OWNER)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["Mine.\n"]


def test_an_invalid_line_is_named_and_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    with (tmp_path / "m").open("a") as file:
        file.write(
            '{"namespace": "", "name": "x", "size": 1, "sha256": "", "is_public": true, '
            '"created": "soon"}\n'
        )
        file.write('{"namespace": "", "size": 1}\n')
        file.write((tmp_path / "m").read_text().splitlines()[0])
    *found, bad, nameless, last = read(tmp_path / "m", OWNER)
    assert [*found, last] == [*RECORDS, RECORDS[0]]
    assert bad.name == "m, line 4"
    assert "not a line of a manifest" in bad.problem
    assert nameless.problem == "not a line of a manifest: it has no 'name'"


@pytest.mark.parametrize("other", ["", "Invoices", "invoices/2026"])
def test_a_manifest_of_another_storage_is_neither_read_nor_overwritten(
    tmp_path: Path, other: str
) -> None:
    write(tmp_path / "m", RECORDS)
    told = f"m, line 1: this is a manifest of the namespace 'invoices', not {other!r}"
    for use in (lambda path: list(read(path, other)), lambda path: ManifestWriter(path, other)):
        with pytest.raises(ValueError, match=told):
            use(tmp_path / "m")
    assert list(read(tmp_path / "m", OWNER)) == RECORDS
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_line_of_another_storage_is_refused_wherever_it_is(tmp_path: Path) -> None:
    for name, owner in (("m", OWNER), ("other", "")):
        with ManifestWriter(tmp_path / name, owner) as writer:
            writer.add(RECORDS[0])
    (tmp_path / "m").write_bytes(
        b"".join((tmp_path / name).read_bytes() for name in ("m", "other"))
    )
    with pytest.raises(ValueError, match="m, line 2: this is a manifest of the namespace ''"):
        count(tmp_path / "m", OWNER, "none of these")


def test_what_is_no_manifest_is_refused_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "m", RECORDS)
    assert count(tmp_path / "m", OWNER) == 3
    assert count(tmp_path / "m", OWNER, "a") == 2
    with (tmp_path / "m").open("a") as file:
        file.write("{}\n" * 9)
        file.flush()
        assert count(tmp_path / "m", OWNER) == 12
        file.write("{}\n")
    with pytest.raises(ValueError, match=r"m, line 4: not a line .* at least 10 such lines"):
        count(tmp_path / "m", OWNER)
