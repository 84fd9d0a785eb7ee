"""Copies files from one storage to another. Nothing is lost, renamed or silently overwritten."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from queue import SimpleQueue
from threading import Event, Lock

from django.db import connections

from secure_dbstorage import names
from secure_dbstorage.copying.ends import Source, Target, digest_of
from secure_dbstorage.copying.promises import PromisedNames
from secure_dbstorage.exceptions import CopyFailed, DatabaseUnavailable
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.options import STATEMENT_BYTES
from secure_dbstorage.outages import OutagesTold, alone

#: What a target has, by name; see :meth:`Target.find_together`.
Found = dict[str, FileRecord | None]


class Outcome(StrEnum):
    """How the copying of one file ended."""

    #: The file is new in the target; in a dry run, it would be.
    COPIED = "copied"
    #: The file replaced another one.
    REPLACED = "replaced"
    #: The target already had the file.
    PRESENT = "present"
    #: The problem says why.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The outcome for one file."""

    record: FileRecord
    outcome: Outcome
    #: Why it failed.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copier:
    """Copies files and skips those that the target already has, byte for byte.

    An interrupted or killed copy therefore continues when it is run again.
    """

    source: Source
    target: Target
    #: Whether to replace a different file of the same name. Without it, that is a failure.
    overwrite: bool = False
    #: Whether to report only, and write nothing.
    dry_run: bool = False
    #: The public flag of all files; None keeps the source's flag, or the target's default.
    make_public: bool | None = None
    #: Checked between two pieces.
    _stopping: Event = field(default_factory=Event)
    #: What a dry run would have copied by now.
    _promised: PromisedNames = field(default_factory=PromisedNames)

    def copy_all(
        self, records: Iterable[FileRecord], *, jobs: int = 1
    ) -> Generator[Transfer, None, None]:
        """Copy files, and yield the outcome for each, in any order.

        :param records: the files, as the source lists them.
        :param jobs: how many threads copy at once, each with its own connections. A single job
            runs in the caller's thread and transaction.
        :raises DatabaseUnavailable: when a database is gone, or refuses all changes.
        """
        # Shared out among the threads: a bucket takes a while for each of a few files.
        most = max(1, self.target.most_together // jobs)
        groups = _groups(_with_its_error(records), most)
        if jobs == 1:
            for group in groups:
                yield from self._copy_group(group)
        else:
            yield from self._in_threads(groups, jobs)

    # Note [Small files together]
    # Alone, a small file takes ten statements and a commit, which cost more than its bytes. So the
    # files of a group are looked for, read, saved and read back by one statement each, in one
    # transaction. Where anything stands in the way of one, such as a taken name or a wrong digest,
    # each is copied alone, and fails alone. That is also tried again, after a lost connection or a
    # conflict.
    def _copy_group(self, group: Sequence[FileRecord]) -> Iterator[Transfer]:
        """Copy files none of whose names lies below another one, and yield the outcomes."""
        known: dict[str, FileRecord] = {}
        failed: dict[str, Transfer] = {}
        for record in group:
            try:
                known[record.name] = self._known(record)
            except Exception as error:  # noqa: BLE001 -- another storage may raise anything
                failed[record.name] = _failed(record, error)
        found = self._find_together(list(known))
        copied = self._write_together(
            record for record in known.values() if self._is_new(record, found)
        )
        if not self.dry_run:  # Another writer may have taken a free name since: look again.
            found = {name: there for name, there in found.items() if there is not None}
        # What is copied comes first: a database that goes away ends all with the next one.
        names = sorted((record.name for record in group), key=lambda name: name not in copied)
        for name in names:
            if name in failed:
                yield failed[name]
            elif name in copied:
                yield Transfer(record=known[name], outcome=Outcome.COPIED)
            elif not self._stopping.is_set():
                yield self._copy_alone(known[name], found)

    def _known(self, record: FileRecord) -> FileRecord:
        """Return a record with all that is known without reading the file.

        :raises CopyFailed: when the file can't be copied.
        """
        if record.problem:
            raise CopyFailed(record.problem)
        self.target.check_name(record.name)
        record = self.source.complete(record)
        return record if self.make_public is None else replace(record, is_public=self.make_public)

    def _find_together(self, wanted: Sequence[str]) -> Found:
        """Return what the target has; nothing if each name must be looked for alone."""
        if len(wanted) < 2:  # noqa: PLR2004
            return {}
        with suppress(Exception):  # Looked for alone, a name raises it again.
            return dict(self.target.find_together(wanted))
        return {}

    def _is_new(self, record: FileRecord, found: Found) -> bool:
        """Tell whether a file can be copied together with others."""
        is_free = record.name in found and found[record.name] is None
        is_small = record.size is not None and record.size <= self.target.most_bytes
        return is_free and is_small and not self.dry_run

    def _write_together(self, records: Iterable[FileRecord]) -> set[str]:
        """Copy new small files, and return the names of those that are copied."""
        copied: set[str] = set()
        for batch in _batches(records):
            # Copied alone, each file raises its own error again.
            with suppress(Exception):
                copied |= set(self.target.write_together(self._read_together(batch)))
        return copied

    def _read_together(self, records: Sequence[FileRecord]) -> list[tuple[FileRecord, bytes]]:
        files = []
        for record, content in self.source.read_together(records):
            if self._stopping.is_set():
                raise CopyFailed("interrupted")
            files.append((record, content))
        return files

    def _copy_alone(self, record: FileRecord, found: Found) -> Transfer:
        databases = {*self.source.databases, *self.target.databases}
        try:
            outcome = alone(partial(self._find_and_copy, record, found), *databases)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 -- another storage may raise anything
            return _failed(record, error)
        return Transfer(record=record, outcome=outcome)

    def _find_and_copy(self, record: FileRecord, found: Found) -> Outcome:
        name = record.name
        return self._copy(record, found[name] if name in found else self.target.find(name))

    def _copy(self, record: FileRecord, found: FileRecord | None) -> Outcome:
        if found is not None and self._is_same(record, found):
            return Outcome.PRESENT
        if found is not None and not self._may_replace(record, found):
            raise CopyFailed(_difference(record, found))
        if self.dry_run:
            self.target.check_place(record)
            if self.target.has_directories:
                self._promised.take(record.name)
        else:
            with closing(self._pieces(record)) as pieces:
                self.target.write(record, pieces, replace=found is not None)
        return Outcome.COPIED if found is None else Outcome.REPLACED

    def _is_same(self, record: FileRecord, found: FileRecord) -> bool:
        if record.size != found.size or _flags_differ(record, found):
            return False
        with closing(self._pieces(record)) as pieces:
            wanted = record.sha256 or digest_of(pieces)
        return self.target.digest(found) == wanted

    def _may_replace(self, record: FileRecord, found: FileRecord) -> bool:
        if self.overwrite:
            return True
        if (found.size or 0) >= (record.size or 0):
            return False
        with closing(self._pieces(record)) as pieces:
            return self.target.is_broken_copy(found, pieces)

    def _pieces(self, record: FileRecord) -> Generator[bytes, None, None]:
        for piece in self.source.read(record):
            if self._stopping.is_set():
                raise CopyFailed("interrupted")
            yield piece

    def _in_threads(self, groups: Iterator[list[FileRecord]], jobs: int) -> Iterator[Transfer]:
        done: SimpleQueue[Transfer | None] = SimpleQueue()
        turn = Lock()

        def work() -> None:
            try:
                while not self._stopping.is_set():
                    with turn:
                        group = next(groups, None)
                    if group is None:
                        return
                    for transfer in self._copy_group(group):
                        done.put(transfer)
            finally:
                done.put(None)
                connections.close_all()

        with ThreadPoolExecutor(jobs) as pool:
            try:
                working = [pool.submit(work) for _ in range(jobs)]
                for _ in working:
                    yield from iter(done.get, None)  # A thread's last result is None.
                for thread in working:
                    thread.result()  # Raises what has ended it.
            finally:
                self._stopping.set()


def _with_its_error(records: Iterable[FileRecord]) -> Iterator[FileRecord]:
    """Yield records. If the listing fails, the last record carries the error."""
    try:
        with OutagesTold():
            yield from records
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 -- another storage may raise anything
        yield FileRecord(name="", problem=f"the listing failed: {error}")


def _groups(records: Iterable[FileRecord], most: int) -> Iterator[list[FileRecord]]:
    """Yield at most so many records together, none of whose names lies below another one."""
    group: list[FileRecord] = []
    files: set[str] = set()
    directories: set[str] = set()
    for record in records:
        name, above = record.name, names.ancestors(record.name)
        is_taken = name in files or name in directories or not files.isdisjoint(above)
        if len(group) == most or is_taken:
            yield group
            group, files, directories = [], set(), set()
        group.append(record)
        files.add(name)
        directories.update(above)
    if group:
        yield group


def _batches(records: Iterable[FileRecord]) -> Iterator[list[FileRecord]]:
    """Yield at most so many records together as fit into one statement."""
    batch: list[FileRecord] = []
    length = 0
    for record in records:
        size = record.size or 0
        if batch and length + size > STATEMENT_BYTES:
            yield batch
            batch, length = [], 0
        batch.append(record)
        length += size
    if batch:
        yield batch


def _failed(record: FileRecord, error: Exception) -> Transfer:
    problem = str(error) or type(error).__name__
    return Transfer(record=record, outcome=Outcome.FAILED, problem=problem)


def _flags_differ(record: FileRecord, found: FileRecord) -> bool:
    return None not in (record.is_public, found.is_public) and record.is_public != found.is_public


def _difference(record: FileRecord, found: FileRecord) -> str:
    if found.problem:  # It may be the same one: its SHA-256 can't be known.
        return f"the target has a file of this name: {found.problem}"
    if _flags_differ(record, found) and record.sha256 in (None, found.sha256):
        return "the target has this file with a different public flag"
    return "the target has a different file of this name"
