"""The copying of files from one place to another, with nothing lost, renamed or overwritten."""

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

    #: It is new in the target; in a dry run, it would be.
    COPIED = "copied"
    #: It took the place of another file.
    REPLACED = "replaced"
    #: It was there already.
    PRESENT = "present"
    #: See the problem.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What became of one file."""

    record: FileRecord
    outcome: Outcome
    #: Why it failed.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copier:
    """Copies files, and leaves alone what is in the target already, byte for byte.

    So a copy that was interrupted, or killed, goes on when it is made again.
    """

    source: Source
    target: Target
    #: Whether another file of the name is replaced, which is a failure otherwise.
    overwrite: bool = False
    #: Whether nothing is written.
    dry_run: bool = False
    #: The public flag of all files; None keeps what is known, or leaves it to the target.
    make_public: bool | None = None
    #: Asked between two pieces.
    _stopping: Event = field(default_factory=Event)

    def copy_all(
        self, records: Iterable[FileRecord], *, jobs: int = 1
    ) -> Generator[Transfer, None, None]:
        """Copy files, and yield what became of each, in any order.

        :param records: the files, as the source gives them.
        :param jobs: how many threads copy at once, each with its own connections. One copies in
            the caller's thread, and transaction.
        """
        listing = _to_its_end(records)
        if jobs == 1:
            yield from map(self.copy, listing)
        else:
            yield from self._in_threads(listing, jobs)

    def copy(self, record: FileRecord) -> Transfer:
        """Copy one file, and tell what became of it. Its error does not end the others."""
        try:
            if record.problem:
                raise CopyFailed(record.problem)
            self.target.check_name(record.name)
            record = self.source.complete(record)
            if self.make_public is not None:
                record = replace(record, is_public=self.make_public)
            return Transfer(record=record, outcome=self._copy(record))
        except Exception as error:  # noqa: BLE001 -- a foreign storage raises what it likes
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
                for _ in [pool.submit(work) for _ in range(jobs)]:
                    yield from iter(done.get, None)
            finally:
                self._stopping.set()


def _to_its_end(records: Iterable[FileRecord]) -> Iterator[FileRecord]:
    """Yield records; an error of the listing is one more, and the last."""
    try:
        yield from records
    except Exception as error:  # noqa: BLE001 -- a foreign storage raises what it likes
        yield FileRecord(name="", problem=f"the listing broke off: {error}")


def _flags_differ(record: FileRecord, found: FileRecord) -> bool:
    return None not in (record.is_public, found.is_public) and record.is_public != found.is_public


def _difference(record: FileRecord, found: FileRecord) -> str:
    if _flags_differ(record, found) and record.sha256 in (None, found.sha256):
        return "the target has a file of this name with another public flag"
    return "the target has another file of this name"
