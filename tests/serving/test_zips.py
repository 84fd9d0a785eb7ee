"""Zip archives, as programs read them."""

import hashlib
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from secure_dbstorage.files import FileStat
from secure_dbstorage.names import ancestors, is_canonical
from secure_dbstorage.serving.zips import Archive, names_in_archive
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail
from tests.support.file_names import NAMES

GIB = 1024**3
MIDSUMMER = datetime(2026, 6, 21, 10, 30, 17, tzinfo=UTC)

CONTENTS = {
    "empty.txt": b"",
    "plain.txt": b"plain",
    "a/b/c/deep.txt": b"deep",
    "Case.txt": b"upper",
    "case.txt": b"lower",
    "Rechnung é.pdf": b"composed",
    "Пример/夏.txt": b"not Latin",
    "emoji 🎉.txt": b"beyond 16 bits",
    "large.bin": os.urandom(700_000),
}


def file(name: str, size: int = 0, modified: datetime = MIDSUMMER) -> FileStat:
    """Return a file below the directory "d"."""
    return FileStat(
        name=f"d/{name}",
        size=size,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        content_type="text/plain",
        is_public=False,
        created=modified,
        modified=modified,
    )


def archive_of(contents: dict[str, bytes], modified: datetime = MIDSUMMER) -> Archive:
    files = [file(name, len(content), modified) for name, content in contents.items()]
    return Archive(files, below="d", bodies=([content] for content in contents.values()))


def written(archive: Archive, directory: Path) -> Path:
    path = directory / "archive.zip"
    path.write_bytes(b"".join(archive.pieces()))
    assert path.stat().st_size == archive.size
    return path


def run(program: str, package: str, *arguments: str) -> str:
    """Run a program that must not complain."""
    try:
        command = [str(find_program(program, package=package)), *arguments]
    except Unavailable as reason:
        skip_or_fail(str(reason))
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("program", "package", "test", "unpack"),
    [
        ("unzip", "unzip", ["-t"], ["-q", "{path}", "-d", "{to}"]),
        ("7z", "p7zip-full", ["t"], ["x", "-o{to}", "{path}"]),
        ("bsdtar", "libarchive-tools", ["-tf"], ["-xf", "{path}", "-C", "{to}"]),
    ],
)
def test_programs_test_and_unpack_it(
    program: str,
    package: str,
    test: list[str],
    unpack: list[str],
    tmp_path: Path,
    settings: Settings,
) -> None:
    settings.TIME_ZONE = "UTC"  # 7-Zip has no summer time of its own.
    path = written(archive_of(CONTENTS), tmp_path)
    run(program, package, *test, str(path))
    to = tmp_path / "unpacked"
    to.mkdir()
    run(program, package, *(part.format(path=path, to=to) for part in unpack))
    assert tree(to) == CONTENTS
    assert (to / "plain.txt").stat().st_mtime == pytest.approx(MIDSUMMER.timestamp(), abs=2)


def test_python_reads_it(tmp_path: Path) -> None:
    with ZipFile(written(archive_of(CONTENTS), tmp_path)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == CONTENTS
        assert {info.compress_type for info in archive.infolist()} == {ZIP_STORED}
        # Bit 11: the name is UTF-8. Without it, Windows reads another alphabet.
        assert {info.filename for info in archive.infolist() if info.flag_bits & 0x800} == {
            name for name in CONTENTS if not name.isascii()
        }


def test_an_archive_of_one_empty_file_is_one(tmp_path: Path) -> None:
    with ZipFile(written(archive_of({"a": b""}), tmp_path)) as archive:
        assert archive.namelist() == ["a"]


def test_it_needs_one_pass_to_read(tmp_path: Path) -> None:
    """Each header stands before its bytes, and the directory says where, as the format wants."""
    path = written(archive_of(CONTENTS), tmp_path)
    data = path.read_bytes()
    with ZipFile(path) as archive:
        for info in archive.infolist():
            assert data[info.header_offset :].startswith(b"PK\x03\x04")


# --- large ones ----------------------------------------------------------------------------------


class Sparse(bytes):
    """As many bytes as it says, which take no memory and no time."""

    size = 0

    def __len__(self) -> int:
        return self.size


def sparse(size: int) -> Sparse:
    hole = Sparse(b"x" * 300_000)
    hole.size = size
    return hole


def write_sparsely(archive: Archive, path: Path) -> int:
    """Write an archive to a file, with holes in it, and return its length."""
    length = 0
    with path.open("wb") as target:
        for part in archive._parts():  # Before they are joined.
            length += len(part)
            target.write(b"" if isinstance(part, Sparse) else part)
            target.seek(length)
    return length


@pytest.mark.parametrize("size", [2 * GIB - 1, 2 * GIB, 4 * GIB - 1, 4 * GIB, 5 * GIB])
@pytest.mark.parametrize("before", [1, 2 * GIB, 4 * GIB])
def test_sizes_and_places_beyond_32_bits_are_right(size: int, before: int, tmp_path: Path) -> None:
    files = [file("a", before), file("b", size), file("last.txt", 4)]
    bodies: list[list[bytes]] = [[sparse(before)], [sparse(size)], [b"last"]]
    archive = Archive(files, below="d", bodies=iter(bodies))
    path = tmp_path / "huge.zip"
    assert write_sparsely(archive, path) == archive.size > size + before
    with ZipFile(path) as found:
        assert [info.file_size for info in found.infolist()] == [before, size, 4]
        assert found.infolist()[-1].header_offset > size + before
        assert found.read("last.txt") == b"last"


def test_programs_read_more_than_four_gib(tmp_path: Path) -> None:
    files = [file("huge.bin", 5 * GIB), file("last.txt", 4)]
    archive = Archive(files, below="d", bodies=iter([[sparse(5 * GIB)], [b"last"]]))
    path = tmp_path / "huge.zip"
    write_sparsely(archive, path)
    assert run("unzip", "unzip", "-p", str(path), "last.txt") == "last"
    assert str(5 * GIB) in run("7z", "p7zip-full", "l", str(path))


# --- dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "date"),
    [
        ("UTC", (2026, 6, 21, 10, 30, 16)),
        ("Europe/Berlin", (2026, 6, 21, 12, 30, 16)),
        ("America/New_York", (2026, 6, 21, 6, 30, 16)),
    ],
)
def test_a_file_has_the_time_of_its_content_in_the_projects_zone(
    settings: Settings, tmp_path: Path, zone: str, date: tuple[int, ...]
) -> None:
    settings.TIME_ZONE = zone
    path = written(archive_of({"a": b"a", "b": b"b"}), tmp_path)
    with ZipFile(path) as archive:
        assert [info.date_time for info in archive.infolist()] == [date, date]
        header = path.read_bytes()[archive.infolist()[1].header_offset :]
    with ZipFile(path) as archive:
        # The header in front of the bytes says the same as the directory at the end.
        assert header[10:14] == path.read_bytes()[archive.start_dir + 12 : archive.start_dir + 16]


@pytest.mark.parametrize("year", [1, 1970, 1979, 2108, 9999])
def test_a_year_that_the_format_has_not_is_its_first(year: int, tmp_path: Path) -> None:
    modified = datetime(year, 6, 21, tzinfo=UTC)
    with ZipFile(written(archive_of({"a": b"a"}, modified), tmp_path)) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("plain.txt", "plain.txt"),
        ("a:b?.txt", "a_b_.txt"),
        ('<>:"|?*', "_______"),
        ("C:/evil.exe", "C_/evil.exe"),
        ("a./b ", "a_/b_"),
        ("...", ".._"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1/lpt².x/x", "_com1/_lpt².x/x"),
        ("console.txt", "console.txt"),
        (".hidden", ".hidden"),
        ("é/日本", "é/日本"),
    ],
)
def test_what_windows_does_not_take_is_replaced(name: str, safe: str) -> None:
    assert names_in_archive([file(name)], below="d") == [safe]


def test_names_that_become_equal_are_numbered() -> None:
    names = ["x/a:b", "x/a?b", "x/a_b", "x/(2) a_b", "A_B", "a_b"]
    assert names_in_archive(map(file, names), below="d") == [
        *("x/(3) a_b", "x/(4) a_b"),
        *("x/a_b", "x/(2) a_b", "A_B", "a_b"),
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["con", "_con/x"], ["(2) _con", "_con/x"]),
        (["d:", "d_/k"], ["(2) d_", "d_/k"]),
        (["con/x", "con/y", "_con"], ["(2) _con/x", "(2) _con/y", "_con"]),
        (["a:/b", "a?", "a_/c"], ["a_/b", "(2) a_", "a_/c"]),
        (["a?", "a:/b"], ["a_", "(2) a_/b"]),
    ],
)
def test_no_file_gets_the_name_of_a_directory(names: list[str], expected: list[str]) -> None:
    assert names_in_archive(map(file, names), below="d") == expected


_SEGMENTS = st.text(st.sampled_from('aA.: "?_12é()con'), min_size=1, max_size=5)


_NAMES = st.lists(_SEGMENTS, min_size=1, max_size=2).map("/".join)


@given(st.lists(_NAMES, unique=True, max_size=6))
def test_no_two_files_share_a_name_and_none_leads_out(names: list[str]) -> None:
    above = {directory for name in names for directory in ancestors(name)}
    stored = [file(name) for name in names if is_canonical(name) and name not in above]
    found = names_in_archive(stored, below="d")
    assert len(set(found)) == len(found) == len(stored)
    assert not {directory for name in found for directory in ancestors(name)} & set(found)
    for name in found:
        assert is_canonical(name)
        assert not set(name) & set('<>:"|?*\\')
    # They stay as they are once they have been made safe.
    assert names_in_archive([file(name) for name in found], below="d") == found


def test_names_that_break_clients_can_be_unpacked(tmp_path: Path) -> None:
    names = names_in_archive(map(file, NAMES), below="d")
    path = written(archive_of({name: name.encode() for name in NAMES}), tmp_path)
    to = tmp_path / "unpacked"
    run("7z", "p7zip-full", "x", f"-o{to}", str(path))
    assert tree(to) == {safe: name.encode() for safe, name in zip(names, NAMES, strict=True)}


def test_thousands_of_equal_names_are_numbered_at_once() -> None:
    names = [f"{number:012b}".replace("0", ":").replace("1", "?") for number in range(4096)]
    found = names_in_archive(map(file, names), below="d")
    assert found[:2] + found[-1:] == ["_" * 12, f"(2) {'_' * 12}", f"(4096) {'_' * 12}"]
