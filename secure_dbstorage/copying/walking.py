"""Walking: the files of a storage, directory by directory.

The listing is not believed: a bucket may hold any key, and ``x//y`` is listed as ``.`` in ``x`` by
some storages, for ever.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.records import FileRecord

#: The longest path that is listed: that of a key on S3. What never ends would pass it.
_MAX_PATH_LENGTH = 1024

#: Why nothing behind a symbolic link is read or written.
LINK = "a symbolic link, which is not followed"

_BAD_NAME = "the source lists a name that no file or directory can have"

#: Returns the directories and the files of a directory, as a storage does.
ListDirectory = Callable[[str], tuple[list[str], list[str]]]


def walk(
    directory: str, listdir: ListDirectory, has_link: Callable[[str], bool]
) -> Iterator[FileRecord]:
    """Yield the names below a directory, one directory after another.

    :param has_link: tells whether a name leads through a symbolic link.
    """
    pending = [_Directory(path=directory)]
    while pending:
        here = pending.pop()
        try:
            directories, files = _listing(here, listdir)
        except Exception as error:
            if here.above is None:
                raise
            yield FileRecord(name=here.path, problem=str(error) or type(error).__name__)
            continue
        for name in (*files, *directories):
            if not _is_segment(name):
                yield FileRecord(name=here.prefix + name, problem=_BAD_NAME)
        yield from (FileRecord(name=here.prefix + name) for name in files if _is_segment(name))
        for name in filter(_is_segment, reversed(directories)):
            path = here.prefix + name
            if has_link(path):
                yield FileRecord(name=path, problem=LINK)
            else:
                pending.append(_Directory(path=path, above=here))


@dataclass(slots=True, kw_only=True)
class _Directory:
    """A directory of a source."""

    path: str
    above: "_Directory | None" = None
    directories: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the names in it begin with."""
        return f"{self.path}/" if self.path else ""

    def parents(self) -> Iterator["_Directory"]:
        """Yield the directories above it, the nearest first."""
        one = self.above
        while one is not None:
            yield one
            one = one.above

    def repeats(self, above: "list[_Directory]") -> bool:
        """Tell whether three levels hold the same names: the source may ignore the path."""
        # A chain of lone directories grows by one at each level, and ends with its length.
        if not self.directories or len(self.directories) + len(self.files) < 2:  # noqa: PLR2004
            return False
        same = [one for one in above[:2] if _names_in(one) == _names_in(self)]
        return len(same) == 2  # noqa: PLR2004


def _listing(here: _Directory, listdir: ListDirectory) -> tuple[list[str], list[str]]:
    """Return the directories and the files of a directory, each once.

    :raises CopyFailed: for a directory that would never end.
    """
    if len(here.path) > _MAX_PATH_LENGTH:
        raise CopyFailed(f"the path is longer than {_MAX_PATH_LENGTH} characters")
    above = list(here.parents())
    directories, files = listdir(here.path)
    here.directories = sorted({name.removesuffix("/") for name in directories})
    here.files = sorted(set(files))
    if here.repeats(above):
        raise CopyFailed("the source lists the same in it as in the directories above")
    return here.directories, here.files


def _names_in(directory: _Directory) -> tuple[list[str], list[str]]:
    return directory.directories, directory.files


def _is_segment(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name
