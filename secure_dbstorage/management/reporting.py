"""Reporting commands: what ours have in common, from their help to their exit codes.

A command derives from :class:`ReportingCommand`, adds its options, and does its work in ``run()``
by iterating over what a use case yields::

    class Command(ReportingCommand):
        help = "Read every file and compare it with its SHA-256."
        examples = "manage.py dbstorage_verify --storage invoices --json"

        def add_options(self, parser):
            add_storage(parser)

        def run(self, report, options):
            storage = database_storage(options["storage"])
            total = storage.catalog.files().count()
            for file in report.progress(verify(storage), total=total):
                report.bytes_done += file.size
                for problem in file.problems:
                    report.fail(file.name, problem)
                report.count("broken" if file.problems else "intact")
            report.facts["storage"] = options["storage"]

``report.count()`` counts under a word. ``report.fail()`` prints a failure to stderr at once and
keeps it for the summary. ``report.say()`` prints a line for people. ``report.facts`` adds keys to
the JSON object. For wrong usage that only ``run()`` can detect, ``raise usage_error("...")``.

The base class does the rest: the summary line or the JSON object, and the exit code. Ctrl-C
arrives inside ``run()`` as KeyboardInterrupt, output that nobody reads any more as NobodyReads,
and a database that can't be used any more as an error of ``django.db`` or a DatabaseUnavailable.
Close what is open, then let these propagate. A command with ``--after`` keeps ``report.after`` up
to date.
"""

import argparse
import os
import sys
import textwrap
from typing import Any

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)
from django.db import DatabaseError  # noqa: TID251 -- nothing is asked of it here

from secure_dbstorage.exceptions import DatabaseUnavailable
from secure_dbstorage.management.reports import NobodyReads, Report
from secure_dbstorage.management.usage import usage_error
from secure_dbstorage.models import StoredFile
from secure_dbstorage.outages import OutagesTold, reason

#: Exit codes besides 0 and that of wrong usage. The help explains them. The last one is that of a
#: program which SIGPIPE has ended.
FAILED, INTERRUPTED, UNREAD = 1, 130, 141

TABLE_IS_MISSING = (
    "The table of files is missing. Run `manage.py migrate`, with `--database` if it belongs in "
    "another database than the default one. If it is still missing, make sure that no router's "
    "allow_migrate() refuses secure_dbstorage in that database. Then run `manage.py migrate "
    "--fake secure_dbstorage zero` and `manage.py migrate`, with the same `--database`."
)

#: Characters per line of a command's description. Examples are not wrapped.
_HELP_WIDTH = 79

_EXIT_CODES = """\
exit codes:
  0    everything was done
  1    something failed; each failure was reported, and the rest was done, unless
       the last line says that a database can't be used, or lacks the table
  2    nothing was done: wrong options, or an unusable storage or database
  130  interrupted (Ctrl-C); run the command again to continue
  141  interrupted: the program that read the output, such as head, has ended
"""


class ReportingCommand(BaseCommand):
    """A command that reports. The module's docstring shows how to write one."""

    #: A missing route must not keep anybody from moving or checking files, and nobody needs the
    #: same warnings every night. ``check`` reports them.
    requires_system_checks = ()
    #: Lines that show how to call the command, for its help.
    examples = ""
    #: Whether the command has ``--dry-run``. Commands that change something should.
    can_dry_run = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser whose help ends with the examples and the exit codes."""
        lines = "".join(f"  {line.strip()}\n" for line in self.examples.strip().splitlines())
        epilog = f"examples:\n{lines}\n{_EXIT_CODES}"
        parser = super().create_parser(prog_name, subcommand, epilog=epilog, **kwargs)
        parser.formatter_class = _HelpFormatter
        paragraphs = (parser.description or "").split("\n\n")
        parser.description = "\n\n".join(textwrap.fill(text, _HELP_WIDTH) for text in paragraphs)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Add this command's options, and the options that all commands share."""
        self.add_options(parser)
        if self.can_dry_run:
            parser.add_argument(
                "--dry-run", action="store_true", help="show what would be done; change nothing"
            )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="print nothing but one JSON object to stdout, at the end",
        )

    def add_options(self, parser: CommandParser) -> None:
        """Add the options specific to this command."""

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Do the work, and report on it."""
        raise NotImplementedError

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command, and end without a word if nobody reads its output any more."""
        try:
            return super().execute(*args, **options)
        except NobodyReads:
            _discard_output()
            sys.exit(UNREAD)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command, print the summary and set the exit code."""
        report = Report(
            self.stdout,
            self.stderr,
            verbosity=options["verbosity"],
            as_json=options["as_json"],
        )
        more = {"dry_run": options["dry_run"]} if self.can_dry_run else {}
        ending: CommandError | None = None
        try:
            with OutagesTold():
                self.run(report, options)
        except KeyboardInterrupt:
            ending = CommandError(
                "Interrupted. Run the command again to continue.", returncode=INTERRUPTED
            )
        except DatabaseUnavailable as error:
            ending = _ending(error, report)
        except DatabaseError as error:
            if not is_table_missing(error):
                raise
            ending = _ending(error, report)
        report.close(interrupted=ending is not None, more=more)
        if ending is not None:
            raise ending
        if report.failures:
            raise CommandError(f"{len(report.failures):,} failed", returncode=FAILED)


def _discard_output() -> None:
    """Discard what nobody reads: Python flushes it at its end, and would complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _ending(error: DatabaseUnavailable | DatabaseError, report: Report) -> CommandError:
    """Return the error to raise after the summary of a command that can't use a database.

    :raises CommandError: when nothing was done, so that there is nothing to sum up.
    """
    told = TABLE_IS_MISSING
    if not report.has_results:
        if isinstance(error, DatabaseUnavailable):
            told = f"The database can't be used: {reason(error)}"
        raise usage_error(told) from error
    if isinstance(error, DatabaseUnavailable):
        told = f"The database can no longer be used: {reason(error)}. {report.again}."
    ending = CommandError(told, returncode=FAILED)
    ending.__cause__ = error  # For those who pass --traceback.
    return ending


def is_table_missing(error: DatabaseError) -> bool:
    """Tell whether `migrate` was forgotten. Each database says it in other words."""
    text = str(error)
    missing = ("no such table", "does not exist", "doesn't exist")
    return StoredFile._meta.db_table in text and any(words in text for words in missing)


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps Django's order of options, and the line breaks of descriptions."""
