"""Other packages beside this one: see ``tests/integrations``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: The inner session must not inherit these, nor our coverage.
_OURS = ("DBSTORAGE_TEST_", "PYTEST_", "COV_", "DJANGO_")


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_other_packages_work_with_our_storage() -> None:
    command = ["-m", "pytest", "-n0", "tests/integrations", "--ds=tests.integrations.settings"]
    done = subprocess.run(
        [sys.executable, *command, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
