"""Directories, which only the names of files make: what stands right below one."""

from collections.abc import Callable

from secure_dbstorage.names import directory_range

#: Returns the first names in order, from a lower bound up to, not including, an upper one or None,
#: and at most so many.
FetchNames = Callable[[tuple[str, str | None], int], list[str]]

#: How many names are asked for at first, at least, and at most.
_FIRST, _LEAST, _MOST = 64, 4, 1000


def entries_of(
    directory: str, fetch_names: FetchNames, *, after: str = "", limit: int | None = None
) -> list[str]:
    """Return the directories and files right below a directory; a directory ends with a slash.

    Costs by what it returns: the names below a subdirectory are skipped through the index.

    :param directory: a canonical name; "" for the root.
    :param after: the entry behind which to begin.
    :param limit: how many to return at most.
    """
    prefix = f"{directory}/" if directory else ""
    low, high = directory_range(directory) if directory else ("", None)
    if after:
        low = _behind(prefix + after)
    found: list[str] = []
    batch_size = _FIRST
    while batch := fetch_names((low, high), batch_size):
        used = 0
        for name in batch:
            if name < low:
                continue
            child, slash, _ = name.removeprefix(prefix).partition("/")
            found.append(child + slash)
            low = _behind(prefix + child + slash)
            used += 1
            if len(found) == limit:
                return found
        if len(batch) < batch_size:
            break
        # Ask for as many rows as were of use; where one directory took all, for few.
        batch_size = max(_LEAST, min(2 * used, _MOST))
    return found


def _behind(entry: str) -> str:
    """Return the lowest name behind a file, or behind all that is below a directory."""
    # A space is the lowest character that a name can hold.
    return directory_range(entry[:-1])[1] if entry.endswith("/") else f"{entry} "
