"""The page about how far one PostgreSQL goes says what the benchmarks' figures give."""

# ruff: noqa: RUF001 -- the sign of multiplication

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from secure_dbstorage.options import StorageOptions
from tests.benchmarks import sheet
from tests.benchmarks.results import Result
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail
from tests.support.pages import BENCHMARKS, DEPLOY, ROOT, section

PROGRAM = DEPLOY.parent / "capacity.py"

#: What a machine did, by case and unit, then by contender.
FIGURES = {
    ("10 KiB", "requests/s"): {"1 process": 1000},
    ("10 KiB, p99", "ms"): {"1 process": 20},
    ("40 MiB", "MB/s"): {"1 process": 500},
    ("the primary's processor", "s/GB"): {"1 process": 0.5},
    ("40 MiB through nginx, one client", "MB/s"): {"offload, hot": 1500},
    ("PostgreSQL, a file of 1 GB", "s"): {
        "save": 10,
        "pg_dump": 4,
        "pg_restore": 18,
        "delete": 2,
        "VACUUM": 3.6,
    },
}


def computed(*arguments: str | Path, program: Path = PROGRAM) -> str:
    command = [sys.executable, program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    """Return what the benchmark would have printed."""
    results = [
        Result(topic="load", case=case, contender=contender, value=value, unit=unit)
        for (case, unit), values in FIGURES.items()
        for contender, value in values.items()
    ]
    path = tmp_path / "rates.md"
    path.write_text(sheet.tables(results))
    return path


def test_the_page_has_the_tables_that_follow_from_the_figures() -> None:
    page = section(DEPLOY, "How far one PostgreSQL goes")
    for table in computed().split("\n\n"):
        assert table.strip() in page


def test_somebody_computes_with_figures_and_files_of_their_own(rates: Path) -> None:
    site = ("--files", "1000000", "--size", "3.6", "--requests", "1728000")
    lines = computed("--rates", rates, *site).splitlines()
    assert [line for line in lines if line.endswith("| yours |")] == ["| | how | yours |"]
    for expected in (
        "| rows | files × size / 255 KiB, rounded up | 14,000,000 |",
        "| GB | files × size | 3,600 |",
        "| requests/s at peak | requests / 86,400 × 5 | 100 |",
        "| MB/s at peak | requests/s × size | 360 |",
        "| processes | requests/s / 1,000 + MB/s / 500 | 1 |",
        "| cores of the primary, for bytes | MB/s × 0.5 / 1,000 | 0.18 |",
        "| pg_restore, hours | GB × 18 / 3,600 | 18 |",
        "| a restore takes an hour | 3.6 / 18 = 0.2 TB | a standby, and [failover](#failover) |",
    ):
        assert expected in lines


def test_the_page_is_written_again_when_there_are_new_figures(rates: Path, tmp_path: Path) -> None:
    copies = {path: tmp_path / path.relative_to(ROOT) for path in (BENCHMARKS, DEPLOY, PROGRAM)}
    for path, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    computed("--rates", rates, "--update", program=copies[PROGRAM])
    page = copies[DEPLOY].read_text()
    assert all(table.strip() in page for table in computed("--rates", rates).split("\n\n"))
    figures = copies[BENCHMARKS].read_text()
    assert all(table.strip() in figures for table in rates.read_text().split("\n\n"))
    assert len(page.splitlines()) == len(DEPLOY.read_text().splitlines())


def test_its_constants_are_those_of_the_package_and_of_the_configuration() -> None:
    numbers = runpy.run_path(str(PROGRAM))
    gunicorn = runpy.run_path(str(DEPLOY.parent / "gunicorn.conf.py"))
    postgres = (DEPLOY.parent / "postgresql.conf").read_text()
    assert numbers["ROW"] == StorageOptions().chunk_size
    assert numbers["THREADS"] == gunicorn["threads"]
    assert f"\nmax_connections = {numbers['CONNECTIONS']}\n" in postgres


@pytest.mark.servers
@pytest.mark.sweep
@pytest.mark.timeout(600)
def test_the_benchmark_prints_all_that_is_needed(tmp_path: Path) -> None:
    try:
        for name in ("wrk", "nginx"):
            find_program(name, package=name)
    except Unavailable as error:
        skip_or_fail(str(error))
    command = ["-m", "tests.benchmarks", "load", "--quick", "--databases", "postgres"]
    done = subprocess.run(
        [sys.executable, *command, "--output", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (tmp_path / "rates.md").write_text(done.stdout)
    assert "pg_restore, hours" in computed("--rates", tmp_path / "rates.md")
    # Whoever pastes the report into the page finds the same tables there.
    for line in section(BENCHMARKS, "Load").splitlines():
        if line.startswith("| |"):
            assert line in done.stdout
