"""A key in the settings wraps the keys of files, and shows nothing of itself."""

import base64

import pytest

from secure_dbstorage.exceptions import SealBroken
from secure_dbstorage.sealing.services import LocalKey

SECRET = bytes(range(32))


def test_it_unwraps_what_it_has_wrapped_in_the_same_context() -> None:
    wrapped = LocalKey(SECRET).wrap(b"k" * 32, b"here")
    assert LocalKey(SECRET).unwrap(wrapped, b"here") == b"k" * 32
    with pytest.raises(SealBroken):
        LocalKey(SECRET).unwrap(wrapped, b"there")
    with pytest.raises(SealBroken):
        LocalKey(SECRET[::-1]).unwrap(wrapped, b"here")


def test_its_id_is_always_the_same_and_no_part_of_it() -> None:
    key = LocalKey(SECRET)
    assert key.id == LocalKey(SECRET).id != LocalKey(SECRET[::-1]).id
    assert len(key.id) == 12
    assert bytes.fromhex(key.id) not in SECRET


def test_it_shows_nothing_of_itself() -> None:
    assert "0102" not in repr(LocalKey(SECRET)) + repr(vars(type(LocalKey(SECRET))))
    assert not hasattr(LocalKey(SECRET), "__dict__")


@pytest.mark.parametrize(
    "secret", [SECRET, base64.b64encode(SECRET), base64.urlsafe_b64encode(SECRET) + b"\n"]
)
def test_it_knows_itself_among_other_secrets(secret: bytes) -> None:
    assert LocalKey(SECRET).is_one_of([b"other", secret])
    assert not LocalKey(SECRET).is_one_of([b"other", secret[::-1], b""])
