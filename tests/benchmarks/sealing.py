"""What encryption costs: encrypted files beside plain ones, in turns in one run.

By the clock, and by the processor time of this process and the database's, which other work on the
machine changes least.
"""

import base64
import hashlib
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
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

#: Who asks gunicorn for a small file, as long as its one process is never idle.
_CLIENTS = 8


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure storage and view in one process without a web server, and the view by gunicorn."""
    sizes = (8 * _MIB, 16 * _MIB, 16 * _MIB, 3) if quick else (64 * _MIB, _GIB, 100 * _MIB, 11)
    found = workspace.call(ciphers, 3 if quick else 101)
    found += workspace.call(compare, *sizes)
    found += workspace.call(rotate, 500 if quick else 10_000)
    found += _by_gunicorn(workspace, sizes[2], rounds=1 if quick else 25)
    return [Result(topic="sealing", database=workspace.database, **result) for result in found]


def _by_gunicorn(workspace: Workspace, large: int, rounds: int) -> list[dict[str, Any]]:
    """Return what requests take of a web server: small ones of many clients, large ones of one."""
    paths = workspace.call(keep_to_serve, 10 * _KIB, large)
    place = workspace.directory.parent / f"sealing-{os.urandom(4).hex()}.log"
    env = {name: value for name, value in workspace.env.items() if "SETTINGS" not in name}
    with WebServer("gunicorn", log=place, settings=SETTINGS, env=env) as server:
        small, big = ({how: server.url + paths[how][n] for how in _STORAGES} for n in range(2))
        spent, worked = _pressed(small, server.pid, rounds)
        fetched = [
            Contender(name=how, run=partial(load.fetch, url, large)) for how, url in big.items()
        ]
        _take_turns(fetched, rounds)
    return [
        *_times("10 KiB by gunicorn", spent),
        *_times("10 KiB by gunicorn, processor", worked),
        *_times(f"{_spelled(large)} by gunicorn", [each.seconds for each in fetched]),
    ]


def _pressed(
    urls: Mapping[str, str], pid: int, rounds: int
) -> tuple[list[list[float]], list[list[float]]]:
    """Return the seconds that each request took, and those of the server's processor."""
    spent: dict[str, list[float]] = {how: [] for how in urls}
    worked: dict[str, list[float]] = {how: [] for how in urls}
    for number in range(-1, rounds):  # First, each thread of the server opens a connection.
        for how in list(urls)[:: -1 if number % 2 else 1]:
            before = load.processor_seconds(pid)
            rate = load.press(urls[how], clients=_CLIENTS, seconds=1).requests_per_second
            used = load.processor_seconds(pid) - before
            if number >= 0:
                spent[how].append(1 / rate)
                worked[how].append(used / rate)
    return list(spent.values()), list(worked.values())


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
