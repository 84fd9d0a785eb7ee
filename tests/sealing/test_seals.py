"""A seal opens the rows of its content in their places, and nothing else."""

import copy
import hashlib
import pickle

import pytest

from secure_dbstorage.exceptions import KeyLost, SealBroken
from secure_dbstorage.sealing import seals
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.seals import Owner, Seal, plain_length, seal_of
from secure_dbstorage.sealing.services import LocalKey
from tests.support.sealing import Service

RING = Keyring([LocalKey(b"k" * 32)])
OWNER = Owner("invoices", 7)
DIGEST = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def seal() -> Seal:
    """Return the seal of a content of seven bytes."""
    return Seal.new(RING, OWNER).described(7, DIGEST)


def again(seal: Seal, owner: Owner = OWNER, size: int = 7, ring: Keyring = RING) -> Seal:
    """Return the seal that a row with this column has."""
    namespace, content = owner
    found = seal_of(seal.sealed_key, namespace=namespace, content=content, size=size, keyring=ring)
    assert found is not None
    return found


def test_it_opens_what_it_has_sealed_at_the_same_position(seal: Seal) -> None:
    row = seal.seal(3, b"content")
    assert again(seal).open(3, row) == b"content"
    assert plain_length(len(row)) == 7
    assert plain_length(0) == 0
    with pytest.raises(SealBroken):
        again(seal).open(4, row)


def test_it_knows_the_digest_and_its_tag_tells_nothing_of_it(seal: Seal) -> None:
    assert again(seal).sha256 == seal.sha256 == DIGEST
    assert again(seal).tag == seal.tag
    other = Seal.new(RING, OWNER).described(7, DIGEST)
    assert len({seal.tag, other.tag, DIGEST}) == 3
    assert len(seal.tag) == 64


def test_before_its_digest_is_known_it_opens_rows() -> None:
    begun = Seal.new(RING, OWNER, 7)
    row = again(begun).seal(0, b"con")
    finished = again(begun).described(7, DIGEST)
    assert again(finished).open(0, row) == b"con"


def test_what_keys_in_the_settings_open_is_kept_for_a_few_contents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owners = [Owner("many", number) for number in range(200)]
    found = [Seal.new(RING, owner).described(7, DIGEST) for owner in owners]
    unwrap, asked = LocalKey.unwrap, list[bytes]()

    def noted(key: LocalKey, sealed: bytes, context: bytes) -> bytes:
        asked.append(sealed)
        return unwrap(key, sealed, context)

    monkeypatch.setattr(LocalKey, "unwrap", noted)
    for _ in range(2):
        again(found[0], owners[0]).unlock()
    assert len(asked) == 1
    # Nothing of it opens another content, or serves a project without the key.
    for owner, size in [(owners[1], 7), (owners[0], 8)]:
        with pytest.raises(SealBroken):
            again(found[0], owner, size).unlock()
    with pytest.raises(KeyLost):
        again(found[0], owners[0], ring=Keyring([LocalKey(b"n" * 32)])).unlock()
    for seal, owner in zip(found, owners, strict=True):
        again(seal, owner).unlock()
    asked.clear()
    again(found[0], owners[0]).unlock()
    assert len(asked) == 1


def test_what_a_key_service_opens_is_kept_no_longer_than_it_says() -> None:
    ring = Keyring([Service(), LocalKey(b"k" * 32)])
    seal = Seal.new(ring, OWNER).described(7, DIGEST)
    before = seals._kept.cache_info()
    again(seal, ring=ring).unlock()
    assert seals._kept.cache_info() == before


@pytest.mark.parametrize(
    ("owner", "size"),
    [
        (Owner("Invoices", 7), 7),
        (Owner("invoice", 7), 7),
        (Owner("", 7), 7),
        (Owner("invoices", 8), 7),
        (Owner("invoices", 7), 6),
    ],
)
def test_another_namespace_content_or_size_is_refused(seal: Seal, owner: Owner, size: int) -> None:
    with pytest.raises(SealBroken):
        again(seal, owner, size).unlock()


def test_a_service_that_binds_to_nothing_makes_nothing_of_another_file_fit() -> None:
    service = Service()
    service.wrap = lambda key, context: key  # type: ignore[method-assign]
    service.unwrap = lambda sealed, context: sealed  # type: ignore[method-assign]
    ring = Keyring([service])
    seal = Seal.new(ring, OWNER).described(7, DIGEST)
    again(seal, ring=ring).unlock()
    for owner, size in ((Owner("invoices", 8), 7), (Owner("", 7), 7), (OWNER, 8)):
        with pytest.raises(SealBroken):
            again(seal, owner, size, ring).unlock()


def test_it_opens_in_the_trash_as_before(seal: Seal) -> None:
    assert again(seal, Owner("~invoices", 7)).sha256 == DIGEST


def test_rewrapped_it_opens_with_the_new_key_alone(seal: Seal) -> None:
    row, new = seal.seal(0, b"content"), Keyring([LocalKey(b"n" * 32)])
    both = Keyring([LocalKey(b"n" * 32), LocalKey(b"k" * 32)])
    rewrapped = again(seal)
    rewrapped.sealed_key = again(seal, ring=both).rewrapped()
    assert again(rewrapped, ring=new).open(0, row) == b"content"
    assert again(rewrapped, ring=new).sha256 == DIGEST
    assert again(rewrapped, ring=new).tag == seal.tag
    with pytest.raises(KeyLost):
        again(rewrapped).unlock()


def test_a_key_is_unwrapped_once_and_when_it_is_needed() -> None:
    service = Service()
    ring = Keyring([service])
    seal = again(Seal.new(ring, OWNER).described(7, DIGEST), ring=ring)
    assert service.asked == ["wrap"]
    assert (seal.sha256, seal.tag, seal.seal(0, b""))[0] == DIGEST
    assert service.asked == ["wrap", "unwrap"]


def test_without_its_key_it_opens_nothing(seal: Seal) -> None:
    for ask in (Seal.unlock, lambda seal: seal.sha256, lambda seal: seal.tag):
        with pytest.raises(KeyLost):
            ask(again(seal, ring=NO_KEYS))


def test_no_pickle_and_no_text_holds_its_key(seal: Seal) -> None:
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(seal)
    assert copy.deepcopy(seal) is seal
    assert "Seal object" in repr(seal)
