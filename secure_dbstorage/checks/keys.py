"""Checks of the keys that sign links, and of those that encrypt files."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error

from secure_dbstorage import conf
from secure_dbstorage.checks.declared import declared, usable
from secure_dbstorage.sealing.ciphers import is_installed
from secure_dbstorage.secret_keys import MIN_KEY_BYTES

#: By setting: what is wrong with a short key in it, and what helps.
_SHORT_KEYS = {
    "SECRET_KEY": (
        f"Links of {{places}} are signed with a SECRET_KEY of fewer than {MIN_KEY_BYTES} bytes.",
        "Make SECRET_KEY longer, or set the option signing_keys.",
    ),
    "SECRET_KEY_FALLBACKS": (
        (
            "Links of {places} are accepted with a key in SECRET_KEY_FALLBACKS of fewer than "
            f"{MIN_KEY_BYTES} bytes."
        ),
        "Remove the key from SECRET_KEY_FALLBACKS, or set the option signing_keys.",
    ),
}


def check_deployed_secret_key(**kwargs: Any) -> Iterator[CheckMessage]:
    """Refuse to deploy a ``SECRET_KEY`` that can be guessed: that opens every file."""
    for message, hint in _short_keys():
        yield Error(
            f"{message} Whoever guesses it can open every file.",
            hint=hint,
            id="secure_dbstorage.E007",
        )


def check_secret_key(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find a ``SECRET_KEY``, or a fallback, that is too short to sign links."""
    for message, hint in _short_keys():
        yield checks.Warning(message, hint=hint, id="secure_dbstorage.W001")


def check_encryption(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that can't encrypt: nothing could be saved."""
    for alias, options in usable().items():
        if options.encryption_keys and not is_installed():
            yield Error(
                f"STORAGES[{alias!r}] has encryption_keys, but cryptography is not installed.",
                hint="Run pip install 'secure-dbstorage[encryption]'.",
                id="secure_dbstorage.E010",
            )


def check_encrypted_offloading(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages whose encrypted files a proxy would keep on its disk as plain ones."""
    for alias, options in usable().items():
        if options.encryption_keys and options.offload is not None:
            yield Error(
                f"STORAGES[{alias!r}] encrypts its files, so nothing is offloaded: a proxy's "
                "cache would hold them unencrypted.",
                hint="Remove offload or encryption_keys.",
                id="secure_dbstorage.E011",
            )


def check_separate_keys(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find encryption keys that sign as well: whoever changes them would lose files."""
    of_project = tuple(chain.from_iterable(conf.keys_by_setting().values()))
    for alias, options in usable().items():
        signing = (*options.signing_keys, *of_project)
        if any(key.is_one_of(signing) for key in options.encryption_keys.local_keys):
            yield checks.Warning(
                f"STORAGES[{alias!r}] encrypts with a key that also signs. If you replace that "
                "key, for example after a leak, you lose the files.",
                hint="Put a separate key first in encryption_keys, run manage.py "
                f"dbstorage_rekey --storage {alias}, and remove the key that signs from the "
                "list.",
                id="secure_dbstorage.W009",
            )


def _short_keys() -> Iterator[tuple[str, str]]:
    """Yield a message and a hint for each setting with a short key that opens links of ours."""
    aliases = [alias for alias, given in declared().items() if conf.uses_secret_key(given)]
    if not aliases:
        return
    places = ", ".join(f"STORAGES[{alias!r}]" for alias in aliases)
    for setting, keys in conf.keys_by_setting().items():
        if any(len(key) < MIN_KEY_BYTES for key in keys):
            message, hint = _SHORT_KEYS[setting]
            yield message.format(places=places), hint
