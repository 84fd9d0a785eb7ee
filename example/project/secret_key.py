"""Finds the secret key of this installation; there is none in the repository."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def secret_key(path: Path) -> str:
    """Return the environment's SECRET_KEY, or the key in `path`, which is made at the first start.

    Several servers need the environment's: a link that one signs must open at the others.
    """
    if key := os.environ.get("SECRET_KEY"):
        return key
    try:
        # 0600 and O_EXCL: nobody else reads it, and a second process does not replace it.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    key = get_random_secret_key()
    with os.fdopen(file, "w", encoding="ascii") as kept:
        kept.write(key)
    return key
