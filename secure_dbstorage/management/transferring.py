"""Shared by the commands that copy files: their options, and the report on each file."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandParser

from secure_dbstorage.copying import disk
from secure_dbstorage.copying.copier import Copier, Outcome, Transfer
from secure_dbstorage.copying.ends import Source, Target
from secure_dbstorage.copying.manifests import ManifestWriter
from secure_dbstorage.copying.storages import StorageEnd
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.management.arguments import (
    NOTHING_BELOW,
    add_prefix,
    canonical_prefix,
    positive,
)
from secure_dbstorage.management.reporting import ReportingCommand
from secure_dbstorage.management.reports import Report, shown
from secure_dbstorage.management.usage import any_storage, unusable, usage_error
from secure_dbstorage.storage import DatabaseStorage

#: How many threads copy over a network.
_MANY_JOBS = 4

#: What a dry run says instead of an outcome.
_WOULD = {Outcome.COPIED: "would copy", Outcome.REPLACED: "would replace"}


class CountedSource(Source, Protocol):
    """A source that can count its files."""

    def count(self, directory: str) -> int:
        """Return the number of files below a directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A copy to make."""

    source: CountedSource
    target: Target
    #: The files to copy; None for those that the source lists.
    records: Iterable[FileRecord] | None = None
    #: The number of *records*.
    total: int | None = None
    #: Records each file that arrives.
    manifest: ManifestWriter | None = None


class TransferCommand(ReportingCommand):
    """A command that copies files from a source to a target."""

    can_dry_run = True

    def add_options(self, parser: CommandParser) -> None:
        """Add the options that every copy has."""
        add_prefix(parser, "copy")
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="replace different files of the same name; without it, they are kept and "
            "reported as failures",
        )
        flags = parser.add_mutually_exclusive_group()
        flags.add_argument(
            "--public",
            action="store_const",
            const=True,
            dest="make_public",
            help="make every file public",
        )
        flags.add_argument(
            "--private",
            action="store_const",
            const=False,
            dest="make_public",
            help="make every file private",
        )
        parser.add_argument(
            "--jobs",
            type=positive,
            metavar="N",
            help="how many files to copy at once (default: 1 between folders and SQLite, "
            f"{_MANY_JOBS} over a network)",
        )

    def transfer(self, report: Report, options: dict[str, Any], plan: Plan) -> None:
        """Copy the files, and report on each."""
        source, target, prefix = plan.source, plan.target, canonical_prefix(options)
        if options["make_public"] is not None and not target.keeps_flags:
            raise usage_error("The target can't store public flags.")
        records, total = plan.records, plan.total
        if records is None:
            records, total = source.records(prefix), _counted(source, prefix)
        _try_out(target)
        jobs = options["jobs"] or _best_jobs(source, target)
        if jobs > 1:  # Each needs connections, of which there may be too few.
            report.again = "Run the command again later, or with fewer --jobs, to continue"
        report.facts |= {"prefix": prefix, "jobs": jobs, "public": 0}
        report.counts.update({word.value: 0 for word in Outcome if word != Outcome.FAILED})
        if options["dry_run"]:
            report.words = {word.value: would for word, would in _WOULD.items()}
        if prefix and total == 0:
            report.fail(prefix, NOTHING_BELOW)
        copier = Copier(
            source=source,
            target=target,
            overwrite=options["overwrite"],
            dry_run=options["dry_run"],
            make_public=options["make_public"],
        )
        with closing(copier.copy_all(records, jobs=jobs)) as transfers:
            for transfer in report.progress(transfers, total=total):
                _report(report, transfer)
                if plan.manifest is not None and transfer.outcome != Outcome.FAILED:
                    plan.manifest.add(transfer.record)


def end_of(alias: str) -> TableEnd | StorageEnd:
    """Return the storage of an alias as one end of a copy.

    :raises CommandError: when there is none, or it is unusable.
    """
    storage = any_storage(alias)
    if isinstance(storage, DatabaseStorage):
        return TableEnd(storage)
    try:
        return disk.end_of(storage)
    except ImproperlyConfigured as error:
        raise unusable(alias, error) from error


def _report(report: Report, transfer: Transfer) -> None:
    record = transfer.record
    if transfer.outcome == Outcome.FAILED:
        report.fail(record.name, transfer.problem)
        return
    report.count(transfer.outcome)
    report.bytes_done += record.size or 0
    report.facts["public"] += record.is_public is True
    word = report.words.get(transfer.outcome, transfer.outcome)
    report.say(f"{word} {shown(record.name)}", verbosity=2)


def _best_jobs(source: Source, target: Target) -> int:
    waits = (source.is_remote or target.is_remote) and not target.has_one_writer
    return _MANY_JOBS if waits else 1


def _counted(source: CountedSource, prefix: str) -> int:
    try:
        return source.count(prefix)
    except Exception as error:  # Another storage may raise anything.
        if prefix and isinstance(error, FileNotFoundError):
            raise usage_error(f"The source has no files below {prefix!r}.") from error
        raise usage_error(f"The source can't be listed: {error}") from error


def _try_out(target: Target) -> None:
    try:
        target.find("secure_dbstorage/whether-this-storage-answers")
    except Exception as error:  # Another storage may raise anything.
        raise usage_error(f"The target can't be used: {error}") from error
