"""Finds this installation's secret key, which is not part of the repository."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def secret_key(path: Path) -> str:
    """Return the environment's SECRET_KEY, or the key in `path`, which the first start creates.

    With several servers, use the environment: a link signed by one must open at the others.
    """
    if key := os.environ.get("SECRET_KEY"):
        return key
    try:
        # 0600 keeps others from reading it, O_EXCL keeps a second process from replacing it.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    key = get_random_secret_key()
    with os.fdopen(file, "w", encoding="ascii") as kept:
        kept.write(key)
    return key
