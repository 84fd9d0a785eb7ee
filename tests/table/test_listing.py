"""The entries of a directory, found among sorted names."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.table.listing import entries_of

NAMES = st.lists(
    st.lists(st.text("a.0~ é", min_size=1, max_size=2), min_size=1, max_size=4).map("/".join),
    unique=True,
    max_size=300,
)


class Table:
    """Names in the order of their bytes, as the table's index has them."""

    def __init__(self, names: list[str]) -> None:
        """Sort them; between "/" and "0" there is no character."""
        self.names = sorted(names)
        self.rows = 0

    def fetch(self, bounds: tuple[str, str | None], limit: int) -> list[str]:
        """Return the first names within bounds."""
        low, high = bounds
        end = len(self.names) if high is None else bisect_left(self.names, high)
        found = self.names[bisect_left(self.names, low) : end][:limit]
        self.rows += len(found)
        return found


def expected(names: list[str], directory: str) -> set[str]:
    prefix = f"{directory}/" if directory else ""
    below = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return {"".join(name.partition("/")[:2]) for name in below}


@given(NAMES, st.sampled_from(["", "a", "a/a", "é", "~"]))
def test_each_entry_is_found_once(names: list[str], directory: str) -> None:
    entries = entries_of(directory, Table(names).fetch)
    assert len(entries) == len(set(entries))
    assert set(entries) == expected(names, directory)


@given(NAMES, st.integers(1, 5))
def test_pages_make_the_whole(names: list[str], limit: int) -> None:
    fetch, pages, after = Table(names).fetch, list[str](), ""
    while page := entries_of("", fetch, after=after, limit=limit):
        assert len(page) <= limit
        pages += page
        after = page[-1]
    assert pages == entries_of("", fetch)


def test_names_below_a_subdirectory_are_skipped() -> None:
    table = Table([f"a/{number}" for number in range(100_000)] + ["b", "c"])
    assert entries_of("", table.fetch) == ["a/", "b", "c"]
    assert table.rows < 100
