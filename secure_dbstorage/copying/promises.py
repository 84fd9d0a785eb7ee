"""Promises of a dry run: which names the copy itself would have taken by then."""

from threading import Lock

from secure_dbstorage import names
from secure_dbstorage.copying.ends import IS_DIRECTORY, below_file
from secure_dbstorage.exceptions import CopyFailed


class PromisedNames:
    """The names that a dry run has promised, none of which lies below another one.

    Only a hash of each is kept, as there may be millions.
    """

    def __init__(self) -> None:
        self._files: set[int] = set()
        self._directories: set[int] = set()
        self._lock = Lock()

    def take(self, name: str) -> None:
        """Promise a name, or raise CopyFailed as the copy itself would."""
        above = names.ancestors(name)
        with self._lock:
            if hash(name) in self._directories:
                raise CopyFailed(IS_DIRECTORY)
            for directory in above:
                if hash(directory) in self._files:
                    raise below_file(directory)
            self._files.add(hash(name))
            self._directories.update(map(hash, above))
