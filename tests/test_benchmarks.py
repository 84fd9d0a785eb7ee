"""The benchmarks run and name the packages they compare."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.report import drawings
from tests.benchmarks.results import Result
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail

ROOT = Path(__file__).parent.parent


@pytest.mark.servers
@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("topic", "contenders"),
    [
        ("signing", {"one raw HMAC", "url()", "urls() of 1,000"}),
        ("storage", {"the floor", "secure_dbstorage", "FileSystemStorage"}),
        ("sealing", {"plain", "encrypted", "500 files"}),
        ("timing", {"last character", "a missing file", "a private file"}),
        ("copying", {"the floor", "secure_dbstorage", "statements"}),
        ("instructions", {"secure_dbstorage", "floor"}),
        ("uploads", {"PUT", "tus in one PATCH", "beside 50 stalled uploads"}),
    ],
)
def test_a_benchmark_measures_and_writes(topic: str, contenders: set[str], tmp_path: Path) -> None:
    if topic == "instructions":
        try:
            find_program("valgrind", package="valgrind")
        except Unavailable as error:
            skip_or_fail(str(error))
    command = ["-m", "tests.benchmarks", topic, "--quick", "--databases", "sqlite"]
    done = subprocess.run(
        [sys.executable, *command, "--output", str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "results.json").read_text())
    results = document["results"]
    assert {result["contender"] for result in results} >= contenders
    for result in results:
        if result["contender"] in contenders:
            assert result["value"] > 0, result
    assert document["machine"]["cores"] > 0
    assert f"### {topic} SQLite" in done.stdout


def test_a_topic_has_a_picture_if_anything_can_be_compared() -> None:
    memory = Result(topic="memory", case="save", contender="ours", value=8.0, unit="MiB")
    compared = replace(memory, topic="serving", ratio=1.2)
    failed = replace(memory, topic="load", value=None, x=2.0)
    sized = replace(memory, topic="growth", x=2.0)
    assert list(drawings([memory])) == []
    shown = drawings([memory, replace(memory, topic="serving"), compared, failed, sized])
    assert [(topic, results) for topic, _, results in shown] == [
        ("serving", [compared]),
        ("growth", [sized]),
    ]
