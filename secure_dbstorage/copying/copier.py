"""Copies files from one storage to another. Nothing is lost, renamed or silently overwritten."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from queue import SimpleQueue
from threading import Event, Lock

from django.db import connections

from secure_dbstorage.copying.ends import Source, Target, digest_of
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files import FileRecord


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

    def copy_all(
        self, records: Iterable[FileRecord], *, jobs: int = 1
    ) -> Generator[Transfer, None, None]:
        """Copy files, and yield the outcome for each, in any order.

        :param records: the files, as the source lists them.
        :param jobs: how many threads copy at once, each with its own connections. A single job
            runs in the caller's thread and transaction.
        """
        listing = _with_its_error(records)
        if jobs == 1:
            yield from map(self.copy, listing)
        else:
            yield from self._in_threads(listing, jobs)

    def copy(self, record: FileRecord) -> Transfer:
        """Copy one file, and return the outcome. An error fails this file only."""
        try:
            if record.problem:
                raise CopyFailed(record.problem)
            self.target.check_name(record.name)
            record = self.source.complete(record)
            if self.make_public is not None:
                record = replace(record, is_public=self.make_public)
            return Transfer(record=record, outcome=self._copy(record))
        except Exception as error:  # noqa: BLE001 -- another storage may raise anything
            problem = str(error) or type(error).__name__
            return Transfer(record=record, outcome=Outcome.FAILED, problem=problem)

    def _copy(self, record: FileRecord) -> Outcome:
        found = self.target.find(record.name)
        if found is not None and self._is_same(record, found):
            return Outcome.PRESENT
        if found is not None and not self._may_replace(record, found):
            raise CopyFailed(_difference(record, found))
        if not self.dry_run:
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

    def _in_threads(self, records: Iterator[FileRecord], jobs: int) -> Iterator[Transfer]:
        done: SimpleQueue[Transfer | None] = SimpleQueue()
        turn = Lock()

        def work() -> None:
            try:
                while not self._stopping.is_set():
                    with turn:
                        record = next(records, None)
                    if record is None:
                        return
                    done.put(self.copy(record))
            finally:
                connections.close_all()
                done.put(None)

        with ThreadPoolExecutor(jobs) as pool:
            try:
                for _ in range(jobs):
                    pool.submit(work)
                for _ in range(jobs):
                    yield from iter(done.get, None)  # A thread's last result is None.
            finally:
                self._stopping.set()


def _with_its_error(records: Iterable[FileRecord]) -> Iterator[FileRecord]:
    """Yield records. If the listing fails, the last record carries the error."""
    try:
        yield from records
    except Exception as error:  # noqa: BLE001 -- another storage may raise anything
        yield FileRecord(name="", problem=f"the listing failed: {error}")


def _flags_differ(record: FileRecord, found: FileRecord) -> bool:
    return None not in (record.is_public, found.is_public) and record.is_public != found.is_public


def _difference(record: FileRecord, found: FileRecord) -> str:
    if found.problem:  # It may be the same one: its SHA-256 can't be known.
        return f"the target has a file of this name: {found.problem}"
    if _flags_differ(record, found) and record.sha256 in (None, found.sha256):
        return "the target has this file with a different public flag"
    return "the target has a different file of this name"
