"""Parsers of the keys that sign links, and of those that encrypt files."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, cast

from secure_dbstorage.parsers.callables import imported
from secure_dbstorage.sealing.ciphers import KEY_BYTES
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.services import MAX_ID_LENGTH, KeyService, LocalKey
from secure_dbstorage.secret_keys import MIN_KEY_BYTES, SecretKey, hidden_key

#: From the URL-safe alphabet of base64 to the standard one.
_STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")


def signing_keys(raw: object) -> tuple[bytes, ...]:
    """Return keys as bytes, newest first. An empty tuple stands for ``SECRET_KEY``."""
    if raw is None:
        return ()
    if isinstance(raw, str | bytes) or not isinstance(raw, Sequence) or not raw:
        raise ValueError("must be None or a list of keys, newest first")
    keys = tuple(map(hidden_key, raw))
    if any(len(key) < MIN_KEY_BYTES for key in keys):
        raise ValueError(f"must contain keys of at least {MIN_KEY_BYTES} bytes")
    return keys


def encryption_keys(raw: object) -> Keyring:
    """Return a keyring of keys in base64 and of key services, newest first."""
    if raw is None:
        return NO_KEYS
    if isinstance(raw, str | bytes) or not isinstance(raw, Sequence) or not raw:
        raise ValueError("must be None or a list of keys, newest first")
    services = [_key_service(given) for given in raw]
    if len({service.id for service in services}) < len(services):
        raise ValueError("must not contain two keys with the same id")
    return Keyring(services)


def _key_service(raw: object) -> KeyService:
    """Return a key in base64, or a key service or its dotted path, as a key service."""
    if isinstance(raw, bytes):  # The text of a key is hidden in bytes.
        return _local_key(raw)
    if isinstance(raw, str) and "." not in raw:  # No digit of base64.
        return _local_key(hidden_key(raw))
    found: Any = imported(raw)
    methods = [getattr(found, name, None) for name in ("wrap", "unwrap")]
    # The methods of a class would take a key for `self`.
    does_wrap = not isinstance(found, type) and all(map(callable, methods))
    if not does_wrap or not _is_key_id(getattr(found, "id", None)):
        raise ValueError(
            "must contain keys of 32 bytes in base64, or objects with wrap(), unwrap() and an id "
            f"of at most {MAX_ID_LENGTH} printable characters of ASCII"
        )
    return cast(KeyService, found)


def _local_key(text: bytes) -> LocalKey:
    try:
        key = SecretKey(base64.b64decode(text.translate(_STANDARD_BASE64), validate=True))
    except binascii.Error:
        key = SecretKey(b"")
    if len(key) != KEY_BYTES:  # The text says nothing of the value: it may be a key all the same.
        raise ValueError(f"must contain keys of {KEY_BYTES} bytes in base64")
    return LocalKey(key)


def _is_key_id(raw: object) -> bool:
    return (
        isinstance(raw, str)
        and 0 < len(raw) <= MAX_ID_LENGTH
        and raw.isascii()
        and raw.isprintable()
    )
