"""What a request of a small private file costs, in counts that no other work changes.

Instructions of the processor are counted by callgrind in a process that holds Django's WSGI
handler and nothing of a web server; the bytecodes of Python, by module, tell where they go.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import CodeType
from typing import Any, Self

from tests.benchmarks.environment import Failed, Workspace
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import FLOOR, SETTINGS, keep
from tests.servers.unavailable import find_program
from tests.support.bytecodes import count_bytecodes
from tests.support.environ import environ

_TOPIC = "instructions"
_CASE = "10 KiB"
_SIZE = 10 * 1024
_ROOT = Path(__file__).parents[2]

#: Requests before anything is counted: caches fill, and Python specialises its bytecodes.
_WARM_UP = 50

#: How many modules the table names.
_MODULES = 25

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Count instructions and bytecodes of one request of ours, and of the floor."""
    sites = keep(workspace, _SIZE, names=[OURS, FLOOR])
    count = 10 if quick else 100
    with _CountedHandler(workspace) as handler:
        spent = {site.name: handler.instructions(site.url, count) for site in sites}
    results = [
        _result(workspace, _CASE, name, number, "instructions") for name, number in spent.items()
    ]
    for site in sites:
        by_module = workspace.call(bytecodes_by_module, site.url, DJANGO_SETTINGS_MODULE=SETTINGS)
        total = sum(by_module.values())
        results.append(_result(workspace, f"all of {site.name}", "", total, "bytecodes"))
        for module, number in list(by_module.items())[:_MODULES]:
            results.append(
                _result(workspace, f"of {site.name}", module, number, "bytecodes", total)
            )
    return results


def bytecodes_by_module(url: str) -> dict[str, int]:
    """Return how many bytecodes one request takes, by module, most first."""
    handler = _handler()
    for _ in range(_WARM_UP):
        _ask(handler, url)
    counts = Counter[str]()
    for code, number in count_bytecodes(lambda: _ask(handler, url)).items():
        counts[_module(code)] += number
    return dict(counts.most_common())


class _CountedHandler:
    """A process of callgrind's that answers requests when it is told to."""

    def __init__(self, workspace: Workspace) -> None:
        valgrind = find_program("valgrind", package="valgrind")
        self._vgdb = find_program("vgdb", package="valgrind")
        self._output = workspace.directory.parent / f"callgrind-{os.urandom(4).hex()}"
        env = workspace.env | {"DJANGO_SETTINGS_MODULE": SETTINGS, "PYTHONHASHSEED": "0"}
        command = [
            *(valgrind, "--tool=callgrind", "--instr-atstart=no", "--quiet"),
            f"--callgrind-out-file={self._output}",
            *(sys.executable, "-m", __name__),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=os.environ | env,
        )

    def instructions(self, url: str, count: int) -> float:
        """Return how many instructions a request takes: those of the second half of many."""
        self._ask(url, _WARM_UP)
        self._tell("instrumentation", "on")
        # The first ones translate the code, and make what they need.
        numbers = [self._spent(url, times) for times in (5, count, 2 * count)]
        self._tell("instrumentation", "off")
        return (numbers[2] - numbers[1]) / count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _spent(self, url: str, times: int) -> int:
        known = set(self._dumps())
        self._ask(url, times)
        self._tell("dump")
        (dump,) = set(self._dumps()) - known
        return sum(map(int, _TOTAL.findall(dump.read_text())))

    def _dumps(self) -> list[Path]:
        return list(self._output.parent.glob(f"{self._output.name}*"))

    def _ask(self, url: str, times: int) -> None:
        stdin: Any = self._process.stdin
        stdout: Any = self._process.stdout
        stdin.write(f"{times} {url}\n")
        stdin.flush()
        if stdout.readline() != "done\n":
            raise Failed("The handler under callgrind has ended")

    def _tell(self, *words: str) -> None:
        command = [self._vgdb, f"--pid={self._process.pid}", *words]
        subprocess.run(command, check=True, capture_output=True)


def _result(
    workspace: Workspace, case: str, who: str, value: float, unit: str, of: float | None = None
) -> Result:
    return Result(
        topic=_TOPIC,
        case=case,
        contender=who,
        value=value,
        unit=unit,
        ratio=None if of is None else value / of,
        reference="" if of is None else "all",
        database=workspace.database,
    )


def _handler() -> Any:
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def _ask(handler: Any, url: str) -> None:
    """Ask for a file as gunicorn does, and take all of it."""
    answer = handler(environ(url), lambda status, fields: None)
    size = sum(map(len, answer))
    answer.close()
    if (answer.status_code, size) != (200, _SIZE):
        raise Failed(f"{answer.status_code} with {size} bytes for {url}")


def _module(code: CodeType) -> str:
    """Return the module of a code, as a path below where packages are."""
    path = code.co_filename
    for root in (f"{_ROOT}/", "site-packages/", f"python{sys.version_info.major}.", "/"):
        _, found, rest = path.partition(root)
        if found and root != "/":
            return rest.partition("/")[2] if root.startswith("python") else rest
    return path


def _main() -> None:
    handler = _handler()
    for line in sys.stdin:
        times, url = line.split()
        for _ in range(int(times)):
            _ask(handler, url)
        print("done", flush=True)


if __name__ == "__main__":
    _main()
