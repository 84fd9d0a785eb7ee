"""What refusals reveal by their time: wrong tokens compared, and private files with missing ones.

Each pair is asked in turns, inside the process, where no network hides a difference. The reference
is among the contenders once more: what it differs from itself is noise.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import RequestFactory, override_settings

from secure_dbstorage.links.keys import derive
from tests.benchmarks.environment import Workspace
from tests.benchmarks.results import Result

#: Of one length: a longer name takes longer to read.
_PRIVATE, _OTHER, _MISSING, _NEITHER = "private.bin", "another.bin", "missing.bin", "nowhere.bin"

_WRONG, _NONE = "a wrong token", "no token"


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure on one database."""
    found = workspace.call(compare, 100 if quick else 20_000)
    return [Result(topic="timing", database=workspace.database, **result) for result in found]


def compare(rounds: int) -> list[dict[str, Any]]:
    """Return what each refusal takes."""
    # Limits would refuse in another way after a while, and count in all cases alike.
    limits = {"RATE_LIMITS": dict.fromkeys(("signed", "plain", "refused"))}
    with override_settings(SECURE_DBSTORAGE=limits):
        cases = {
            _WRONG: _refused_with_a_token(storages["default"]),
            _NONE: _refused_without_a_token(),
        }
        contenders = {
            (case, who): ask for case, asked in cases.items() for who, ask in asked.items()
        }
        seconds = _in_turns(contenders, rounds)
    results = []
    for case, group in groupby(seconds, lambda key: key[0]):
        names = [who for _, who in group]
        reference = seconds[case, names[0]]
        results += [
            {
                "case": case,
                "contender": who,
                "value": statistics.median(seconds[case, who]) * 1e6,
                "unit": "us",
                "ratio": statistics.median(seconds[case, who]) / statistics.median(reference),
                "reference": names[0],
                "note": "" if who == names[0] else _verdict(seconds[case, who], reference),
            }
            for who in names
        ]
    return results


def _refused_with_a_token(storage: Any) -> dict[str, Callable[[], object]]:
    for name in (_PRIVATE, _OTHER):
        storage.save(name, ContentFile(b"x" * 1000))
    url, other = (storage.url(name).partition("?token=") for name in (_PRIVATE, _OTHER))
    claims, _, signature = url[2].rpartition(".")
    first = f"{claims}.{_changed(signature[0])}{signature[1:]}"
    key = next(key for key in map(_key, range(10_000)) if _key_id(key) != claims[1:3])
    return {
        who: _asking(_PRIVATE, token, status=403)
        for who, token in {
            "first character of the signature": first,
            "first character, again": first,
            "last character": f"{claims}.{signature[:-1]}{_changed(signature[-1])}",
            "all characters": f"{claims}.{''.join(map(_changed, signature))}",
            "id of another key": f"1{_key_id(key)}{claims[3:]}.{signature}",
            "good for another file": other[2],
        }.items()
    }


def _refused_without_a_token() -> dict[str, Callable[[], object]]:
    return {
        "a missing file": _asking(_MISSING, "", status=404),
        "another missing file": _asking(_NEITHER, "", status=404),
        "a private file": _asking(_PRIVATE, "", status=404),
    }


def _asking(name: str, token: str, *, status: int) -> Callable[[], object]:
    from secure_dbstorage.serving.views import serve

    factory, query = RequestFactory(), f"token={token}" if token else ""

    def ask() -> object:
        request = factory.get(f"/files/{name}", QUERY_STRING=query)
        began = time.perf_counter()
        response = serve(request, name)
        seconds = time.perf_counter() - began
        assert response.status_code == status
        return seconds

    return ask


def _changed(char: str) -> str:
    return "A" if char != "A" else "B"


def _key(number: int) -> bytes:
    return b"%032d" % number


def _key_id(key: bytes) -> str:
    return derive(key).id


def _in_turns(
    contenders: Mapping[tuple[str, str], Callable[[], Any]], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Ask all in each round, in an order of its own."""
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in contenders}
    pick, order = random.Random(1), list(contenders)
    for number in range(rounds + rounds // 10):
        pick.shuffle(order)
        for key in order:
            taken = contenders[key]()
            if number >= rounds // 10:  # Warm by now.
                seconds[key].append(taken)
    return seconds


def _verdict(times: Sequence[float], reference: Sequence[float]) -> str:
    """Tell by ranks how well the two can be told apart (Mann and Whitney)."""
    ranked = sorted(
        [(second, True) for second in times] + [(second, False) for second in reference]
    )
    rank_sum, place = 0.0, 0
    for _, ties in groupby(ranked, lambda pair: pair[0]):
        own = [is_own for _, is_own in ties]
        rank_sum += sum(own) * (place + (len(own) + 1) / 2)
        place += len(own)
    own_count, other_count = len(times), len(reference)
    slower = rank_sum - own_count * (own_count + 1) / 2
    mean = own_count * other_count / 2
    deviation = math.sqrt(mean * (own_count + other_count + 1) / 6)
    probability = math.erfc(abs(slower - mean) / deviation / math.sqrt(2))
    return f"slower in {slower / mean / 2:.1%} of pairs, p = {probability:.2g}"
