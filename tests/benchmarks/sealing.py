"""What encryption costs: encrypted files beside plain ones, in turns in one run."""

import base64
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import RequestFactory, override_settings

from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import Contender, ratios, take_turns
from tests.benchmarks.memory import made_up
from tests.benchmarks.results import Result

_KIB, _MIB = 1024, 1024 * 1024

#: The storages by how their files are kept; see the settings.
_STORAGES = {"plain": "default", "encrypted": "encrypted"}

#: The key of the storage, and the one that replaces it.
ENCRYPTION_KEY, _NEW_KEY = (base64.b64encode(bytes([byte] * 32)).decode() for byte in (1, 2))

#: What one range takes from the middle of a large file.
_RANGE_BYTES = 64 * _KIB


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure storage and view, in one process without a web server."""
    sizes = (
        (8 * _MIB, 16 * _MIB, 16 * _MIB, 3) if quick else (64 * _MIB, 256 * _MIB, 100 * _MIB, 11)
    )
    found = workspace.call(compare, *sizes)
    found += workspace.call(rotate, 500 if quick else 10_000)
    return [Result(topic="sealing", database=workspace.database, **result) for result in found]


def compare(saved: int, large: int, served: int, rounds: int) -> list[dict[str, Any]]:
    """Return what each takes, by case.

    :param saved: the size of the file that is saved and read.
    :param large: that of the one of which a range is read.
    :param served: that of the one that the view sends.
    """
    # Limits would refuse after a while.
    with override_settings(SECURE_DBSTORAGE={"RATE_LIMITS": {"signed": None}}):
        return _all_cases(saved, large, served, rounds)


def _all_cases(saved: int, large: int, served: int, rounds: int) -> list[dict[str, Any]]:
    content = os.urandom(saved)
    results = _compared("save", [_saving(how, content) for how in _STORAGES], rounds, saved)
    for alias in _STORAGES.values():
        storages[alias].save("saved.bin", ContentFile(content))
        storages[alias].save("large.bin", made_up(large))
        storages[alias].save("served.bin", made_up(served))
        storages[alias].save("small.bin", ContentFile(content[: 10 * _KIB]))
    results += _compared("read", _each(_read, "saved.bin"), rounds, saved)
    middle = f"64 KiB in the middle of {large // _MIB} MiB"
    results += _compared(middle, _each(_read_middle, "large.bin"), rounds, _RANGE_BYTES)
    results += _compared("serve", _each(_serve, "served.bin"), rounds, served)
    results += _compared("serve", _each(_serve, "small.bin"), 3 * rounds, 10 * _KIB)
    return results


def rotate(count: int) -> list[dict[str, Any]]:
    """Return how long it takes to wrap the keys of so many files of 10 KiB anew."""
    from secure_dbstorage.storage import DatabaseStorage  # They need models.
    from secure_dbstorage.upkeep.rekeying import rewrap

    storage: Any = storages["encrypted"]
    content = os.urandom(10 * _KIB)
    for number in range(count):
        # Past the search for free names, which takes longer than all else.
        storage.catalog.add(f"rotated/{number:05}.bin", [content])
    rotated = DatabaseStorage(namespace="encrypted", encryption_keys=[_NEW_KEY, ENCRYPTION_KEY])
    began = time.perf_counter()
    outcomes = [item.outcome for item in rewrap(rotated)]
    seconds = time.perf_counter() - began
    if outcomes.count("rewrapped") < count:
        raise RuntimeError(f"Only {outcomes.count('rewrapped')} keys were wrapped")
    return [
        {
            "case": "rotation",
            "contender": f"{count:,} files",
            "value": seconds,
            "unit": "s",
        }
    ]


def _each(do: Callable[[Any, str], object], name: str) -> list[Contender]:
    return [
        Contender(name=how, run=partial(do, storages[alias], name))
        for how, alias in _STORAGES.items()
    ]


def _saving(how: str, content: bytes) -> Contender:
    storage: Any = storages[_STORAGES[how]]
    return Contender(
        name=how,
        run=lambda: storage.save("saving.bin", ContentFile(content)),
        reset=lambda: storage.delete("saving.bin"),
    )


def _read(storage: Any, name: str) -> None:
    with storage.open(name) as file:
        for _ in file.chunks():
            pass


def _read_middle(storage: Any, name: str) -> None:
    head = storage.catalog.get(name)
    start = head.stat.size // 2
    if sum(map(len, storage.catalog.stream(head, start, start + _RANGE_BYTES))) != _RANGE_BYTES:
        raise RuntimeError("The range is not whole")


def _serve(storage: Any, name: str) -> None:
    from secure_dbstorage.serving.views import serve  # It needs models.

    alias = storage.options.namespace or "default"
    answer: Any = serve(RequestFactory().get(storage.url(name)), name, storage=alias)
    if answer.status_code != 200 or sum(map(len, answer)) != int(answer["Content-Length"]):
        raise RuntimeError(f"{answer.status_code}")


def _compared(
    case: str, contenders: Sequence[Contender], rounds: int, size: int
) -> list[dict[str, Any]]:
    take_turns(contenders, rounds=rounds)
    plain = contenders[0]
    named = case if case.startswith("64") else f"{case} {_spelled(size)}"
    return [
        {
            "case": named,
            "contender": contender.name,
            "value": 1000 * sorted(contender.seconds)[len(contender.seconds) // 2],
            "unit": "ms",
            # Times, and not speeds: above 1 is slower.
            "ratio": ratios(contender.seconds, plain.seconds),
            "reference": "plain",
            "note": contender.failure,
        }
        for contender in contenders
    ]


def _spelled(size: int) -> str:
    return f"{size // _MIB} MiB" if size >= _MIB else f"{size // _KIB} KiB"
