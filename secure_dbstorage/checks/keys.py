"""Checks of the key that signs links."""

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error

from secure_dbstorage import conf
from secure_dbstorage.checks.declared import declared
from secure_dbstorage.secret_keys import MIN_KEY_BYTES


def check_deployed_secret_key(**kwargs: Any) -> Iterator[CheckMessage]:
    """Refuse to deploy a ``SECRET_KEY`` that can be guessed: that opens every file."""
    if _signs_with_short_key():
        yield Error(
            f"Links are signed with a SECRET_KEY of fewer than {MIN_KEY_BYTES} bytes. "
            "Whoever guesses it can open every file.",
            hint="Make SECRET_KEY longer, or set the option signing_keys.",
            id="secure_dbstorage.E007",
        )


def check_secret_key(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find a ``SECRET_KEY`` that is too short to sign links."""
    if _signs_with_short_key():
        yield checks.Warning(
            f"Links are signed with a SECRET_KEY of fewer than {MIN_KEY_BYTES} bytes.",
            hint="Make SECRET_KEY longer, or set the option signing_keys.",
            id="secure_dbstorage.W001",
        )


def _signs_with_short_key() -> bool:
    return conf.secret_key_is_short() and any(map(conf.uses_secret_key, declared().values()))
