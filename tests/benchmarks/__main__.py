"""Measure, print tables, write ``results.json`` and pictures."""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import (
    clients,
    copying,
    growth,
    instructions,
    memory,
    offload,
    readers,
    report,
    scaling,
    sealing,
    serving,
    serving_memory,
    sheet,
    signing,
    storage,
    timing,
    uploads,
    zips,
)
from tests.benchmarks.environment import DATABASES, Failed, ground_of
from tests.benchmarks.results import Database, Result
from tests.servers.unavailable import Unavailable

#: Each measures on a workspace, thoroughly or quickly.
TOPICS = {
    "signing": signing.measure,
    "storage": storage.measure,
    "memory": memory.measure,
    "growth": growth.measure,
    "instructions": instructions.measure,
    "serving": serving.measure,
    "serving-memory": serving_memory.measure,
    "clients": clients.measure,
    "readers": readers.measure,
    "sealing": sealing.measure,
    "offload": offload.measure,
    "load": scaling.measure,
    "timing": timing.measure,
    "uploads": uploads.measure,
    "zip": zips.measure,
    "copying": copying.measure,
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "topics",
        nargs="*",
        choices=[*TOPICS, []],
        metavar="TOPIC",
        help=f"{', '.join(TOPICS)}; if none is named, all",
    )
    parser.add_argument(
        "--databases",
        nargs="+",
        choices=DATABASES,
        default=DATABASES,
        metavar="DATABASE",
        help=f"{', '.join(DATABASES)}; if none is named, all",
    )
    parser.add_argument("--quick", action="store_true", help="small files and few rounds")
    parser.add_argument(
        "--output", type=Path, default=Path(), help="directory for the results; here by default"
    )
    options = parser.parse_args()
    results: list[Result] = []
    for topic in options.topics or TOPICS:
        for database in options.databases:
            results += _measured(topic, database, quick=options.quick)
    options.output.mkdir(parents=True, exist_ok=True)
    report.write_json(options.output / "results.json", results)
    report.plot(options.output, results)


def _measured(topic: str, database: Database, *, quick: bool) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="dbstorage-") as directory:
        Path(directory).chmod(0o755)  # The servers run under another account.
        try:
            with ground_of(database, Path(directory)) as workspace:
                results = TOPICS[topic](workspace, quick=quick)
        except (Unavailable, Failed) as error:
            print(f"\n{topic} on {database} left out: {error}")
            return []
    print(report.tables(results), flush=True)
    if topic == "load":
        print(f"\n{sheet.tables(results)}", flush=True)
    return results


if __name__ == "__main__":
    main()
