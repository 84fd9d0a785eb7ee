"""The counts of the fault tests, and their table at the end of the session."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: The name under which a test's counts travel in its report; pytest-xdist carries it over.
PROPERTY = "faults"

#: Each test counts saves, downloads or requests that were tried; acknowledged content that
#: is gone or wrong; bodies of the promised length that are wrong; rows and sessions left behind.
COLUMNS = ("tried", "lost", "mixed", "left")


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one test."""

    #: By what was counted; of plain types, so that it travels.
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))

    def add(self, what: str, count: int = 1) -> None:
        """Count."""
        self.counts[what] = self.counts.get(what, 0) + count

    def add_all(self, outcomes: Iterable[str]) -> None:
        """Count what was tried, each by how it ended."""
        for outcome in outcomes:
            self.add("tried")
            self.add(outcome)

    def __getitem__(self, what: str) -> int:
        return self.counts.get(what, 0)

    def expect(self, **counts: int) -> None:
        """Assert that nothing was lost, mixed or left, and these counts."""
        expected = {"lost": 0, "mixed": 0, "left": 0, **counts}
        assert {what: self[what] for what in expected} == expected, self.counts


def lines_of(reports: Iterable["pytest.TestReport"]) -> list[str]:
    """Return the table's lines; none where no test counted."""
    rows = sorted(_rows(reports))
    if not rows:
        return []
    width = max(len(name) for name, _ in rows)
    totals = {column: sum(counts[column] for _, counts in rows) for column in COLUMNS}
    return [
        _line("", {column: column for column in COLUMNS}, width) + "   and",
        *(_line(name, counts, width) + _others(counts) for name, counts in rows),
        _line("all", totals, width),
    ]


def _rows(reports: Iterable["pytest.TestReport"]) -> Iterator[tuple[str, dict[str, int]]]:
    for report in reports:
        if getattr(report, "when", "") != "call":
            continue
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, dict):
                yield _sentence(report), value


def _sentence(report: "pytest.TestReport") -> str:
    name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return name if report.passed else f"{report.outcome.upper()}: {name}"


def _line(name: str, counts: "dict[str, int] | dict[str, str]", width: int) -> str:
    return f"{name:<{width}}" + "".join(f"{counts[column]:>7}" for column in COLUMNS)


def _others(counts: dict[str, int]) -> str:
    others = [f"{what} {count}" for what, count in counts.items() if what not in COLUMNS]
    return "   " + ", ".join(others) if others else ""
