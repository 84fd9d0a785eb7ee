"""Reporting: progress, a summary for people or programs, exit codes and interruption.

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
arrives inside ``run()`` as KeyboardInterrupt, and a database that can't be used any more as an
error of ``django.db`` or a DatabaseUnavailable. Close what is open, then let these propagate. A
command with ``--after`` keeps ``report.after`` up to date.
"""

import argparse
import json
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.db import DatabaseError  # noqa: TID251 -- nothing is asked of it here
from django.template.defaultfilters import filesizeformat
from django.utils import translation

from secure_dbstorage.exceptions import DatabaseUnavailable
from secure_dbstorage.management.usage import usage_error
from secure_dbstorage.models import StoredFile
from secure_dbstorage.outages import OutagesTold, reason

#: Exit codes besides 0 and that of wrong usage. The help explains them.
FAILED, INTERRUPTED = 1, 130

#: The time between two lines of progress in a log.
_SECONDS_BETWEEN_LINES = 5.0

#: Characters per line of a command's description. Examples are not wrapped.
_HELP_WIDTH = 79

_EXIT_CODES = """\
exit codes:
  0    everything was done
  1    something failed; each failure was reported, and the rest was done, unless
       the last line says that a database can't be used, or lacks the table
  2    nothing was done: wrong options, or an unusable storage or database
  130  interrupted (Ctrl-C); run the command again to continue
"""

Item = TypeVar("Item")


class Report:
    """Tells what a command has done, while it runs and at its end."""

    def __init__(
        self, stdout: OutputWrapper, stderr: OutputWrapper, *, verbosity: int, as_json: bool
    ) -> None:
        #: How many items had each outcome, by a word such as ``copied``.
        self.counts: Counter[str] = Counter()
        #: The failures: names, unescaped, and problems.
        self.failures: list[dict[str, str]] = []
        #: Additional keys of the JSON object.
        self.facts: dict[str, Any] = {}
        #: Bytes processed, shown with the progress.
        self.bytes_done = 0
        #: The last name that is done, for a command that can continue after it.
        self.after = ""
        #: Other words for the outcomes, in the summary line for people.
        self.words: dict[str, str] = {}
        #: Whether to print the summary line for people.
        self.has_summary = True
        self._stdout = stdout
        self._stderr = stderr
        self._verbosity = verbosity
        self._as_json = as_json
        self._bar: Any = None
        self._began = time.monotonic()

    @property
    def has_results(self) -> bool:
        """Whether anything was done, or has failed."""
        return any(self.counts.values()) or bool(self.failures)

    def count(self, word: str, number: int = 1) -> None:
        """Count items with one outcome."""
        self.counts[word] += number

    def fail(self, name: str, problem: str) -> None:
        """Print a failure at once, and keep it for the summary."""
        self.failures.append({"name": name, "problem": problem})
        with self._above_bar():
            self._stderr.write(_printable(f"{shown(name)}: {shown(problem)}", self._stderr))

    def say(self, text: str, *, verbosity: int = 1) -> None:
        """Print a line for people. With ``--json``, nothing is printed.

        :param verbosity: the lowest ``--verbosity`` that prints the line.
        """
        if self._as_json or self._verbosity < verbosity:
            return
        with self._above_bar():
            self._stdout.write(_printable(shown(text), self._stdout))

    def progress(
        self, items: Iterable[Item], *, total: int | None = None, unit: str = "files"
    ) -> Iterator[Item]:
        """Yield the items, and show progress: a bar on a terminal, lines in a log.

        :param total: the number of items, if known.
        """
        if self._verbosity < 1:
            yield from items
        elif (bar_class := _bar_class()) and self._stderr.isatty():
            yield from self._with_bar(
                items, bar_class(total=total, unit=f" {unit}", file=sys.stderr)
            )
        else:
            yield from self._with_lines(items, total, unit)

    def close(self, *, interrupted: bool, more: dict[str, Any]) -> None:
        """Print the summary: a line, or everything as one JSON object.

        :param interrupted: whether the rest was not done.
        """
        seconds = time.monotonic() - self._began
        if interrupted and self.after:
            self.facts["after"] = self.after
            self.say(f"To continue: --after {self.after!r}")
        if self._as_json:
            told = {
                **more,
                **self.facts,
                "interrupted": interrupted,
                "seconds": round(seconds, 3),
                "bytes": self.bytes_done,
                "counts": dict(self.counts),
                "failures": self.failures,
            }
            self._stdout.write(json.dumps(told))
            return
        if not self.has_summary:
            return
        counts = {self.words.get(word, word): number for word, number in self.counts.items()}
        counts["failed"] = len(self.failures)
        if more.get("dry_run"):
            self.say("Dry run: nothing was changed.")
        parts = ", ".join(f"{word} {number:,}" for word, number in counts.items())
        if not any(counts.values()):
            parts = "nothing to do"
        self.say(f"{parts}{_amount(self.bytes_done)} in {seconds:,.1f} s")

    def _with_bar(self, items: Iterable[Item], bar: Any) -> Iterator[Item]:
        self._bar = bar
        with bar:
            try:
                for item in items:
                    yield item
                    bar.set_postfix_str(_amount(self.bytes_done).strip(", "), refresh=False)
                    bar.update()
            finally:
                self._bar = None

    def _with_lines(self, items: Iterable[Item], total: int | None, unit: str) -> Iterator[Item]:
        of_total = "" if total is None else f" of {total:,}"
        last = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            if (now := time.monotonic()) - last >= _SECONDS_BETWEEN_LINES:
                last = now
                line = f"{done:,}{of_total} {unit}{_amount(self.bytes_done)}"
                self._stderr.write(line, style_func=str)  # Not in red, which would mean an error.

    def _above_bar(self) -> AbstractContextManager[None]:
        """Hide the bar while a line is written."""
        return nullcontext() if self._bar is None else self._bar.external_write_mode()


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
            if not _is_table_missing(error):
                raise
            ending = _ending(error, report)
        report.close(interrupted=ending is not None, more=more)
        if ending is not None:
            raise ending
        if report.failures:
            raise CommandError(f"{len(report.failures):,} failed", returncode=FAILED)


def _ending(error: DatabaseUnavailable | DatabaseError, report: Report) -> CommandError:
    """Return the error to raise after the summary of a command that can't use a database.

    :raises CommandError: when nothing was done, so that there is nothing to sum up.
    """
    told = "The table of files is missing. Run `manage.py migrate`."
    if not report.has_results:
        if isinstance(error, DatabaseUnavailable):
            told = f"The database can't be used: {reason(error)}"
        raise usage_error(told) from error
    if isinstance(error, DatabaseUnavailable):
        again = "Run the command again later to continue"
        told = f"The database can't be used any more. {again}: {reason(error)}"
    ending = CommandError(told, returncode=FAILED)
    ending.__cause__ = error  # For those who pass --traceback.
    return ending


def _is_table_missing(error: DatabaseError) -> bool:
    """Tell whether `migrate` was forgotten. Each database says it in other words."""
    text = str(error)
    missing = ("no such table", "does not exist", "doesn't exist")
    return StoredFile._meta.db_table in text and any(words in text for words in missing)


def shown(text: str) -> str:
    """Return text that is safe to print: escape characters that could control a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def readable_size(size: int) -> str:
    """Return a readable size, with ordinary spaces so that columns line up in a terminal."""
    with translation.override("en"):  # As all else that a command prints.
        return filesizeformat(size).replace("\xa0", " ")


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps Django's order of options, and the line breaks of descriptions."""


def _printable(text: str, stream: OutputWrapper) -> str:
    """Escape characters that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _bar_class() -> Any:
    try:
        from tqdm import tqdm  # noqa: PLC0415 -- optional
    except ImportError:
        return None
    return tqdm


def _amount(size: int) -> str:
    return f", {readable_size(size)}" if size else ""
