"""A command that reports whatever a test asks for."""

from typing import Any

from django.db import OperationalError, ProgrammingError

from secure_dbstorage.management.reporting import ReportingCommand
from secure_dbstorage.management.reports import Report
from secure_dbstorage.management.usage import usage_error
from secure_dbstorage.models import StoredFile

ERRORS = {
    "stop": KeyboardInterrupt(),
    "wrong": usage_error("a wrong word"),
    "down": OperationalError("connection refused"),
    "unmigrated": ProgrammingError(f'relation "{StoredFile._meta.db_table}" does not exist'),
    "fault": ProgrammingError("syntax error"),
}


class Count(ReportingCommand):
    """Counts words.

    Of these, ``bad`` fails, ``stop`` is a Ctrl-C, ``down`` the database, ``unmigrated`` a
    database without the table, and ``fault`` a bug.
    """

    examples = "manage.py count good"
    can_dry_run = True

    def add_options(self, parser: Any) -> None:
        parser.add_argument("words", nargs="*")
        parser.add_argument("--continues", action="store_true")

    def run(self, report: Report, options: dict[str, Any]) -> None:
        report.facts["words"] = len(options["words"])
        for word in report.progress(options["words"], total=len(options["words"])):
            if word in ERRORS:
                raise ERRORS[word]
            if word == "bad":
                report.fail(word, "is bad")
            else:
                report.count("good")
                report.bytes_done += 2_500_000
            report.say(f"saw {word}", verbosity=2)
            if options["continues"]:
                report.after = word
