"""Listing: the entries of a directory, which exists only in the names of files."""

from collections.abc import Callable

from secure_dbstorage.names import directory_range

#: Returns the first names in order, from a lower bound up to, not including, an upper one (or
#: None). The second argument is the largest number of names.
FetchNames = Callable[[tuple[str, str | None], int], list[str]]

#: How many names a query fetches: the first one, the smallest and the largest.
_FIRST, _LEAST, _MOST = 64, 4, 1000


def entries_of(
    directory: str, fetch_names: FetchNames, *, after: str = "", limit: int | None = None
) -> list[str]:
    """Return the directories and files directly below a directory. Directories end with a slash.

    The cost depends on what is returned: the index skips the names below a subdirectory.

    :param directory: a canonical name; "" for the root.
    :param after: start after this entry.
    :param limit: return at most this many.
    """
    prefix = f"{directory}/" if directory else ""
    low, high = directory_range(directory) if directory else ("", None)
    if after:
        low = _after(prefix + after)
    found: list[str] = []
    batch_size = _FIRST
    while batch := fetch_names((low, high), batch_size):
        used = 0
        for name in batch:
            if name < low:
                continue
            child, slash, _ = name.removeprefix(prefix).partition("/")
            found.append(child + slash)
            low = _after(prefix + child + slash)
            used += 1
            if len(found) == limit:
                return found
        if len(batch) < batch_size:
            break
        # Fetch as many rows as were useful. If one directory took all of them, fetch few.
        batch_size = max(_LEAST, min(2 * used, _MOST))
    return found


def _after(entry: str) -> str:
    """Return the lowest name after a file, or after all files below a directory."""
    # A space is the lowest character that a name may contain.
    return directory_range(entry[:-1])[1] if entry.endswith("/") else f"{entry} "
