"""Files are served under other settings as well: see ``tests/support/local_time_settings``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: The inner session must not inherit these, nor our coverage.
_OURS = ("DBSTORAGE_TEST_", "PYTEST_", "COV_", "DJANGO_")

#: What asks the view; the rest of the wing knows no settings.
_MODULES = ("folders", "guards", "hooks", "one_time_links", "refusals", "subresources", "views")


@pytest.mark.servers
def test_files_are_served_without_time_zones_and_in_transactions() -> None:
    modules = [f"tests/serving/test_{module}.py" for module in _MODULES]
    options = ["-n0", "-m", "not servers", "--ds=tests.support.local_time_settings"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", *modules],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
