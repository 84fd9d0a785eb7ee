"""What is derived from a secret key."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.links.encodings import base64url
from secure_dbstorage.links.keys import derive

SECRET = b"a secret key of 32 bytes or more"


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=100))
def test_signatures_are_those_of_hmac_for_each_purpose(message: bytes, secret: bytes) -> None:
    key = derive(secret)
    for sign, salt in (
        (key.sign_file, b"secure_dbstorage.v1.get"),
        (key.sign_folder, b"secure_dbstorage.v1.folder"),
    ):
        derived = hmac.digest(secret, salt, hashlib.sha256)
        assert sign(message) == base64url(hmac.digest(derived, message, hashlib.sha256))


def test_each_purpose_has_a_key_of_its_own() -> None:
    key = derive(SECRET)
    assert len({key.sign_file(b"user:1")[:22], key.sign_folder(b"user:1")[:22]}) == 2
    assert key.binding("user", "1") not in key.sign_file(b"user:1")
    assert key.binding("user", "1") != key.binding("network", "1")


def test_a_key_is_derived_once_and_not_shown() -> None:
    assert derive(SECRET) is derive(bytes(SECRET))
    assert SECRET.decode() not in repr(derive(SECRET))
