"""The account that servers run under when the tests run as root."""

import os
import pwd
from pathlib import Path
from typing import TypedDict

_NAME = "nobody"


class Identity(TypedDict, total=False):
    """Arguments of ``subprocess`` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


def unprivileged() -> Identity:
    """Return how to start a server that refuses root; empty unless we are root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(_NAME)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give_away(directory: Path) -> None:
    """Let the unprivileged account own this directory."""
    if identity := unprivileged():
        os.chown(directory, identity["user"], identity["group"])
