"""The inputs that fuzzing found, and changed ones, without the fuzzer."""

import hmac
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_dbstorage.serving import clients, ranges
from secure_dbstorage.serving.ranges import ByteRange
from tests.fuzz import targets
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "fuzz" / "corpus"

#: One mutation puts one of these in.
PIECES = (*(bytes([byte]) for byte in range(256)), b"9" * 30, b"\xd9\xa1", b"%31", b"..", b", ")


def kept(target: str) -> list[bytes]:
    """Return the inputs to begin with, and those that were found."""
    _, seeds = TARGETS[target]
    return [*seeds, *(path.read_bytes() for path in sorted((CORPUS / target).iterdir()))]


def mutations(inputs: list[bytes], count: int) -> Iterator[bytes]:
    """Yield changed inputs, the same ones each time."""
    pick = random.Random(20260728)
    for _ in range(count):
        data = pick.choice(inputs)
        for _ in range(pick.choice((1, 1, 1, 2, 5))):
            start = pick.randrange(len(data) + 1)
            stop = start + pick.choice((0, 0, 1, 1, 2, 9))
            other = pick.choice(inputs)
            new = pick.choice((b"", pick.choice(PIECES), other[pick.randrange(len(other) + 1) :]))
            data = data[:start] + new + data[stop:]
        yield data


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_read_correctly(target: str) -> None:
    check, seeds = TARGETS[target]
    inputs = kept(target)
    assert len(inputs) > len(seeds)
    for data in inputs:
        check(data)


@pytest.mark.parametrize("target", TARGETS)
def test_mutations_of_the_corpus_are_read_correctly(target: str) -> None:
    check, _ = TARGETS[target]
    for data in mutations(kept(target), 4000):
        check(data)


def test_the_corpus_is_small() -> None:
    sizes = [path.stat().st_size for path in CORPUS.glob("*/*")]
    assert sum(sizes) < 200_000
    assert max(sizes) <= 5000


class TestTheJudges:
    """Each would see a mistake."""

    @pytest.fixture(autouse=True)
    def new_signer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let nobody after a mistake meet the tokens that were kept meanwhile."""
        monkeypatch.setattr(targets, "_signer", targets.signer())

    @staticmethod
    def finds_something(target: str) -> bool:
        check, _ = TARGETS[target]
        for data in mutations(kept(target), 4000):
            try:
                check(data)
            except Exception:  # noqa: BLE001 -- any error counts as found
                return True
        return False

    def test_a_signature_that_is_not_compared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hmac, "compare_digest", lambda *_: True)
        assert self.finds_something("token")

    def test_a_signature_that_is_compared_in_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hmac, "compare_digest", lambda one, other: one[:-1] == other[:-1])
        assert self.finds_something("token")

    def test_numbers_as_python_reads_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def lenient(header: str, size: int) -> ByteRange | None:
            try:
                first, last = header.removeprefix("bytes=").split("-")
                return ByteRange(int(first), min(int(last) + 1, size))
            except ValueError:
                return None

        monkeypatch.setattr("tests.fuzz.targets.parse_range", lenient)
        assert self.finds_something("range")

    def test_numbers_that_are_cut_before_they_are_compared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ranges, "_order", lambda digits: (0, digits.lstrip("0")[:20]))
        assert self.finds_something("range")

    def test_a_header_that_is_read_from_its_beginning(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clients, "reversed", iter, raising=False)
        assert self.finds_something("address")
