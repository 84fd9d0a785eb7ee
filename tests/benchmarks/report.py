"""Results as tables, as JSON and as pictures."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import django

from tests.benchmarks.results import Result

#: Draws results into a figure of matplotlib.
Draw = Callable[[Any, Sequence[Result]], None]

_HEADINGS = {"": "", "sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB"}


def tables(results: Sequence[Result]) -> str:
    """Return Markdown: a table for each topic and database."""
    parts = []
    for (topic, database), group in groupby(results, lambda r: (r.topic, r.database)):
        parts.append(f"\n### {topic} {_HEADINGS[database]}".rstrip() + "\n")
        parts.append(_table(list(group)))
    return "\n".join(parts)


def write_json(path: Path, results: Iterable[Result]) -> None:
    """Write the results, and on what machine they were taken."""
    document = {"machine": machine(), "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def machine() -> dict[str, str | int | None]:
    """Return what the numbers depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "django": django.get_version(),
    }


def plot(directory: Path, results: Sequence[Result]) -> list[Path]:
    """Draw each topic that was measured: lines where there is an x, else bars of the ratios.

    A topic without either, such as memory alone, has nothing to draw.

    Returns:
        The pictures; none without matplotlib.

    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    pictures = []
    for topic, draw, shown in drawings(results):
        figure: Any = Figure(layout="constrained")
        draw(figure, shown)
        pictures.append(directory / f"{topic}.svg")
        figure.savefig(pictures[-1], metadata={"Date": None})
    return pictures


def drawings(results: Sequence[Result]) -> Iterator[tuple[str, Draw, list[Result]]]:
    """Yield each topic that has a picture, how it is drawn, and what of it."""
    for topic, group in groupby(results, lambda r: r.topic):
        measured = [result for result in group if result.value is not None]
        compared = [result for result in measured if result.ratio is not None]
        if any(result.x is not None for result in measured):
            yield topic, _draw_lines, measured
        elif compared:
            yield topic, _draw_bars, compared


def _table(results: Sequence[Result]) -> str:
    rows = [("", "who", "median", "ratio", "")]
    previous = ""
    for result in results:
        case = "" if result.case == previous else result.case
        previous = result.case
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        rows.append((case, result.contender, _amount(result), ratio, result.note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _amount(result: Result) -> str:
    if result.value is None:
        return "fails"
    return (
        f"{result.value:.3g} {result.unit}"
        if result.value < 1000
        else (f"{result.value:,.0f} {result.unit}")
    )


def _draw_bars(figure: Any, compared: Sequence[Result]) -> None:
    databases = list(dict.fromkeys(result.database for result in compared))
    cases = list(dict.fromkeys(result.case for result in compared))
    names = list(dict.fromkeys(result.contender for result in compared))
    figure.set_size_inches(4.5 * len(databases) + 2, 0.22 * len(cases) * len(names) + 1.5)
    grid = figure.subplots(1, len(databases), sharey=True, squeeze=False)[0]
    for axes, database in zip(grid, databases, strict=True):
        axes.set_title(_HEADINGS[database])
        axes.axvline(1, color="black", linewidth=0.8)
        for number, name in enumerate(names):
            mine = [r for r in compared if (r.contender, r.database) == (name, database)]
            places = [cases.index(r.case) + (number + 0.5) / (len(names) + 1) for r in mine]
            axes.barh(places, [r.ratio for r in mine], height=0.9 / (len(names) + 1), label=name)
        axes.set_xscale("log")
        axes.set_yticks([place + 0.5 for place in range(len(cases))], cases)
        axes.invert_yaxis()
        axes.set_xlabel(f"in those of: {compared[0].reference}")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")


def _draw_lines(figure: Any, results: Sequence[Result]) -> None:
    cases = list(dict.fromkeys(result.case for result in results))
    figure.set_size_inches(4.5 * len(cases), 4)
    for axes, case in zip(figure.subplots(1, len(cases), squeeze=False)[0], cases, strict=True):
        shown = [result for result in results if result.case == case]
        for label in dict.fromkeys((r.contender, r.database) for r in shown):
            line = [r for r in shown if (r.contender, r.database) == label]
            heading = _HEADINGS[label[1]]
            axes.plot(
                [r.x for r in line],
                [r.value for r in line],
                marker="o",
                markersize=3,
                label=f"{label[0]} {heading}".strip(),
            )
        axes.set(title=case, xscale="log", yscale="log", ylabel=shown[0].unit)
        axes.legend(fontsize="x-small")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor()
