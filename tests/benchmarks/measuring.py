"""Take times in turns, so that a noisy moment falls on all contenders alike."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

#: A sample lasts at least so many seconds; short calls are repeated.
SAMPLE_SECONDS = 0.05
#: With ``--quick``: enough to see that everything runs.
QUICK_SAMPLE_SECONDS = 0.005


@dataclass(slots=True, kw_only=True)
class Contender:
    """One way to do what is measured."""

    name: str
    #: Does it once.
    run: Callable[[], object]
    #: Undoes it, outside the time.
    reset: Callable[[], object] | None = None
    #: Seconds a call took, one number a round.
    seconds: list[float] = field(default_factory=list)
    #: Why it was left out of the rest.
    failure: str = ""


def take_turns(
    contenders: Sequence[Contender],
    *,
    rounds: int,
    sample_seconds: float = SAMPLE_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Fill each contender's *seconds*; who raises is left out from then on, and says why.

    :param clock: ``time.process_time`` leaves out what other processes do, the database's too.
    """
    # What is loaded stays. To search it before each sample would take longer than the samples.
    gc.collect()
    gc.freeze()
    try:
        loops = {
            contender.name: _warm_up(contender, sample_seconds, clock) for contender in contenders
        }
        for number in range(rounds):
            # Each round begins with another one: what comes after a slow one has cold caches.
            start = number % len(contenders)
            for contender in (*contenders[start:], *contenders[:start]):
                if not contender.failure:
                    _take(contender, loops[contender.name], clock)
    finally:
        gc.unfreeze()


def ratios(seconds: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median quotient of rounds that were measured side by side."""
    return statistics.median(a / b for a, b in zip(seconds, reference, strict=True))


def _warm_up(contender: Contender, sample_seconds: float, clock: Callable[[], float]) -> int:
    """Return how many calls fill a sample."""
    loops = 1
    while True:
        _take(contender, loops, clock)
        if contender.failure or contender.seconds.pop() * loops >= sample_seconds:
            return loops
        loops *= 2


def _take(contender: Contender, loops: int, clock: Callable[[], float]) -> None:
    gc.collect()
    gc.disable()
    try:
        contender.seconds.append(_seconds(contender, loops, clock) / loops)
    except Exception as error:  # noqa: BLE001 -- peers fail in their own ways
        contender.failure = f"{type(error).__name__}: {error}"[:200]
    finally:
        gc.enable()


def _seconds(contender: Contender, loops: int, clock: Callable[[], float]) -> float:
    if contender.reset is None:
        began = clock()
        for _ in range(loops):
            contender.run()
        return clock() - began
    spent = 0.0
    for _ in range(loops):
        began = clock()
        contender.run()
        spent += clock() - began
        contender.reset()
    return spent
