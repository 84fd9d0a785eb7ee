"""The report of a command: what it has done, told while it runs and at its end."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from django.core.management.base import OutputWrapper
from django.template.defaultfilters import filesizeformat
from django.utils import translation

#: The time between two lines of progress in a log.
_SECONDS_BETWEEN_LINES = 5.0

Item = TypeVar("Item")


class NobodyReads(Exception):
    """Raised when the program that reads the output has closed it, as ``head`` does."""


class Report:
    """Tells what a command has done, while it runs and at its end.

    Each method that prints raises :class:`NobodyReads` when nobody reads it any more.
    """

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
        #: What to do after a database has gone away, as the beginning of a sentence.
        self.again = "Run the command again later to continue"
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
        with self._above_bar(), _read_by_somebody():
            self._stderr.write(_printable(f"{shown(name)}: {shown(problem)}", self._stderr))

    def say(self, text: str, *, verbosity: int = 1) -> None:
        """Print a line for people. With ``--json``, nothing is printed.

        :param verbosity: the lowest ``--verbosity`` that prints the line.
        """
        if self._as_json or self._verbosity < verbosity:
            return
        with self._above_bar(), _read_by_somebody():
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
        self._sum_up(interrupted=interrupted, more=more)
        with _read_by_somebody():
            self._stdout.flush()

    def _sum_up(self, *, interrupted: bool, more: dict[str, Any]) -> None:
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
            with _read_by_somebody():
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
                with _read_by_somebody():
                    # Not in red, which would mean an error.
                    self._stderr.write(line, style_func=str)

    def _above_bar(self) -> AbstractContextManager[None]:
        """Hide the bar while a line is written."""
        return nullcontext() if self._bar is None else self._bar.external_write_mode()


@contextmanager
def _read_by_somebody() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise NobodyReads from error


def shown(text: str) -> str:
    """Return text that is safe to print: escape characters that could control a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def readable_size(size: int) -> str:
    """Return a readable size, with ordinary spaces so that columns line up in a terminal."""
    with translation.override("en"):  # As all else that a command prints.
        return filesizeformat(size).replace("\xa0", " ")


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
