"""Manifests: what a folder or a bucket can't keep about a file, as JSON lines.

Each line is an object with the ``namespace`` of the storage, ``name``, ``size``, ``sha256``,
``is_public`` and the times ``created``, ``modified`` and ``expires`` in ISO 8601. ``expires`` is
null for a permanent file.

A manifest is for one namespace. A line from another one could publish a private file that has the
same name and content.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from secure_dbstorage.files import utc
from secure_dbstorage.files.records import FileRecord

_DIGEST = re.compile("[0-9a-f]{64}")

_TIMES = ("created", "modified", "expires")

#: A file with this many bad lines is not a manifest.
_MAX_BAD_LINES = 10


class _OtherNamespace(ValueError):
    """Raised for a line of another storage."""


class ManifestWriter:
    """Writes a manifest, and puts it in place only when it is complete.

    An interrupted run leaves the earlier one, or none. A run may cover only some files, or fail
    for some, so earlier lines stay for files that it does not name.
    """

    def __init__(self, path: Path, namespace: str) -> None:
        """Begin.

        :param namespace: of the storage whose files it names.
        :raises OSError: when the file can't be read or written.
        :raises ValueError: when a file of this name is not a manifest of this storage: it is not
            overwritten.
        """
        self._path = path
        self._namespace = namespace
        self._has_earlier = _is_manifest(path, namespace)
        self._names: set[str] = set()
        self._part = path.with_name(f"{path.name}.part")
        self._file = self._part.open("w", encoding="utf-8")

    def add(self, record: FileRecord) -> None:
        """Write the line of a file."""
        if self._has_earlier:
            self._names.add(record.name)
        times = {name: getattr(record, name) for name in _TIMES}
        line = {
            "namespace": self._namespace,
            "name": record.name,
            "size": record.size,
            "sha256": record.sha256,
            "is_public": record.is_public,
            **{name: value and value.isoformat() for name, value in times.items()},
        }
        self._file.write(json.dumps(line) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if error is None and self._has_earlier:
                self._add_earlier()
        if error is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()

    def _add_earlier(self) -> None:
        for record in read(self._path, self._namespace):
            if record.name not in self._names:
                self.add(record)


def count(path: Path, namespace: str, directory: str = "") -> int:
    """Return how many records :func:`read` would yield.

    :raises OSError: when the manifest can't be read.
    :raises ValueError: when this is the manifest of another storage, or none at all.
    """
    number = bad_lines = 0
    first = ""
    try:
        for record in read(path, namespace, directory):
            number += 1
            if record.problem:
                bad_lines += 1
                first = first or f"{record.name}: {record.problem}"
            if bad_lines == _MAX_BAD_LINES:
                raise ValueError(
                    f"{first}. There are at least {_MAX_BAD_LINES} such lines, so nothing was "
                    "copied"
                )
    except _OtherNamespace as error:
        raise ValueError(
            f"{error}. To restore its files under another namespace, copy them into a storage "
            "with their own first, and from that one into the other"
        ) from error
    return number


def read(path: Path, namespace: str, directory: str = "") -> Iterator[FileRecord]:
    """Yield the records of a manifest for the files below a directory.

    A line that does not belong in a manifest gives a record with a problem, which names the line.

    :param namespace: of the storage whose files it should name.
    :raises OSError: when the manifest can't be read.
    :raises ValueError: when a line is of another storage.
    """
    prefix = f"{directory}/" if directory else ""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                values = json.loads(line)
                owner, record = values["namespace"], _record_of(values)
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
                reason = f"it has no {error}" if isinstance(error, KeyError) else error
                problem = f"not a line of a manifest: {reason}"
                yield FileRecord(name=f"{path.name}, line {number}", problem=problem)
                continue
            if owner != namespace:
                raise _OtherNamespace(
                    f"{path.name}, line {number}: this is a manifest of the namespace {owner!r}, "
                    f"not {namespace!r}"
                )
            if record.name.startswith(prefix):
                yield record


def _is_manifest(path: Path, namespace: str) -> bool:
    """Tell whether there is a manifest of a storage at a path, or nothing.

    :raises ValueError: when there is something else.
    """
    try:
        problem = next((record for record in read(path, namespace) if record.problem), None)
    except FileNotFoundError:
        return False
    if problem is not None:
        raise ValueError(f"{problem.name}: {problem.problem}")
    return True


def _record_of(line: dict[str, Any]) -> FileRecord:
    name, size, digest, is_public = (line[key] for key in ("name", "size", "sha256", "is_public"))
    if not isinstance(name, str) or not isinstance(is_public, bool):
        raise TypeError("name must be text, and is_public must be true or false")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise TypeError("size must be a number of bytes")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise TypeError("sha256 must be 64 hexadecimal digits")
    created, modified, expires = (_time_of(line[key]) for key in _TIMES)
    return FileRecord(
        name=name,
        size=size,
        sha256=digest,
        is_public=is_public,
        created=created,
        modified=modified,
        expires=expires,
    )


def _time_of(text: str | None) -> datetime | None:
    if text is None:
        return None
    # A time that UTC can't hold is an OverflowError here, and not while a file is saved.
    return utc(datetime.fromisoformat(text))
