"""The files of a storage are found, whatever it lists."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage

from secure_dbstorage.copying.disk import end_of


@pytest.fixture
def folder(tmp_path: Path) -> FileSystemStorage:
    return FileSystemStorage(location=tmp_path)


def names_below(end: Any, directory: str = "") -> list[str]:
    return [record.name for record in end.records(directory)]


def test_a_folder_is_listed_directory_by_directory(folder: FileSystemStorage) -> None:
    for name in ("b/x", "a/y/z", "a/w", "c"):
        folder.save(name, ContentFile(b""))
    Path(folder.location, "empty").mkdir()
    end = end_of(folder)
    assert names_below(end) == ["c", "a/w", "a/y/z", "b/x"]
    assert names_below(end, "a") == ["a/w", "a/y/z"]
    with pytest.raises(FileNotFoundError):
        names_below(end, "none")


def test_links_are_reported_and_not_followed(folder: FileSystemStorage, tmp_path: Path) -> None:
    folder.save("a/b/file", ContentFile(b""))
    (tmp_path / "same").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b" / "loop").symlink_to(tmp_path / "a")
    records = list(end_of(folder).records(""))
    assert [record.name for record in records if not record.problem] == ["a/b/file"]
    assert {record.name for record in records if record.problem} == {"a/b/loop", "same"}


def test_an_unreadable_directory_is_one_failure(
    folder: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forbidding(FileSystemStorage):
        def listdir(self, path: Any) -> tuple[list[str], list[str]]:
            if path == "a":
                raise PermissionError("no entry")
            return super().listdir(path)

    folder.save("a/x", ContentFile(b""))
    folder.save("b/y", ContentFile(b""))
    records = list(end_of(Forbidding(location=folder.location)).records(""))
    assert [(record.name, record.problem) for record in records] == [
        ("a", "no entry"),
        ("b/y", ""),
    ]


class Listing(InMemoryStorage):
    """Lists what it is told to."""

    def __init__(self, listing: Callable[[str], tuple[list[str], list[str]]]) -> None:
        super().__init__()
        self.listing, self.calls = listing, 0

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        self.calls += 1
        assert self.calls < 3000, "it never ends"
        return self.listing(path)


@pytest.mark.parametrize(
    "odd", [".", "..", "", "/", "/etc", "a/b", "//", "../x", "./x", "x//y", "./"]
)
def test_a_listed_name_that_leads_elsewhere_is_a_failure(odd: str) -> None:
    source = Listing(
        lambda path: (
            (["x"], [])
            if not path
            else ([odd, "sub", "sub"], [odd, "ok", "ok"])
            if path == "x"
            else ([], ["deep"])
        )
    )
    records = list(end_of(source).records(""))
    assert [record.name for record in records if not record.problem] == ["x/ok", "x/sub/deep"]
    failed = {record.name for record in records if record.problem}
    assert failed == {f"x/{odd}", f"x/{odd.removesuffix('/')}"}
    assert source.calls == 3


@pytest.mark.parametrize(
    "listing", [(["x"], []), (["x"], ["f"]), (["a", "b", "c"], []), (["a", "b"], ["f", "g"])]
)
def test_a_source_that_lists_the_same_everywhere_ends(
    listing: tuple[list[str], list[str]],
) -> None:
    records = list(end_of(Listing(lambda path: listing)).records(""))
    assert [record for record in records if record.problem]
    assert len(records) < 1000


def test_the_same_names_in_two_levels_are_copied(folder: FileSystemStorage) -> None:
    wanted = ["a", "b/a", "b/b/c", "x/x/x/x/x/f"]
    for name in wanted:
        folder.save(name, ContentFile(b""))
    assert sorted(names_below(end_of(folder))) == wanted


def test_whatever_a_listing_raises_fails_one_directory() -> None:
    def listing(path: str) -> tuple[list[str], list[str]]:
        if path == "a":
            raise SuspiciousFileOperation("not there")
        return ([], ["y"]) if path else (["a", "b"], [])

    records = list(end_of(Listing(listing)).records(""))
    assert [(record.name, record.problem) for record in records] == [
        ("a", "not there"),
        ("b/y", ""),
    ]
