"""``dbstorage_verify``: read every file and compare it with what was saved."""

from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.management.arguments import (
    NOTHING_BELOW,
    add_prefix,
    add_storage,
    canonical_prefix,
)
from secure_dbstorage.management.reporting import ReportingCommand
from secure_dbstorage.management.reports import Report
from secure_dbstorage.management.usage import database_storage
from secure_dbstorage.upkeep.verification import Verified, verify


class Command(ReportingCommand):
    """Verifies the files of a storage."""

    help = (
        "Read every file of a storage and compare it with its size and SHA-256. This finds files "
        "whose rows are missing or were changed, rows past the end of a file, and media types "
        "that an older version chose differently. --repair fixes the last two; without it, "
        "nothing is changed. It deletes rows past the end of a file only if the rest of the "
        "file is intact: otherwise they may hold the missing bytes. Lost bytes can only be "
        "restored from a backup; until then, changed content is served with the ETag of the "
        "original. "
        "dbstorage_prune finds rows that belong to no file. Deleted files that can be restored "
        "are read last."
    )
    examples = """
        manage.py dbstorage_verify
        manage.py dbstorage_verify --storage invoices --prefix 2026 --json
        manage.py dbstorage_verify --after 2026/july.pdf
    """

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        add_storage(parser)
        add_prefix(parser, "read")
        parser.add_argument(
            "--after",
            default="",
            metavar="NAME",
            help="start after this name, to continue an interrupted run",
        )
        parser.add_argument("--repair", action="store_true", help="repair what can be repaired")

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Read the files, and report their problems."""
        storage, prefix = database_storage(options["storage"]), canonical_prefix(options)
        report.facts |= {"storage": options["storage"], "prefix": prefix, "repaired": []}
        deleted = storage.catalog.trash.kept().below(prefix).count()
        if not (deleted or storage.catalog.is_directory(prefix)):
            report.fail(prefix, NOTHING_BELOW)
        total = storage.catalog.files().below(prefix).filter(name__gt=options["after"]).count()
        total += deleted
        files = verify(storage, prefix=prefix, after=options["after"], repair=options["repair"])
        report.after = options["after"]
        for file in report.progress(files, total=total):
            _report(report, file)
            if not file.version:
                report.after = file.name


def _report(report: Report, file: Verified) -> None:
    for repaired in file.repaired:
        report.count("repaired")
        report.facts["repaired"].append({"name": file.label, "problem": repaired})
        report.say(f"{file.label}: repaired: {repaired}")
    for problem in file.problems:
        report.fail(file.label, problem)
    if file.was_read:
        report.bytes_done += file.size
        report.count("broken" if file.problems else "intact")
    else:
        report.count("unread")
