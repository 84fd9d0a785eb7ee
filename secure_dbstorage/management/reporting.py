"""What the commands share: progress, a report for people or programs, exit codes, interruption.

A command derives from :class:`ReportingCommand`, names its options and does its work in ``run()``,
which goes through what a use case yields::

    class Command(ReportingCommand):
        help = "Read every file again, and compare it with its digest."
        examples = "manage.py dbstorage_verify --storage invoices --json"
        can_dry_run = False

        def add_options(self, parser):
            parser.add_argument("--storage", default="default", help="...")

        def run(self, report, options):
            storage = database_storage(options["storage"])
            checks = maintenance.verify(storage)
            for check in report.progress(checks, total=storage.catalog.files().count()):
                report.bytes_done += check.size
                if check.problem:
                    report.fail(check.name, check.problem)
                else:
                    report.count("intact")
            report.facts["storage"] = options["storage"]

``report.count()`` counts under a word, ``report.fail()`` tells of a failure at once (on stderr)
and keeps it, ``report.say()`` is a line for people, and ``report.facts`` are further keys of the
JSON. Wrong usage that only ``run()`` can see is ``raise usage_error("...")``. The base does the
rest: the last line or the JSON object, the exit code, and Ctrl-C, which arrives inside ``run()``
as KeyboardInterrupt: let it pass, after closing what is open.
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

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, Storage, storages
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.template.defaultfilters import filesizeformat

from secure_dbstorage.storage import DatabaseStorage

#: Exit codes besides 0, as the help says them.
FAILED, USAGE, INTERRUPTED = 1, 2, 130

#: How often a log gets a line of progress.
_SECONDS_BETWEEN_LINES = 5.0

#: Characters in a line of a command's description, whose examples stay as they are.
_HELP_WIDTH = 79

_EXIT_CODES = """\
exit codes:
  0    all was done
  1    something failed; what failed was named, and the rest was done
  2    nothing was done: wrong options, or a storage or database that can't be used
  130  interrupted (Ctrl-C); run it again to go on
"""

Item = TypeVar("Item")


class Report:
    """What a command has done so far, told while it goes on and at its end."""

    def __init__(
        self, stdout: OutputWrapper, stderr: OutputWrapper, *, verbosity: int, as_json: bool
    ) -> None:
        #: How many items ended in which way, by a word such as ``copied``.
        self.counts: Counter[str] = Counter()
        #: What failed: names, as they are, and problems.
        self.failures: list[dict[str, str]] = []
        #: Further keys of the JSON object.
        self.facts: dict[str, Any] = {}
        #: Bytes that went through, shown with the progress.
        self.bytes_done = 0
        #: Whether people get a last line with the counts.
        self.has_last_line = True
        self._stdout = stdout
        self._stderr = stderr
        self._verbosity = verbosity
        self._as_json = as_json
        self._bar: Any = None
        self._began = time.monotonic()

    def count(self, word: str, number: int = 1) -> None:
        """Count items that ended in one way."""
        self.counts[word] += number

    def fail(self, name: str, problem: str) -> None:
        """Keep a failure, and tell of it at once."""
        self.failures.append({"name": name, "problem": problem})
        with self._above_bar():
            self._stderr.write(_printable(f"{shown(name)}: {shown(problem)}", self._stderr))

    def say(self, text: str, *, verbosity: int = 1) -> None:
        """Print a line for people; programs, that is ``--json``, don't get it.

        :param verbosity: from which ``--verbosity`` on.
        """
        if self._as_json or self._verbosity < verbosity:
            return
        with self._above_bar():
            self._stdout.write(_printable(shown(text), self._stdout))

    def progress(
        self, items: Iterable[Item], *, total: int | None = None, unit: str = "files"
    ) -> Iterator[Item]:
        """Pass items on, and show how far they are: a bar, or now and then a line in a log.

        :param total: how many there will be, if that is known.
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
        """Print the end of the report: a line, or all of it as one JSON object."""
        seconds = time.monotonic() - self._began
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
        if not self.has_last_line:
            return
        counts = {**self.counts, "failed": len(self.failures)}
        if more.get("dry_run"):
            self.say("A dry run: nothing was changed.")
        parts = ", ".join(f"{word} {number:,}" for word, number in counts.items())
        self.say(f"{parts}{_in_megabytes(self.bytes_done)} in {seconds:,.1f} s")

    def _with_bar(self, items: Iterable[Item], bar: Any) -> Iterator[Item]:
        self._bar = bar
        with bar:
            try:
                for item in items:
                    yield item
                    bar.set_postfix_str(_in_megabytes(self.bytes_done).strip(", "), refresh=False)
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
                line = f"{done:,}{of_total} {unit}{_in_megabytes(self.bytes_done)}"
                self._stderr.write(line, style_func=str)  # Not in red: it is no error.

    def _above_bar(self) -> AbstractContextManager[None]:
        """Take the bar away while a line is written in its place."""
        return nullcontext() if self._bar is None else self._bar.external_write_mode()


class ReportingCommand(BaseCommand):
    """A command that reports; see the module's docstring for how to write one."""

    #: None: a route that is missing is no reason not to move or check a file, and the same
    #: warnings each night help nobody. ``check`` says all that.
    requires_system_checks = ()
    #: Lines that show how the command is called, for its help.
    examples = ""
    #: Whether there is a ``--dry-run``: for what changes something.
    can_dry_run = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser whose help ends with examples and exit codes."""
        lines = "".join(f"  {line.strip()}\n" for line in self.examples.strip().splitlines())
        epilog = f"examples:\n{lines}\n{_EXIT_CODES}"
        parser = super().create_parser(prog_name, subcommand, epilog=epilog, **kwargs)
        parser.formatter_class = _HelpFormatter
        paragraphs = (parser.description or "").split("\n\n")
        parser.description = "\n\n".join(textwrap.fill(text, _HELP_WIDTH) for text in paragraphs)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of this command, and those of all."""
        self.add_options(parser)
        if self.can_dry_run:
            parser.add_argument(
                "--dry-run", action="store_true", help="say what would be done, and change nothing"
            )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="print one JSON object at the end, and nothing else, on stdout",
        )

    def add_options(self, parser: CommandParser) -> None:
        """Add the options that this command alone has."""

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Do the work, and report it."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print the report's end, and say by the exit code how it went."""
        report = Report(
            self.stdout,
            self.stderr,
            verbosity=options["verbosity"],
            as_json=options["as_json"],
        )
        more = {"dry_run": options["dry_run"]} if self.can_dry_run else {}
        interrupted = False
        try:
            self.run(report, options)
        except KeyboardInterrupt:
            interrupted = True
        report.close(interrupted=interrupted, more=more)
        if interrupted:
            raise CommandError("Interrupted. Run it again to go on.", returncode=INTERRUPTED)
        if report.failures:
            raise CommandError(f"{len(report.failures):,} failed", returncode=FAILED)


def usage_error(text: str) -> CommandError:
    """Return the error for a command that was called wrongly."""
    return CommandError(text, returncode=USAGE)


def any_storage(alias: str) -> Storage:
    """Return the storage of an alias in ``STORAGES``.

    :raises CommandError: when there is none, or it can't be used.
    """
    try:
        storage: Storage = storages[alias]
        if isinstance(storage, DatabaseStorage):
            _ = storage.options  # Read now, so that a wrong one is told of now.
    except InvalidStorageError as error:
        known = ", ".join(sorted(storages.backends))
        raise usage_error(f"{error} STORAGES has: {known}.") from error
    except ImproperlyConfigured as error:
        raise usage_error(str(error)) from error
    return storage


def database_storage(alias: str) -> DatabaseStorage:
    """Return the storage of an alias, which must be one of ours.

    :raises CommandError: when there is none, or it is another.
    """
    storage = any_storage(alias)
    if not isinstance(storage, DatabaseStorage):
        raise usage_error(f"The storage {alias!r} is not a DatabaseStorage.")
    return storage


def shown(text: str) -> str:
    """Return text for a terminal: what could steer it, or can't be written, is escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def readable_size(size: int) -> str:
    """Return a number of bytes for a terminal, whose columns know no narrow spaces."""
    return filesizeformat(size).replace("\xa0", " ")


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's order of options, and descriptions whose lines stay as they are."""


def _printable(text: str, stream: OutputWrapper) -> str:
    """Escape what a stream's encoding does not have."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _bar_class() -> Any:
    try:
        from tqdm import tqdm  # noqa: PLC0415 -- nobody needs it
    except ImportError:
        return None
    return tqdm


def _in_megabytes(size: int) -> str:
    return f", {size / 1e6:,.1f} MB" if size else ""
