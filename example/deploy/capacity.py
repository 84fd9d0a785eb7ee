"""Work out what PostgreSQL has to do for your files, and when to take the next step.

    python example/deploy/capacity.py --files 2000000 --size 3 --requests 1000000

The rates are those in tests/benchmarks/README.md. To use those of your own machine, save in a file
what `python -m tests.benchmarks load --databases postgres` prints, and name it with `--rates`.
`--update` writes the tables again in README.md, beside this file, and in that of the benchmarks.
"""

# ruff: noqa: RUF001 -- the sign of multiplication

import argparse
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
PAGE = DEPLOY / "README.md"
RATES = DEPLOY.parents[1] / "tests/benchmarks/README.md"

#: Bytes of a row.
ROW = 255 * 1024
#: A busy hour has so many times the requests of the mean one.
PEAK = 5
#: A night is so many hours long.
NIGHT = 8
#: max_connections in postgresql.conf, and the threads of each process in gunicorn.conf.py.
CONNECTIONS, THREADS = 100, 8

DAY, HOUR = 24 * 60 * 60, 60 * 60

#: From here on, a fraction says nothing.
SMALL = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a machine does. A GB is 1,000 MB."""

    #: Small files a second from one process.
    requests: float
    #: MB/s of large files from one process.
    streamed: float
    #: Seconds of the primary's processor for each GB sent.
    primary: float
    #: Seconds for each GB.
    save: float
    dump: float
    restore: float
    vacuum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Somebody's files."""

    name: str
    files: int
    #: The mean, in MB.
    size: float
    #: A day.
    requests: int

    @property
    def rows(self) -> int:
        return self.files * max(1, math.ceil(self.size * 1e6 / ROW))

    @property
    def gigabytes(self) -> float:
        return self.files * self.size / 1000

    @property
    def peak(self) -> float:
        """Requests a second in a busy hour."""
        return self.requests / DAY * PEAK


EXAMPLES: tuple[Site, ...] = (
    Site(name="documents", files=1_000_000, size=0.1, requests=1_000_000),
    Site(name="photos", files=1_000_000, size=3, requests=2_000_000),
    Site(name="films", files=20_000, size=200, requests=20_000),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, help="how many files you have")
    parser.add_argument("--size", type=float, help="their mean size in MB")
    parser.add_argument("--requests", type=int, help="requests for files in a day")
    parser.add_argument(
        "--rates", type=Path, default=RATES, help="file with what the benchmark printed"
    )
    parser.add_argument(
        "--update", action="store_true", help="write the tables of the pages again"
    )
    options = parser.parse_args()
    own = (options.files, options.size, options.requests)
    if any(own) and not all(own):
        parser.error("--files, --size and --requests belong together")
    measured = options.rates.read_text()
    rates = read_rates(measured)
    if options.update:
        figures = tables(measured) if options.rates != RATES else []
        for page, new in ((RATES, figures), (PAGE, [work(rates, EXAMPLES), steps(rates)])):
            page.write_text(updated(page, new))
        return
    sites = EXAMPLES
    if all(own):
        sites = (Site(name="yours", files=own[0], size=own[1], requests=own[2]),)
    print(f"{work(rates, sites)}\n{steps(rates)}", end="")


def read_rates(text: str) -> Rates:
    """Find the rates in the tables that the benchmark prints."""
    values = dict(cells(text))

    def value(name: str, case: str) -> float:
        try:
            return values[name, case]
        except KeyError:
            raise SystemExit(f"No table says {case!r} of {name!r}") from None

    one, kept = "1 process", "PostgreSQL, a file of 1 GB, s"
    return Rates(
        requests=value(one, "10 KiB, requests/s"),
        streamed=value(one, "40 MiB, MB/s"),
        primary=value(one, "the primary's processor, s/GB"),
        save=value("save", kept),
        dump=value("pg_dump", kept),
        restore=value("pg_restore", kept),
        vacuum=value("VACUUM", kept),
    )


def cells(text: str) -> Iterable[tuple[tuple[str, str], float]]:
    """Yield the numbers in tables of Markdown, with the names of their row and their column."""
    heads: list[str] = []
    for line in text.splitlines():
        first, *others = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = others
        for head, cell in zip(heads, others, strict=False):
            if re.fullmatch(r"[\d,]*\.?\d+", cell):
                yield (first, head), float(cell.replace(",", ""))


def work(rates: Rates, sites: Sequence[Site]) -> str:
    """Return the table of what PostgreSQL and the web servers have to do."""
    r = rates
    lines: list[tuple[str, str, list[float]]] = [
        ("files", "yours", [site.files for site in sites]),
        ("mean size, MB", "yours", [site.size for site in sites]),
        ("requests a day", "yours", [site.requests for site in sites]),
        ("rows", "files × size / 255 KiB, rounded up", [site.rows for site in sites]),
        ("GB", "files × size", [site.gigabytes for site in sites]),
        ("requests/s at peak", f"requests / {DAY:,} × {PEAK}", [site.peak for site in sites]),
        ("MB/s at peak", "requests/s × size", [site.peak * site.size for site in sites]),
        (
            "processes",
            f"requests/s / {about(r.requests)} + MB/s / {about(r.streamed)}",
            [processes(r, site) for site in sites],
        ),
        (
            "with offload, all hot",
            f"requests/s / {about(r.requests)}",
            [math.ceil(site.peak / r.requests) for site in sites],
        ),
        (
            "cores of the primary, for bytes",
            f"MB/s × {about(r.primary)} / 1,000",
            [site.peak * site.size * r.primary / 1000 for site in sites],
        ),
        *(
            (
                f"{what}, hours",
                f"GB × {about(rate)} / 3,600",
                [hours(site, rate) for site in sites],
            )
            for what, rate in (
                ("saving all", r.save),
                ("pg_dump", r.dump),
                ("pg_restore", r.restore),
            )
        ),
        (
            "VACUUM after a tenth is deleted, hours",
            f"GB / 10 × {about(r.vacuum)} / 3,600",
            [hours(site, r.vacuum) / 10 for site in sites],
        ),
    ]
    head = ["", "how", *(site.name for site in sites)]
    return markdown([head, *([what, how, *map(about, values)] for what, how, values in lines)])


def steps(rates: Rates) -> str:
    """Return the table of what comes next, and where these rates put it."""
    r = rates
    daily, read = r.requests * DAY / PEAK / 1e6, DAY / PEAK / r.primary / 1000
    restored, dumped, cleaned = (HOUR / each / 1000 for each in (r.restore, r.dump, r.vacuum))
    lines = [
        ("", "at these rates", "next step"),
        (
            "a core is full",
            f"{about(r.requests)} × {DAY:,} / {PEAK} = {about(daily)} million requests a day",
            "a process for each core",
        ),
        (
            "`max_connections` is reached",
            f"{CONNECTIONS} / {THREADS} threads = {CONNECTIONS // THREADS} processes",
            "[PgBouncer](#pgbouncer)",
        ),
        (
            "large files keep the web servers busy",
            f"{about(r.streamed)} MB/s from a process",
            "[offload](#offloading)",
        ),
        ("most requests are for public files", "", "[a CDN](#public-files)"),
        (
            "the primary is busy reading bytes",
            f"{DAY / 1000} / {PEAK} / {about(r.primary)} = {about(read)} TB a day",
            "[a replica](#replicas)",
        ),
        (
            "a restore takes an hour",
            f"3.6 / {about(r.restore)} = {about(restored)} TB",
            "a standby, and [failover](#failover)",
        ),
        (
            "a dump takes a night",
            f"{NIGHT} × 3.6 / {about(r.dump)} = {about(NIGHT * dumped)} TB",
            "`pg_basebackup` and a WAL archive",
        ),
        (
            "a vacuum takes an hour",
            f"3.6 / {about(r.vacuum)} = {about(cleaned)} TB deleted",
            "[partitions](#a-partitioned-table)",
        ),
        (
            "a restore takes two days",
            f"48 × 3.6 / {about(r.restore)} = {about(48 * restored)} TB",
            "[a bucket](#growing)",
        ),
    ]
    return markdown(lines)


def updated(page: Path, new: Iterable[str]) -> str:
    """Return the text of a page, with new tables instead of those that have the same columns."""
    text = page.read_text()
    for table in new:
        head = table.partition("\n")[0]
        old = [each for each in tables(text) if each.partition("\n")[0] == head]
        if len(old) != 1:
            raise SystemExit(f"{page} has {len(old)} tables with the columns {head}")
        text = text.replace(old[0], table)
    return text


def tables(text: str) -> list[str]:
    """Return the tables of a text whose rows have names."""
    return re.findall(r"^\| \|.*\n(?:\|.*\n)+", text, flags=re.MULTILINE)


def processes(rates: Rates, site: Site) -> int:
    """Return how many processes, with a core each, send all bytes through Django."""
    return math.ceil(site.peak / rates.requests + site.peak * site.size / rates.streamed)


def hours(site: Site, seconds_per_gigabyte: float) -> float:
    return site.gigabytes * seconds_per_gigabyte / HOUR


def markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *others = rows
    lines = [f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in (head, *others)]
    return "".join([lines[0], "|---" * len(head), "|\n", *lines[1:]])


def about(value: float) -> str:
    """Return a number without a fraction, and a small one with two digits."""
    return f"{value:,.0f}" if value >= SMALL else f"{float(f'{value:.2g}'):g}"


if __name__ == "__main__":
    main()
