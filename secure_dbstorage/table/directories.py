"""Directories: what is in a directory, and what is in the way of a new file."""

import errno
from functools import partial

from secure_dbstorage import names
from secure_dbstorage.exceptions import os_error
from secure_dbstorage.files.heads import Room
from secure_dbstorage.table import replicas
from secure_dbstorage.table.databases import Databases
from secure_dbstorage.table.dialects import rows
from secure_dbstorage.table.listing import entries_of


class Directories(Databases):
    """The directories of one namespace. Each is there as long as there are files below it."""

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of this name, or a directory with files below it."""
        return not path or rows(self.writer).room(self._options.namespace, path).is_taken

    def is_directory(self, path: str) -> bool:
        """Tell whether there are files below this path. The root always exists."""
        if not path:
            return True
        return bool(self._names(self.writer, names.directory_range(path), limit=1))

    def children(self, directory: str) -> tuple[list[str], list[str]]:
        """Return the directories and the files directly below a directory, both sorted."""
        entries = self.entries(directory)
        directories = [entry[:-1] for entry in entries if entry.endswith("/")]
        return sorted(directories), [entry for entry in entries if not entry.endswith("/")]

    def entries(self, directory: str, *, after: str = "", limit: int | None = None) -> list[str]:
        """Return the entries directly below a directory, from a replica if possible.

        A directory ends with a slash.

        :param after: start after this entry.
        :param limit: return at most this many.
        """

        def ask(using: str) -> list[str]:
            return entries_of(directory, partial(self._names, using), after=after, limit=limit)

        replica = self.replica
        found = None if replica is None else replicas.ask(replica, partial(ask, replica))
        return ask(self.writer) if found is None else found

    def room(self, name: str) -> Room:
        """Return what is in the way of a new file, by one query."""
        return rows(self.writer).room(self._options.namespace, name, names.ancestors(name))

    def check_place(self, name: str, *, is_placed: bool) -> None:
        """Refuse a name that the table can't hold, or that lies below a file.

        :param is_placed: whether no file was above it a moment ago.
        """
        if is_placed or "/" not in name:
            names.check_new_name(name)
        else:
            self.room_for(name)

    def room_for(self, name: str) -> Room:
        """Return what is in the way of a file, and refuse what :meth:`check_place` refuses.

        Nothing is locked, so two simultaneous saves can create a file and a directory of the same
        name, as in object stores. Each file is complete all the same.
        """
        names.check_new_name(name)
        room = self.room(name)
        if room.is_below_file:
            above = names.ancestors(name)
            files = rows(self.writer).link_states(self._options.namespace, above)
            # The column's collation may be wrong, so the names are compared again.
            for file in filter(files.__contains__, above):
                raise os_error(FileExistsError, errno.EEXIST, file)
        return room

    def room_to_overwrite(self, name: str) -> Room:
        """Do the same, and refuse a directory."""
        room = self.room_for(name)
        if room.is_directory:
            raise os_error(IsADirectoryError, errno.EISDIR, name)
        return room

    def _names(self, using: str, bounds: tuple[str, str | None], limit: int) -> list[str]:
        return rows(using).names(self._options.namespace, bounds, limit)
