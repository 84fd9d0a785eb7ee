"""How fast files are served: requests a second, and bytes a second, through real web servers."""

from functools import partial
from statistics import median as median_of

from tests.benchmarks import load
from tests.benchmarks.environment import Workspace
from tests.benchmarks.load import Load, LoadFailed
from tests.benchmarks.measuring import Contender, ratios, take_turns
from tests.benchmarks.peers import OURS
from tests.benchmarks.results import Result
from tests.benchmarks.sites import (
    EMPTY,
    FLOOR,
    PRIVATE_STORAGE,
    SIGNED_IN,
    Setup,
    Site,
    keep,
    open_sites,
    prepared_setups,
    setups,
)

_TOPIC = "serving"
_KIB, _MIB = 1024, 1024 * 1024

#: Enough that the one process never waits for a client.
_CLIENTS = 8

#: Many short rounds: what else the machine does then falls on all contenders alike.
_ROUNDS, _SECONDS = 7, 1


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure all contenders behind each web server, on one database.

    Ours is private, with all its checks. The others are public, or let everybody in, but for one:
    django-private-storage also looks whether its visitor is signed in.
    """
    small = keep(workspace, 10 * _KIB)
    large = keep(workspace, (16 if quick else 100) * _MIB)
    results = []
    for setup in (*setups(workspace), *prepared_setups(workspace)):
        asked = [*small, EMPTY] if setup.kind == "uvicorn" else small
        with open_sites(workspace, setup, [*asked, *large]) as sites:
            results += _requests(workspace, setup, sites[: len(asked)], quick=quick)
            for clients in (1, 4):
                results += _throughput(
                    workspace,
                    setup,
                    sites[len(asked) :],
                    clients=clients,
                    rounds=1 if quick else 5,
                )
    return results


def _requests(
    workspace: Workspace, setup: Setup, sites: list[Site], *, quick: bool
) -> list[Result]:
    """Return requests a second, how long the slowest took, and what a request costs the server.

    The last is the most certain on a noisy machine: others' work does not count.
    """
    failures = {site.name: site.failure for site in sites}
    loads: dict[str, list[Load]] = {site.name: [] for site in sites}
    costs: dict[str, list[float]] = {site.name: [] for site in sites}
    for number in range(1 if quick else _ROUNDS):
        start = number % len(sites)
        for site in (*sites[start:], *sites[:start]):
            if failures[site.name]:
                continue
            try:
                load.fetch(site.url, site.size, cookie=site.cookie)
                before = load.processor_seconds(site.pid)
                taken = load.press(
                    site.url, clients=_CLIENTS, seconds=_SECONDS, cookie=site.cookie
                )
                spent = load.processor_seconds(site.pid) - before
            except LoadFailed as error:
                failures[site.name] = str(error)[:200]
            else:
                loads[site.name].append(taken)
                costs[site.name].append(1e6 * spent / (taken.requests_per_second * _SECONDS))
    rates = {name: [taken.requests_per_second for taken in all_] for name, all_ in loads.items()}
    slowest = {name: [taken.p99_milliseconds for taken in all_] for name, all_ in loads.items()}
    case = f"10 KiB, {setup.name}"
    return [
        *_results(workspace, case, "requests/s", rates, failures),
        *_results(workspace, f"p99 of {case}", "ms", slowest, failures, compared=False),
        *_results(
            workspace, f"processor time of {case}", "us", costs, failures, less_is_more=True
        ),
    ]


def _throughput(
    workspace: Workspace, setup: Setup, sites: list[Site], *, clients: int, rounds: int
) -> list[Result]:
    """Return megabytes a second, of whole files."""
    contenders = [
        Contender(
            name=site.name,
            run=partial(load.fetch, site.url, site.size, clients=clients, cookie=site.cookie),
            failure=site.failure,
        )
        for site in sites
    ]
    able = [contender for contender in contenders if not contender.failure]
    take_turns(able, rounds=rounds)
    megabytes = sites[0].size * clients / 1e6
    speeds = {
        contender.name: [megabytes / second for second in contender.seconds]
        for contender in contenders
    }
    failures = {contender.name: contender.failure for contender in contenders}
    case = f"{sites[0].size // _MIB} MiB, {setup.name}, {clients} at once"
    return _results(workspace, case, "MB/s", speeds, failures)


def _results(
    workspace: Workspace,
    case: str,
    unit: str,
    measured: dict[str, list[float]],
    failures: dict[str, str],
    *,
    compared: bool = True,
    less_is_more: bool = False,
) -> list[Result]:
    reference = [] if not compared or failures[FLOOR] else measured[FLOOR]
    results = []
    for name, values in measured.items():
        failed = bool(failures[name])
        results.append(
            Result(
                topic=_TOPIC,
                case=case,
                contender=name,
                value=None if failed else median_of(values),
                unit=unit,
                ratio=_ratio(values, reference, less_is_more) if not failed else None,
                reference=FLOOR if compared else "",
                database=workspace.database,
                note=failures[name]
                or (_beside_peer(name, measured, failures, less_is_more) if compared else ""),
            )
        )
    return results


def _ratio(values: list[float], reference: list[float], less_is_more: bool) -> float | None:  # noqa: FBT001
    """Return the speed in those of the reference, of speeds or of times."""
    if not reference:
        return None
    return ratios(reference, values) if less_is_more else ratios(values, reference)


def _beside_peer(
    name: str,
    measured: dict[str, list[float]],
    failures: dict[str, str],
    less_is_more: bool,  # noqa: FBT001
) -> str:
    if name != OURS:
        return ""
    able = [peer for peer in (PRIVATE_STORAGE, SIGNED_IN) if not failures.get(peer, "missing")]
    return "; ".join(
        f"{_ratio(measured[name], measured[peer], less_is_more):.2f} of {peer}" for peer in able
    )
