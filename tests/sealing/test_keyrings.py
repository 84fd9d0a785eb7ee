"""The newest key wraps, and each unwraps what it has wrapped."""

import pytest

from secure_dbstorage.exceptions import KeyLost, KeyServiceUnavailable, SealBroken
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.services import LocalKey
from tests.support.sealing import Service

OLD, NEW = LocalKey(b"o" * 32), LocalKey(b"n" * 32)


def test_the_newest_wraps_and_all_unwrap() -> None:
    keys, envelope = Keyring([OLD]).new_key(b"here")
    ring, key = Keyring([NEW, OLD]), keys.key
    assert ring.unwrap(envelope, b"here").key == key
    assert ring.wrap(key, envelope, b"here").key_id == NEW.id
    assert ring.ids == (NEW.id, OLD.id)
    assert len({Keyring([OLD]).new_key(b"")[0].key for _ in range(100)} | {key}) == 101


def test_a_key_that_is_gone_is_named() -> None:
    _, envelope = Keyring([OLD]).new_key(b"here")
    for ring in (Keyring([NEW]), NO_KEYS):
        with pytest.raises(KeyLost, match=OLD.id) as caught:
            ring.unwrap(envelope, b"here")
        assert caught.value.key_id == OLD.id


def test_what_a_service_unwraps_is_kept() -> None:
    service = Service()
    ring = Keyring([service, OLD])
    keys, envelope = ring.new_key(b"here")
    assert [ring.unwrap(envelope, b"here").key for _ in range(3)] == [keys.key] * 3
    assert service.asked == ["wrap", "unwrap"]
    # In another context, what is kept must not answer for the service.
    with pytest.raises(SealBroken):
        ring.unwrap(envelope, b"there")
    assert service.asked == ["wrap", "unwrap", "unwrap"]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), OSError("dns")])
def test_a_service_that_does_not_answer_is_an_outage(error: OSError) -> None:
    service = Service()
    ring = Keyring([service])
    _, envelope = ring.new_key(b"here")
    service.error = error
    with pytest.raises(KeyServiceUnavailable, match="service/1"):
        ring.unwrap(envelope, b"here")
    with pytest.raises(KeyServiceUnavailable):
        ring.new_key(b"here")


def test_what_a_service_says_is_no_outage() -> None:
    service = Service(error=SealBroken("No"))
    with pytest.raises(SealBroken, match="No"):
        Keyring([service]).new_key(b"here")
    service.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        Keyring([service]).new_key(b"here")


def test_what_is_no_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    _, envelope = Keyring([service]).new_key(b"here")
    monkeypatch.setattr(service, "unwrap", lambda sealed, context: b"short")
    with pytest.raises(SealBroken, match="no key"):
        Keyring([service]).unwrap(envelope, b"here")


def test_an_empty_one_is_false_and_equal_ones_have_the_same_keys() -> None:
    assert not NO_KEYS
    assert Keyring([OLD])
    assert Keyring([OLD]) == Keyring([LocalKey(b"o" * 32)]) != Keyring([NEW])
    assert len({Keyring([OLD]), Keyring([LocalKey(b"o" * 32)]), NO_KEYS}) == 2
