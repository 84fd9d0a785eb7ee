"""Pages of many files, by their keys."""

import pytest
from django.core.files.base import ContentFile
from django.core.paginator import EmptyPage

from secure_dbstorage.admin.paging import FilePaginator
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage

NAMES = ["a", "a b", "a-c/d", "b", "\u00e9", "\U0001f600"]


@pytest.fixture
def stored(database: str) -> str:
    """Save files in another order than that of their names; return the database's alias."""
    for name in reversed(NAMES):
        DatabaseStorage(using=database).save(name, ContentFile(b""))
    DatabaseStorage(using=database, namespace="other").save("A", ContentFile(b"x" * 600_000))
    return database


def names_of(using: str, page: int, *order: str, per_page: int = 4) -> list[str | None]:
    files = StoredFile.objects.using(using).order_by(*order)
    return [file.name for file in FilePaginator(files, per_page).page(page)]


@pytest.mark.parametrize("most", [3, 100], ids=["more than can be paged", "few"])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["namespace", "name"], [*NAMES, "A"]),
        (["-namespace", "-name"], ["A", *NAMES[::-1]]),
        (["pk"], [*NAMES[::-1], "A"]),
        (["-pk"], ["A", *NAMES]),
    ],
    ids=str,
)
def test_pages_come_in_order(
    stored: str,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    order: list[str],
    expected: list[str],
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.paging.MAX_LISTED", most)
    assert names_of(stored, 1, *order, per_page=2) == expected[:2]
    assert names_of(stored, 2, *order, per_page=2) == expected[2:4][: most - 2]


def test_the_count_stops_at_the_limit_of_paging(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = StoredFile.objects.using(stored).order_by("namespace", "name")
    whole = FilePaginator(files, 2)
    assert (whole.count, whole.num_pages, whole.is_capped) == (7, 4, False)
    monkeypatch.setattr("secure_dbstorage.admin.paging.MAX_LISTED", 3)
    capped = FilePaginator(files, 2)
    assert (capped.count, capped.num_pages, capped.is_capped) == (3, 2, True)
    with pytest.raises(EmptyPage):
        capped.page(3)


def test_files_deleted_in_the_meantime_are_left_out(stored: str) -> None:
    paginator = FilePaginator(StoredFile.objects.using(stored).order_by("namespace", "name"), 3)
    assert paginator.count == 7
    DatabaseStorage(using=stored).delete("a b")
    assert [file.name for file in paginator.page(1)] == ["a", "a-c/d"]


def test_no_files_are_one_empty_page(database: str) -> None:
    assert names_of(database, 1, "pk") == []
