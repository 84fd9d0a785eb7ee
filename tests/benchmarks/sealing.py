"""What encryption costs: encrypted files beside plain ones, in turns in one run.

By the clock, and by the processor time of this process and the database's, which other work on the
machine changes least.
"""

import base64
import hashlib
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import storages
from django.db import connection
from django.test import RequestFactory, override_settings

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import SAMPLE_SECONDS, Contender, ratios, take_turns
from tests.benchmarks.memory import made_up
from tests.benchmarks.results import Result
from tests.benchmarks.sites import SETTINGS
from tests.servers.web import WebServer

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3

#: The storages by how their files are kept; see the settings.
_STORAGES = {"plain": "default", "encrypted": "encrypted"}

#: The key of the storage, and the one that replaces it.
ENCRYPTION_KEY, _NEW_KEY = (base64.b64encode(bytes([byte] * 32)).decode() for byte in (1, 2))

#: What one range takes from the middle of a large file.
_RANGE_BYTES = 64 * _KIB


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure storage and view in one process without a web server, and the view by gunicorn."""
    sizes = (8 * _MIB, 16 * _MIB, 16 * _MIB, 3) if quick else (64 * _MIB, _GIB, 100 * _MIB, 11)
    found = workspace.call(ciphers, 3 if quick else 101)
    found += workspace.call(compare, *sizes)
    found += workspace.call(rotate, 500 if quick else 10_000)
    found += _by_gunicorn(workspace, *((sizes[2], 1, 100) if quick else (sizes[2], 25, 8000)))
    return [Result(topic="sealing", database=workspace.database, **result) for result in found]


def _by_gunicorn(
    workspace: Workspace, large: int, rounds: int, requests: int
) -> list[dict[str, Any]]:
    """Return what one client waits for a small file, and for a large one."""
    small = 10 * _KIB
    paths = workspace.call(keep_to_serve, small, large)
    place = workspace.directory.parent / f"sealing-{os.urandom(4).hex()}.log"
    env = {name: value for name, value in workspace.env.items() if "SETTINGS" not in name}
    with WebServer("gunicorn", log=place, settings=SETTINGS, env=env) as server:
        asked = _asked([server.url + paths[how][0] for how in _STORAGES], small, requests)
        fetched = [
            Contender(name=how, run=partial(load.fetch, server.url + paths[how][1], large))
            for how in _STORAGES
        ]
        _take_turns(fetched, rounds)
    return [
        *_times(f"{_spelled(small)} by gunicorn", asked, is_paired=False),
        *_times(f"{_spelled(large)} by gunicorn", [each.seconds for each in fetched]),
    ]


def _asked(urls: Sequence[str], size: int, requests: int) -> list[list[float]]:
    """Return the seconds of each request, in turns.

    The median of thousands moves by less than a hundredth where rounds of a second, with many
    clients, differ by a tenth.
    """
    with ExitStack() as stack:
        visitors = [stack.enter_context(closing(load.Visitor(url, size))) for url in urls]
        seconds = [[visitor.ask() for visitor in visitors] for _ in range(100 + requests)]
    # The first ones connect to the database, and fill caches.
    return [list(each) for each in zip(*seconds[100:], strict=True)]


def keep_to_serve(*sizes: int) -> dict[str, list[str]]:
    """Save a file of each size in each storage, and return the paths of their links.

    All lead through one route: for another, Django would compare one path more.
    """
    return {
        how: [_linked(alias, f"to-serve-{size}.bin", made_up(size)) for size in sizes]
        for how, alias in _STORAGES.items()
    }


def _linked(alias: str, name: str, content: "File[bytes]") -> str:
    storage: Any = storages[alias]
    link = storage.url(storage.save(name, content), expires_in=86_400)
    return f"/any/{alias}/{link[link.index(name) :]}"


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


def ciphers(rounds: int) -> list[dict[str, Any]]:
    """Return what the bare work on one row of the default length takes: nothing can cost less."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    chunk, nonce, bound = os.urandom(255 * _KIB), os.urandom(12), b"x" * 60
    cipher = AESGCM(AESGCM.generate_key(256))
    sealed = cipher.encrypt(nonce, chunk, bound)
    deeds: dict[str, Callable[[], object]] = {
        "SHA-256": lambda: hashlib.sha256(chunk).digest(),
        "AES-256-GCM, encrypting": lambda: cipher.encrypt(nonce, chunk, bound),
        "AES-256-GCM, decrypting": lambda: cipher.decrypt(nonce, sealed, bound),
        "a copy": lambda: bytearray(chunk),
    }
    contenders = [Contender(name=name, run=deed) for name, deed in deeds.items()]
    take_turns(contenders, rounds=rounds, sample_seconds=0.001)
    return [
        {
            "case": "a row of 255 KiB",
            "contender": contender.name,
            "value": 1e6 * statistics.median(contender.seconds),
            "unit": "us",
        }
        for contender in contenders
    ]


def rotate(count: int) -> list[dict[str, Any]]:
    """Return how long it takes to wrap the keys of so many files of 10 KiB anew."""
    from secure_dbstorage.storage import DatabaseStorage  # They need models.
    from secure_dbstorage.upkeep.rekeying import rewrap

    storage: Any = storages["encrypted"]
    content = os.urandom(10 * _KIB)
    for number in range(count):
        # Past the search for free names, which takes longer than all else.
        storage.saves.add(f"rotated/{number:05}.bin", [content])
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


@dataclass(slots=True)
class _Metered:
    """What is done, and what that takes of the processor, here and in the database."""

    run: Callable[[], object]
    #: One number a call.
    seconds: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        before = _processor_seconds()
        self.run()
        self.seconds.append(_processor_seconds() - before)


def _compared(
    case: str, contenders: Sequence[Contender], rounds: int, size: int
) -> list[dict[str, Any]]:
    metered = [_Metered(contender.run) for contender in contenders]
    for contender, meter in zip(contenders, metered, strict=True):
        contender.run = meter
    _take_turns(contenders, rounds, sample_seconds=0.01)
    named = case if case.startswith("64") else f"{case} {_spelled(size)}"
    # Without those of the warm-up, as far as that can be told.
    calls = min(len(meter.seconds) for meter in metered)
    worked = [meter.seconds[-calls:] for meter in metered]
    return [
        *_times(named, [contender.seconds for contender in contenders]),
        *_times(f"{named}, processor", worked, is_paired=False),
    ]


def _take_turns(
    contenders: Sequence[Contender], rounds: int, sample_seconds: float = SAMPLE_SECONDS
) -> None:
    take_turns(contenders, rounds=rounds, sample_seconds=sample_seconds)
    for contender in contenders:
        if contender.failure:
            raise RuntimeError(f"{contender.name}: {contender.failure}")


def _times(
    case: str, seconds: Sequence[Sequence[float]], *, is_paired: bool = True
) -> list[dict[str, Any]]:
    """Return what each contender takes, and how many times as long as the plain one.

    :param is_paired: whether they took turns, one number a round.
    """
    plain = seconds[0]
    return [
        {
            "case": case,
            "contender": how,
            "value": 1000 * statistics.median(each),
            "unit": "ms",
            # Times, and not speeds: above 1 is slower.
            "ratio": ratios(each, plain)
            if is_paired
            else statistics.median(each) / statistics.median(plain),
            "reference": "plain",
        }
        for how, each in zip(_STORAGES, seconds, strict=True)
    ]


def _processor_seconds() -> float:
    return time.process_time() + sum(map(_seconds_of, _server_pids()))


def _seconds_of(pid: int) -> float:
    """Return what the threads of a process have used of the processor, where Linux tells it."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


@cache
def _server_pids() -> tuple[int, ...]:
    """Return the processes of the database that work for this connection."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_backend_pid()")
            return tuple(cursor.fetchone())
        if connection.vendor == "mysql":
            cursor.execute("SELECT @@pid_file")
            return (int(Path(cursor.fetchone()[0]).read_text()),)
    return ()


def _spelled(size: int) -> str:
    return f"{size // _MIB} MiB" if size >= _MIB else f"{size // _KIB} KiB"
