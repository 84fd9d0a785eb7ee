"""Results as the tables of a page: who did it on the left, what was done on top."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from tests.benchmarks.results import Result


def tables(results: Iterable[Result]) -> str:
    """Return Markdown: a table for those cases that have the same contenders."""
    cases: dict[str, dict[str, float]] = {}
    for result in results:
        if result.value is not None:
            cases.setdefault(f"{result.case}, {result.unit}", {})[result.contender] = result.value
    return "\n".join(
        _table(list(names), [(case, cases[case]) for case in group])
        for names, group in groupby(cases, lambda case: tuple(cases[case]))
    )


def _table(names: Sequence[str], columns: Sequence[tuple[str, dict[str, float]]]) -> str:
    lines = ["| | " + " | ".join(case for case, _ in columns), "|---" * (len(columns) + 1)]
    lines += [" | ".join([f"| {name}", *(_shown(v[name]) for _, v in columns)]) for name in names]
    return "".join(f"{line} |\n" for line in lines).replace("--- |", "---|")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
