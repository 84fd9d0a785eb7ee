"""Callgrind: counts the instructions of a process of ours, and those of each Python function."""

import os
import re
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from tests.benchmarks.environment import Failed
from tests.servers.unavailable import find_program

_ROOT = Path(__file__).parents[2]

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)

#: A function's number in a dump, and its name where it comes first.
_FUNCTION = re.compile(r"c?fn=\((\d+)\)(?: (.+))?")

_ADDRESS = re.compile(r"0x([0-9a-f]+)")


class CountedProcess:
    """A module that runs under callgrind, and does what each line of its input says.

    A line has a number of times, and what to do. The answer is a line with "done".
    """

    def __init__(
        self,
        module: str,
        directory: Path,
        env: Mapping[str, str],
        *,
        names_functions: bool = False,
    ) -> None:
        """Start the module.

        Args:
            module: Its dotted name.
            directory: Where dumps go.
            env: More environment variables.
            names_functions: Whether instructions are told apart by Python function (Python 3.12),
                which takes a tenth more of them.

        Raises:
            Unavailable: valgrind is not installed.

        """
        valgrind = find_program("valgrind", package="valgrind")
        self._vgdb = find_program("vgdb", package="valgrind")
        self._output = directory / f"callgrind-{os.urandom(4).hex()}"
        command = [
            *(valgrind, "--tool=callgrind", "--instr-atstart=no", "--quiet"),
            f"--callgrind-out-file={self._output}",
            *(sys.executable, *(("-X", "perf") if names_functions else ()), "-m", module),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=os.environ | env | {"PYTHONHASHSEED": "0"},
        )

    def instructions(self, what: str, times: int, *, warm_up: int) -> tuple[float, Counter[str]]:
        """Return how many instructions one thing takes: all, and with what it calls, by function.

        Two dumps are compared, so that what each costs besides does not count.
        """
        self._do(what, warm_up)
        self._tell("instrumentation", "on")
        # The first ones translate the code.
        dumps = [self._dump(what, number) for number in (5, times, 2 * times)]
        self._tell("instrumentation", "off")
        totals = [sum(map(int, _TOTAL.findall(dump.read_text()))) for dump in dumps]
        functions = Counter[str]()
        for name, number in _calls(dumps[2], _symbols(self._process.pid)):
            functions[name] += number
        each = {name: number // (2 * times) for name, number in functions.most_common()}
        return (totals[2] - totals[1]) / times, Counter(each)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _dump(self, what: str, times: int) -> Path:
        known = set(self._dumps())
        self._do(what, times)
        self._tell("dump")
        (dump,) = set(self._dumps()) - known
        return dump

    def _dumps(self) -> Iterator[Path]:
        return self._output.parent.glob(f"{self._output.name}*")

    def _do(self, what: str, times: int) -> None:
        stdin: Any = self._process.stdin
        stdout: Any = self._process.stdout
        stdin.write(f"{times} {what}\n")
        stdin.flush()
        if stdout.readline() != "done\n":
            raise Failed("The process under callgrind has ended")

    def _tell(self, *words: str) -> None:
        command = [self._vgdb, f"--pid={self._process.pid}", *words]
        subprocess.run(command, check=True, capture_output=True)


def _symbols(pid: int) -> list[tuple[int, int, str]]:
    """Return where the Python functions of a process are: start, end and name, in order."""
    path = Path(f"/tmp/perf-{pid}.map")
    if not path.exists():
        return []
    symbols = []
    for line in path.read_text().splitlines():
        start, length, name = line.split(" ", 2)
        symbols.append((int(start, 16), int(start, 16) + int(length, 16), name))
    path.unlink()
    return sorted(symbols)


def _calls(dump: Path, symbols: list[tuple[int, int, str]]) -> Iterator[tuple[str, int]]:
    """Yield each called Python function, and the instructions of the call."""
    names: dict[str, str] = {}
    called = ""
    lines = iter(dump.read_text().splitlines() if symbols else ())
    for line in lines:
        if match := _FUNCTION.match(line):
            names.setdefault(match[1], match[2] or "")
            called = names[match[1]] if line.startswith("c") else called
        elif line.startswith("calls="):
            cost = int(next(lines).split()[-1])
            if name := _name_at(called, symbols):
                yield name, cost


def _name_at(address: str, symbols: list[tuple[int, int, str]]) -> str:
    match = _ADDRESS.match(address)
    if match is None:
        return ""
    number = int(match[1], 16)
    index = bisect_right(symbols, (number, sys.maxsize, "")) - 1
    return symbols[index][2] if index >= 0 and number < symbols[index][1] else ""
