"""Packages of npm's registry, for pages that load scripts."""

import subprocess
from pathlib import Path

from tests.servers.unavailable import Unavailable, find_program

#: Nothing of a package runs here, and what was fetched once is not asked for again.
_OPTIONS = [
    *("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"),
    *("--omit=optional", "--prefer-offline", "--loglevel=error"),
]


def install(directory: Path, *packages: str) -> Path:
    """Install packages, named with their versions, and return the directory that they are in.

    :raises Unavailable: npm is not installed, or its registry can't be reached.
    """
    npm = find_program("npm", package="npm")
    done = subprocess.run(
        [npm, "install", *_OPTIONS, "--prefix", directory, *packages],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Unavailable(f"npm can't install {' '.join(packages)}: {done.stderr.strip()[-300:]}")
    return directory / "node_modules"
