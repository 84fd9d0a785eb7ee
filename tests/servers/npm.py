"""Packages of npm's registry, for pages that load scripts."""

import fcntl
import subprocess
from pathlib import Path

from tests.servers import places
from tests.servers.unavailable import Unavailable, find_program

#: Nothing of a package runs here, and what was fetched once is not asked for again.
_OPTIONS = [
    *("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"),
    *("--omit=optional", "--prefer-offline", "--loglevel=error"),
]


#: What has been installed by a worker of pytest-xdist is there for the others.
_DIRECTORY = places.DIRECTORY / "npm"


def install(*packages: str) -> Path:
    """Install packages, named with their versions, and return the directory that they are in.

    It is the same one for all who ask for the same packages in this session.

    :raises Unavailable: npm is not installed, or its registry can't be reached.
    """
    npm = find_program("npm", package="npm")
    _DIRECTORY.mkdir(exist_ok=True)
    with (_DIRECTORY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [npm, "install", *_OPTIONS, "--prefix", _DIRECTORY, *packages],
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise Unavailable(f"npm can't install {' '.join(packages)}: {done.stderr.strip()[-300:]}")
    return _DIRECTORY / "node_modules"
