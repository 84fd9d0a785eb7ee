"""Zip archives: many files as one stream whose length is known before a byte is read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import chain

from django.utils import timezone

from secure_dbstorage.files import FileStat
from secure_dbstorage.names import ancestors

#: The least bytes of a piece, but for the last one: those of a row of the default length. Small
#: files and the entries between files are joined, or each would take a hop of its own under ASGI.
_PIECE_BYTES = 255 * 1024

#: Where an entry has its time and date, in the file's header and in the directory at the end
#: (APPNOTE sections 4.3.7 and 4.3.12).
_DATE_IN_HEADER, _DATE_IN_DIRECTORY = 10, 12
_DATE_BYTES = 4
#: 1 January 1980, at midnight.
_EARLIEST_DATE = (1 << 21 | 1 << 16).to_bytes(_DATE_BYTES, "little")

#: Names that Windows doesn't take, or takes for a device or a drive.
_FORBIDDEN = re.compile(r'[<>:"|?*\\]|[. ]$')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?:[. ].*)?", re.IGNORECASE)
#: Finds the few names that may need a change. To look at each segment takes five times as long.
_SUSPECT = re.compile(r'[<>:"|?*\\]|[. ](?:/|$)|(?:^|/)(?:con|prn|aux|nul|com|lpt)', re.IGNORECASE)


class Archive:
    """A zip archive of stored files, without compression."""

    def __init__(
        self, files: Sequence[FileStat], *, below: str, bodies: Iterator[Iterable[bytes]]
    ) -> None:
        """List the files, and read none of them.

        :param below: the directory to which their names in the archive are relative.
        :param bodies: gives the bytes of each file, in the order of *files*.
        :raises ImportError: without the package zipstream-ng.
        """
        from zipstream import ZipStream  # noqa: PLC0415 -- an extra, needed for nothing else

        zone = timezone.get_default_timezone()
        self._dates = [_dos_date(file.modified, zone) for file in files]
        self._stream = ZipStream(sized=True)
        body = _Next(bodies)
        for file, name in zip(files, names_in_archive(files, below=below), strict=True):
            self._stream.add(body, name, size=file.size)

    @property
    def size(self) -> int:
        """The length of the archive in bytes."""
        return len(self._stream)

    def pieces(self) -> Iterator[bytes]:
        """Yield the archive, once."""
        return _joined(self._parts())

    def _parts(self) -> Iterator[bytes]:
        # zipstream-ng dates what it doesn't read from a disk to this moment.
        for date in self._dates:
            entry = self._stream.file()
            yield _dated(next(entry), date, _DATE_IN_HEADER)
            yield from entry
        directory = self._stream.footer()
        for date in self._dates:
            yield _dated(next(directory), date, _DATE_IN_DIRECTORY)
        yield from directory


class _Next:
    """Stands for each body in turn: a stream asks for one when it has sent those before."""

    def __init__(self, bodies: Iterator[Iterable[bytes]]) -> None:
        self._bodies = bodies

    def __iter__(self) -> Iterator[bytes]:
        return iter(next(self._bodies))


def names_in_archive(files: Iterable[FileStat], *, below: str) -> list[str]:
    """Return the names of files in an archive: relative, and such that Windows can unpack them.

    What Windows doesn't take becomes ``_``. A name that becomes equal to that of a file or
    directory gets a number. Names that differ by case alone stay as they are.
    """
    prefix = f"{below}/"
    names = [file.name.removeprefix(prefix) for file in files]
    suspects = [index for index, name in enumerate(names) if _SUSPECT.search(name)]
    if suspects:
        taken = _Taken(names)
        for index in suspects:
            safe = "/".join(map(_safe, names[index].split("/")))
            if safe != names[index]:
                names[index] = taken.free(safe)
    return names


class _Taken:
    """The names that are taken in an archive, and the directories that they are in."""

    def __init__(self, names: Iterable[str]) -> None:
        self._files = set(names)
        self._directories = set(chain.from_iterable(map(ancestors, self._files)))
        #: Where the directories of changed names are, by what they would be called.
        self._places: dict[str, str] = {}
        #: The last number by name, so that a thousand equal names take no longer each.
        self._numbers: dict[str, int] = {}

    def free(self, name: str) -> str:
        """Return a name that is not taken, and take it."""
        *segments, filename = name.split("/")
        place = ""
        for segment in segments:
            directory = f"{place}{segment}"
            if directory not in self._places:
                self._places[directory] = self._numbered(directory, self._files)
            place = f"{self._places[directory]}/"
        free = self._numbered(f"{place}{filename}", self._files, self._directories)
        self._files.add(free)
        self._directories.update(ancestors(free))
        return free

    def _numbered(self, name: str, *taken: set[str]) -> str:
        free, (directory, slash, last) = name, name.rpartition("/")
        while any(free in names for names in taken):
            self._numbers[name] = self._numbers.get(name, 1) + 1
            free = f"{directory}{slash}({self._numbers[name]}) {last}"
        return free


def _safe(segment: str) -> str:
    safe = _FORBIDDEN.sub("_", segment)
    return f"_{safe}" if _DEVICE.fullmatch(safe) else safe


def _dos_date(instant: datetime, zone: tzinfo) -> bytes:
    """Return a time and a date as MS-DOS has them: without a zone, in steps of two seconds.

    It is the project's local time, as unpackers take it for that of the reader.

    :param zone: that of the project.
    """
    local = instant.astimezone(zone)
    if not 1980 <= local.year <= 2107:  # noqa: PLR2004 -- the years of the format
        return _EARLIEST_DATE
    date = local.year - 1980 << 9 | local.month << 5 | local.day
    time = local.hour << 11 | local.minute << 5 | local.second // 2
    return (date << 16 | time).to_bytes(_DATE_BYTES, "little")


def _dated(entry: bytes, date: bytes, position: int) -> bytes:
    return entry[:position] + date + entry[position + _DATE_BYTES :]


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield parts, the short ones joined to pieces of about one length."""
    waiting: list[bytes] = []
    length = 0
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= _PIECE_BYTES:
            yield waiting.pop() if len(waiting) == 1 else b"".join(waiting)
            waiting.clear()
            length = 0
    if waiting:
        yield b"".join(waiting)
