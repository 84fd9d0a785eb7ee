"""Report that a server or driver is missing: the test is skipped, and in CI it fails."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

#: Where Debian puts servers; not on the PATH of an ordinary user.
_SBIN = ("/usr/sbin", "/usr/local/sbin")


class Unavailable(Exception):
    """Raised when a server can't run on this machine; its text is the reason."""


def find_program(*names: str, package: str) -> Path:
    """Return the first of these programs that is installed.

    Raises:
        Unavailable: none is; the text names the package that carries it.

    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN))
    for name in names:
        if found := shutil.which(name, path=path):
            return Path(found)
    raise Unavailable(f"{names[0]} is not installed (Debian package {package})")


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test for this reason, or fail it where ``CI`` is ``true``: CI has everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
