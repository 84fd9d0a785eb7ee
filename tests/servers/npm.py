"""Packages of npm's registry, for pages that load scripts."""

import fcntl
import subprocess
import tarfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tests.servers import places
from tests.servers.unavailable import Unavailable, find_program

#: Nothing of a package runs here, and what was fetched once is not asked for again.
_OPTIONS = [
    *("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"),
    *("--omit=optional", "--prefer-offline", "--loglevel=error"),
]


def install(*packages: str) -> Path:
    """Install packages, named with their versions, and return the directory that they are in.

    It is the same one for all who ask for the same packages in this session.

    :raises Unavailable: npm is not installed, or its registry can't be reached.
    """
    return _directory("install", *_OPTIONS, packages=packages) / "node_modules"


def unpack(package: str) -> Path:
    """Return the directory of one package, named with its version, without those it needs.

    :raises Unavailable: npm is not installed, or its registry can't be reached.
    """
    directory = _directory("pack", "--prefer-offline", "--silent", packages=[package])
    if not (unpacked := directory / "package").exists():
        (archive,) = directory.glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(directory, filter="data")
    return unpacked


def _directory(*command: str, packages: Sequence[str]) -> Path:
    """Return the directory in which npm has done this.

    What a worker of pytest-xdist has installed is there for the others. Each set of packages has a
    directory of its own: npm would take others out of it.
    """
    npm = find_program("npm", package="npm")
    name = sha256(" ".join([*command, *packages]).encode()).hexdigest()[:8]
    (directory := places.DIRECTORY / "npm" / name).mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (directory / "done").exists():
            return directory
        done = subprocess.run(
            [npm, *command, *packages],
            cwd=directory,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = done.stderr.strip()[-300:]
            raise Unavailable(f"npm can't get {' '.join(packages)}: {reason}")
        (directory / "done").touch()
    return directory
