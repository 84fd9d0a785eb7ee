"""The keys derived from a secret key."""

import hashlib
import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.links.encodings import base64url
from secure_dbstorage.links.keys import Purpose, derive

SECRET = b"a secret key of 32 bytes or more"


@pytest.mark.parametrize(
    ("purpose", "salt"),
    [
        (Purpose.FILE, b"secure_dbstorage.v1.file"),
        (Purpose.FOLDER, b"secure_dbstorage.v1.folder"),
        (Purpose.CONTENT, b"secure_dbstorage.v1.content"),
    ],
)
@given(message=st.binary(max_size=300), secret=st.binary(min_size=1, max_size=100))
def test_signatures_are_those_of_hmac_for_each_purpose(
    purpose: Purpose, salt: bytes, message: bytes, secret: bytes
) -> None:
    derived = hmac.digest(secret, salt, hashlib.sha256)
    digest = hmac.digest(derived, message, hashlib.sha256)
    assert derive(secret).hmac(purpose).sign(message) == base64url(digest)


def test_no_two_purposes_share_a_key() -> None:
    key = derive(SECRET)
    signatures = {key.hmac(purpose).sign(b"user:1")[:22] for purpose in Purpose}
    assert len({*signatures, key.binding("user", "1")}) == len(Purpose) + 1
    assert key.binding("user", "1") != key.binding("network", "1")


def test_each_purpose_but_the_first_has_one_capital_letter() -> None:
    first, *others = (purpose.value for purpose in Purpose)
    assert first == ""
    assert all(len(letter) == 1 and letter in string.ascii_uppercase for letter in others)
    assert len(set(others)) == len(others)


@given(value=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_binding_is_half_an_hmac(value: str) -> None:
    derived = hmac.digest(SECRET, b"secure_dbstorage.v1.binding", hashlib.sha256)
    digest = hmac.digest(derived, f"user:{value}".encode(), hashlib.sha256)
    assert derive(SECRET).binding("user", value) == base64url(digest[:16])


def test_a_key_is_derived_once_and_not_shown() -> None:
    assert derive(SECRET) is derive(bytes(SECRET))
    assert SECRET.decode() not in repr(derive(SECRET))
