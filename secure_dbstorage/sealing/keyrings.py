"""The keyring of a storage: all that wraps the keys of its files, newest first."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from secure_dbstorage.exceptions import (
    KeyLost,
    KeyServiceUnavailable,
    SealBroken,
    SecureDBStorageError,
)
from secure_dbstorage.sealing.cache import KeyCache
from secure_dbstorage.sealing.ciphers import KEY_BYTES, Cipher
from secure_dbstorage.sealing.envelopes import Envelope
from secure_dbstorage.sealing.services import KeyService, LocalKey
from secure_dbstorage.secret_keys import SecretKey

#: What every key is derived for begins with this, and so does all that is bound.
PURPOSE = b"secure_dbstorage.v1.sealing."


@dataclass(frozen=True, slots=True, repr=False)
class FileKeys:
    """The key of a file, and what is derived from it, each for one purpose."""

    key: bytes
    cipher: Cipher

    @classmethod
    def of(cls, key: bytes) -> Self:
        """Derive all from the key of a file."""
        return cls(key, Cipher(_derived(key, b"rows")))

    @property
    def tag_key(self) -> bytes:
        """The key of the hash that the column ``sha256`` holds."""
        return _derived(self.key, b"tag")


_cache = KeyCache()

#: Called with the id of a key service at each answer.
_noting: list[Callable[[str], object]] = []


class Keyring:
    """Wraps with the newest key, and unwraps with any. An empty one seals nothing."""

    def __init__(self, services: Sequence[KeyService] = ()) -> None:
        """Take keys and key services, newest first."""
        self._services = {service.id: service for service in services}
        #: The ids of the keys, newest first.
        self.ids = tuple(self._services)
        #: Whether no key service is among them.
        self.is_local = all(isinstance(service, LocalKey) for service in services)

    def __bool__(self) -> bool:
        return bool(self._services)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyring) and self.ids == other.ids

    def __hash__(self) -> int:
        return hash(self.ids)

    @property
    def local_keys(self) -> list[LocalKey]:
        """The keys that are in the settings."""
        return [key for key in self._services.values() if isinstance(key, LocalKey)]

    def new_key(self, context: bytes) -> tuple[FileKeys, Envelope]:
        """Return the keys of a new file, and an envelope without facts in which it is wrapped.

        :param context: what must be the same when it is unwrapped.
        :raises KeyServiceUnavailable: when the service can't be asked now.
        """
        key = SecretKey(secrets.token_bytes(KEY_BYTES))  # Error reports show variables.
        return FileKeys.of(key), self.wrap(key, Envelope("", b"", b""), context)

    def wrap(self, key: bytes, envelope: Envelope, context: bytes) -> Envelope:
        """Return an envelope with its key wrapped by the newest of ours.

        :raises KeyServiceUnavailable: when the service can't be asked now.
        """
        newest = next(iter(self._services.values()))
        with _outages_told(newest):
            return Envelope(newest.id, bytes(newest.wrap(key, context)), envelope.facts)

    def unwrap(self, envelope: Envelope, context: bytes) -> FileKeys:
        """Return the keys in an envelope. Those from a key service are kept for a while.

        :raises KeyLost: when it was wrapped by a key that we don't have.
        :raises KeyServiceUnavailable: when the service can't be asked now.
        :raises SealBroken: when it was wrapped in another context, or is no key.
        """
        service = self._services.get(envelope.key_id)
        if service is None:
            raise KeyLost(envelope.key_id)
        if isinstance(service, LocalKey):
            return FileKeys.of(SecretKey(service.unwrap(envelope.wrapped, context)))

        def ask() -> bytes:
            with _outages_told(service):
                key = SecretKey(service.unwrap(envelope.wrapped, context))
            if len(key) != KEY_BYTES:
                raise SealBroken(f"The key {service.id!r} unwraps something that is no key")
            return key

        return FileKeys.of(_cache.get((envelope.key_id, envelope.wrapped, context), ask))


#: That of a storage without encryption.
NO_KEYS = Keyring()


def note_answers(note: Callable[[str], object]) -> None:
    """Call a function with the id of each key service that has wrapped or unwrapped a key."""
    _noting.append(note)


def _derived(key: bytes, purpose: bytes) -> SecretKey:
    return SecretKey(hmac.digest(key, PURPOSE + purpose, hashlib.sha256))


@contextmanager
def _outages_told(service: KeyService) -> Iterator[None]:
    """Tell an outage of a key service from what it says."""
    try:
        yield
    except KeyServiceUnavailable as error:
        error.key_id = service.id
        raise
    except SecureDBStorageError:  # It has answered: no.
        _note_answer(service)
        raise
    except OSError as error:
        unavailable = KeyServiceUnavailable(f"The key {service.id!r} can't be used now")
        unavailable.key_id = service.id
        raise unavailable from error
    _note_answer(service)


def _note_answer(service: KeyService) -> None:
    if not isinstance(service, LocalKey):
        for note in _noting:
            note(service.id)
