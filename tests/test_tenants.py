"""Tenants with a schema each: see ``tests/tenants``, whose settings no other test can have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: What this session keeps in its environment, and its coverage, is none of the other's.
_OURS = ("DBSTORAGE_TEST_", "PYTEST_", "COV_", "DJANGO_")


@pytest.mark.timeout(600)
def test_links_of_one_tenant_open_nothing_of_another() -> None:
    command = ["-m", "pytest", "tests/tenants", "--ds=tests.tenants.settings"]
    done = subprocess.run(
        [sys.executable, *command, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
