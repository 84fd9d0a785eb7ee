"""Finds this installation's secret keys, which are not part of the repository."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def secret_key(path: Path) -> str:
    """Return the environment's SECRET_KEY, or the key in `path`, which the first start creates.

    With several servers, use the environment: a link signed by one must open at the others.
    """
    return os.environ.get("SECRET_KEY") or kept_key(path, get_random_secret_key)


def file_keys(path: Path) -> list[str]:
    """Return the environment's FILE_KEYS, or the key in `path`, which the first start creates.

    Whoever loses it loses the documents. Beside the database, it would be in the same backup.
    """
    return os.environ.get("FILE_KEYS", "").split() or [kept_key(path, new_file_key)]


def new_file_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def kept_key(path: Path, make_key: Callable[[], str]) -> str:
    try:
        # 0600 keeps others from reading it, O_EXCL keeps a second process from replacing it.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    key = make_key()
    with os.fdopen(file, "w", encoding="ascii") as kept:
        kept.write(key)
    return key
