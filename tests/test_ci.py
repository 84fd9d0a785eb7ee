"""A run of everything says at its end why it has failed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FAILING = """
import pytest

@pytest.fixture
def broken():
    yield
    raise OSError("at the end")

def test_one():
    print(*range(100), sep="\\n")
    assert "this" == "that"

def test_two(broken):
    pass

@pytest.mark.parametrize("number", range(9))
def test_of_a_name_that_leaves_no_room_for_more_than_one_underscore_beside_it(number):
    raise ValueError(f"number {number}")
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs bash")


def reasons(log: Path) -> str:
    """Return what ``.ci/run`` repeats of a log."""
    script = f"source {shlex.quote(str(ROOT / '.ci' / 'run'))}; reasons {shlex.quote(str(log))}"
    return subprocess.check_output(["bash", "-c", script], text=True)


def test_the_reasons_of_the_first_failures_are_repeated(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text(FAILING)
    log = tmp_path / "log"
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:django", "-p", "no:cacheprovider"]
    with log.open("wb") as output:
        subprocess.run([*command, "test_failing.py"], cwd=tmp_path, stdout=output, check=False)
    repeated = reasons(log)
    shown, *summary = re.split(r"^(?=FAILED|ERROR )", repeated, flags=re.MULTILINE)
    assert "E       OSError: at the end" in shown
    assert "assert 'this' == 'that'" in shown
    assert "number 2" in shown
    assert "number 3" not in shown  # Five are enough.
    assert "\n59\n" not in shown  # The end of each part is enough.
    assert "\n60\n" in shown
    assert len(summary) == 11
    assert "ERROR test_failing.py::test_two - OSError: at the end\n" in summary


def test_of_another_program_the_end_is_repeated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert reasons(log).splitlines() == [f"line {number}" for number in range(60, 100)]
