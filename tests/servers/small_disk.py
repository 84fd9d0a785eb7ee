"""A disk that is soon full: a tmpfs of a few MiB."""

import os
import subprocess
from pathlib import Path
from typing import Self

from tests.servers.account import give_away
from tests.servers.cleanup import cleanup
from tests.servers.unavailable import Unavailable


class SmallDisk:
    """A separate file system at ``path``."""

    def __init__(self, path: Path, *, mib: int) -> None:
        """Mount so many MiB at this path, which is made.

        Raises:
            Unavailable: we may not mount.

        """
        #: Where the disk is.
        self.path = path
        self._mib = mib
        path.mkdir()
        _root("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0777", "tmpfs", str(path))
        cleanup().tell("mount", path)
        give_away(path)

    def enlarge(self, *, mib: int) -> None:
        """Add so many MiB, as an administrator would."""
        self._mib += mib
        _root("mount", "-o", f"remount,size={self._mib}m", str(self.path))

    def unmount(self) -> None:
        """Throw the disk away, and what is on it."""
        # Lazily: a server that was just killed may not have let go yet.
        _root("umount", "--lazy", str(self.path))
        cleanup().tell("unmounted", self.path)
        self.path.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()


def _root(*command: str) -> None:
    """Run a command as root: as who we are, and in CI by sudo.

    On somebody's own machine nobody's password is used without a question.
    """
    if os.geteuid() != 0:
        if os.environ.get("CI") != "true":
            raise Unavailable("only root may mount a disk")
        command = ("sudo", "--non-interactive", *command)
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise Unavailable(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")
