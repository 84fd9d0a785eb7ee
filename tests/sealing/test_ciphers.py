"""What is sealed is opened as a whole, with what it was bound to, or not at all."""

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from secure_dbstorage.exceptions import SealBroken
from secure_dbstorage.sealing import ciphers
from secure_dbstorage.sealing.ciphers import OVERHEAD_BYTES, Cipher

CIPHER = Cipher(b"k" * 32)


@pytest.mark.parametrize("length", [0, 1, 4096])
def test_what_was_sealed_is_opened(length: int) -> None:
    sealed = CIPHER.seal(b"x" * length, b"bound")
    assert len(sealed) == length + OVERHEAD_BYTES
    assert CIPHER.open(sealed, b"bound") == b"x" * length


def test_no_nonce_comes_twice() -> None:
    assert len({CIPHER.seal(b"the same", b"")[:12] for _ in range(1000)}) == 1000


@pytest.mark.parametrize("place", [0, 11, 12, 20, -1])
def test_a_flipped_bit_is_seen(place: int) -> None:
    sealed = bytearray(CIPHER.seal(b"content", b"bound"))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        CIPHER.open(bytes(sealed), b"bound")


@pytest.mark.parametrize("length", [0, 5, 12, 27, 30])
def test_a_cut_is_seen(length: int) -> None:
    with pytest.raises(SealBroken):
        CIPHER.open(CIPHER.seal(b"content", b"bound")[:length], b"bound")


def test_another_key_and_another_binding_are_seen() -> None:
    sealed = CIPHER.seal(b"content", b"bound")
    for cipher, bound in ((CIPHER, b"other"), (Cipher(b"l" * 32), b"bound")):
        with pytest.raises(SealBroken):
            cipher.open(sealed, bound)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    ciphers._library.cache_clear()
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'secure-dbstorage.encryption.'"):
        Cipher(b"k" * 32)


def test_it_is_told_whether_the_package_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ciphers.is_installed()
    monkeypatch.setattr(ciphers, "find_spec", lambda name: None)
    assert not ciphers.is_installed()
