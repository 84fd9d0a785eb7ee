"""Sessions of pytest for tests that need settings of their own."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]

#: The inner session must not inherit these, nor our coverage.
_OURS = ("DBSTORAGE_TEST_", "PYTEST_", "COV_", "DJANGO_")


def run_session(*arguments: str, settings: str) -> None:
    """Run pytest in another process, and fail with its output if it fails."""
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        [*command, f"--ds={settings}"],
        cwd=_ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
