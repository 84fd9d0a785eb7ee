"""``dbstorage_verify``: read every file again, and compare it with what was saved."""

from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.management.arguments import add_prefix, add_storage, canonical_prefix
from secure_dbstorage.management.reporting import Report, ReportingCommand, database_storage
from secure_dbstorage.upkeep.verification import verify


class Command(ReportingCommand):
    """Verifies the files of a storage."""

    help = (
        "Read every file of a storage again, and compare it with its size and SHA-256. Finds "
        "files whose rows are missing or were changed, rows behind a file's end, and media types "
        "that an older version decided otherwise. Nothing is changed without --repair, which mends"
        " the last two; bytes that are gone come back from a backup only. Rows that belong to no "
        "file at all are found by dbstorage_prune."
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
            help="begin behind this name, where an earlier run was interrupted",
        )
        parser.add_argument("--repair", action="store_true", help="mend what can be mended")

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Read the files, and report what is wrong with them."""
        storage, prefix = database_storage(options["storage"]), canonical_prefix(options)
        report.facts |= {"storage": options["storage"], "prefix": prefix, "repaired": []}
        total = storage.catalog.files().below(prefix).filter(name__gt=options["after"]).count()
        files = verify(storage, prefix=prefix, after=options["after"], repair=options["repair"])
        last = options["after"]
        try:
            for file in report.progress(files, total=total):
                report.bytes_done += file.size
                for mended in file.repaired:
                    report.count("repaired")
                    report.facts["repaired"].append({"name": file.name, "what": mended})
                    report.say(f"{file.name}: repaired: {mended}")
                for problem in file.problems:
                    report.fail(file.name, problem)
                report.count("broken" if file.problems else "intact")
                last = file.name
        except KeyboardInterrupt:
            report.facts["after"] = last
            report.say(f"To go on: --after {last!r}")
            raise
