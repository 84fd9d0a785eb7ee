"""What a request of a small private file costs, in counts that no other work changes.

Instructions of the processor are counted by callgrind in a process that holds Django's WSGI
handler and nothing of a web server. From Python 3.12 on, they are also counted by function, with
all that it calls. The bytecodes of Python are counted by module.
"""

import sys
from collections import Counter
from pathlib import Path
from types import CodeType
from typing import Any

from tests.benchmarks.callgrind import CountedProcess
from tests.benchmarks.environment import Failed, Workspace
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import FLOOR, SETTINGS, file_name, keep
from tests.support.bytecodes import count_bytecodes
from tests.support.environ import environ

_TOPIC = "instructions"
_CASE = "10 KiB"
_SIZE = 10 * 1024
_ROOT = Path(__file__).parents[2]

#: Asks for links that were never used, one after the other. The others are used again and again.
_NEW_LINKS = "new-links"
#: More than are asked for.
_LINKS = 500

#: Requests before anything is counted: caches fill, and Python specialises its bytecodes.
_WARM_UP = 50

_NAMES_FUNCTIONS = sys.version_info >= (3, 12)

#: How many modules, and how many functions, the tables name.
_MODULES, _FUNCTIONS = 25, 60


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Count instructions and bytecodes of one request of ours, and of the floor."""
    sites = keep(workspace, _SIZE, names=[OURS, FLOOR])
    count = 10 if quick else 100
    # Naming functions takes a tenth more, so only a quick run counts both in one process.
    with _counted(workspace, names_functions=quick and _NAMES_FUNCTIONS) as handler:
        counted = [handler.instructions(site.url, count, warm_up=_WARM_UP) for site in sites]
        by_new_links, _ = handler.instructions(_NEW_LINKS, count, warm_up=_WARM_UP)
    results = [
        _result(workspace, _CASE, site.name, number, "instructions")
        for site, (number, _) in zip(sites, counted, strict=True)
    ]
    who = f"{OURS}, by links that were never used"
    results.append(_result(workspace, _CASE, who, by_new_links, "instructions"))
    if _NAMES_FUNCTIONS:
        if not quick:
            with _counted(workspace, names_functions=True) as handler:
                counted = [handler.instructions(sites[0].url, count, warm_up=_WARM_UP)]
        results += _by_function(workspace, *counted[0])
    for site in sites:
        by_module = workspace.call(bytecodes_by_module, site.url, DJANGO_SETTINGS_MODULE=SETTINGS)
        total = sum(by_module.values())
        results.append(_result(workspace, f"all of {site.name}", "", total, "bytecodes"))
        for module, number in list(by_module.items())[:_MODULES]:
            results.append(
                _result(workspace, f"of {site.name}", module, number, "bytecodes", total)
            )
    return results


def _by_function(workspace: Workspace, total: float, functions: Counter[str]) -> list[Result]:
    case = "by function, with what it calls"
    return [
        _result(workspace, case, _shown(name), number, "instructions", total)
        for name, number in functions.most_common(_FUNCTIONS)
    ]


def _counted(workspace: Workspace, *, names_functions: bool) -> CountedProcess:
    env = {**workspace.env, "DJANGO_SETTINGS_MODULE": SETTINGS}
    directory = workspace.directory.parent
    return CountedProcess(__name__, directory, env, names_functions=names_functions)


def bytecodes_by_module(url: str) -> dict[str, int]:
    """Return how many bytecodes one request takes, by module, most first."""
    handler = _handler()
    for _ in range(_WARM_UP):
        _ask(handler, url)
    counts = Counter[str]()
    for code, number in count_bytecodes(lambda: _ask(handler, url)).items():
        counts[_module(code)] += number
    return dict(counts.most_common())


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
    return _below_packages(code.co_filename)


def _shown(symbol: str) -> str:
    """Return a function as it is shown, from ``py::name:path``."""
    name, _, path = symbol.removeprefix("py::").rpartition(":")
    return f"{name} ({_below_packages(path)})"


def _below_packages(path: str) -> str:
    """Return the path of a module below the directory where its package is."""
    for above in (f"{_ROOT}/", "/site-packages/", f"/python3.{sys.version_info.minor}/"):
        if above in path:
            return path.rpartition(above)[2]
    return path


def _new_links() -> list[str]:
    """Return links to the file, which differ in their ends."""
    from django.core.files.storage import storages

    storage: Any = storages["default"]
    lifetimes = range(86_401, 86_401 + _LINKS)
    return [storage.url(file_name(_SIZE), expires_in=seconds) for seconds in lifetimes]


def _main() -> None:
    handler = _handler()
    new_links = iter(_new_links())
    for line in sys.stdin:
        times, what = line.split()
        for _ in range(int(times)):
            _ask(handler, next(new_links) if what == _NEW_LINKS else what)
        print("done", flush=True)


if __name__ == "__main__":
    _main()
