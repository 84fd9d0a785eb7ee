"""A key can be used and not seen, and nothing takes what can't be one."""

import pickle
from typing import Any

import pytest

from secure_dbstorage.secret_keys import SecretKey, hidden_key, hidden_keys


@pytest.mark.parametrize("key", ["kéy", b"bytes"])
def test_a_key_is_its_bytes_and_shows_none(key: Any) -> None:
    secret = SecretKey(key)
    assert bytes(secret) == (key.encode() if isinstance(key, str) else key)
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert "<secret key>" in shown
    assert pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301 -- our own


@pytest.mark.parametrize("raw", [None, 7, ["list"], "\ud800"])
def test_what_cannot_be_a_key_is_an_empty_one(raw: Any) -> None:
    assert hidden_key(raw) == b""


@pytest.mark.parametrize(
    ("raw", "hidden"),
    [
        (None, None),
        ("one", b""),
        (["one", b"two"], (b"one", b"two")),
        ([None], (b"",)),
        (SecretKey("one"), b"one"),
    ],
)
def test_a_list_of_keys_is_hidden_as_a_whole(raw: Any, hidden: Any) -> None:
    assert hidden_keys(raw) == hidden
    assert "'one'" not in repr(hidden_keys(raw))
