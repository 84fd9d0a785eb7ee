"""Bodies are read in small steps, and end wherever their client leaves."""

import hashlib
from typing import Any

import pytest
from django.http import UnreadablePostError

from secure_dbstorage.receiving import bodies
from secure_dbstorage.receiving.bodies import Body, checked
from secure_dbstorage.receiving.faults import Rejected
from secure_dbstorage.receiving.fields import Checksum
from tests.support.uploads import CONTENT, Wire

MIB = 1024 * 1024


class Network(Wire):
    """What Django makes of a connection: it gives at most so many bytes at once."""

    def __init__(self, data: bytes, *, at_once: int = 10**6, **more: Any) -> None:
        """Send these bytes."""
        super().__init__(data, **more)
        self.at_once = at_once
        self.asked: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        """Return what has come, or raise what Django raises."""
        assert size is not None
        self.asked.append(size)
        try:
            return super().read(min(size, self.at_once))
        except ConnectionResetError as error:
            raise UnreadablePostError(*error.args) from error


@pytest.mark.parametrize("at_once", [1, 7, 1000, 10**6])
def test_pieces_have_the_lengths_that_are_asked_for(at_once: int) -> None:
    data = CONTENT[:3000]
    waited: list[None] = []
    network = Network(data, at_once=at_once)
    body = Body(network, 3000, before_waiting=lambda: waited.append(None))
    assert list(map(len, body.pieces([1000, 500]))) == [1000, 500]
    assert b"".join(body.pieces([1000, 1000])) == data[1500:]
    assert body.pieces([1000]) == []
    assert (body.left, body.is_cut, len(waited)) == (0, False, 3)


def test_no_more_is_read_than_the_body_has() -> None:
    network = Network(CONTENT)
    assert Body(network, 10).pieces([4096]) == [CONTENT[:10]]
    assert network.asked == [10]


def test_large_pieces_come_in_small_steps() -> None:
    network = Network(bytes(200_000))
    Body(network, 200_000).pieces([200_000])
    assert max(network.asked) == 64 * 1024


@pytest.mark.parametrize(("step_seconds", "together"), [(0.001, 8), (0.02, 2)])
def test_what_comes_quickly_is_written_together(
    monkeypatch: pytest.MonkeyPatch, step_seconds: float, together: int
) -> None:
    now = [0.0]
    monkeypatch.setattr(bodies.time, "monotonic", lambda: now[0])

    class Slow(Network):
        def read(self, size: int | None = -1) -> bytes:
            now[0] += step_seconds
            return super().read(size)

    body = Body(Slow(bytes(4 * MIB)), 4 * MIB)
    assert list(map(len, body.pieces([MIB // 2] * 8))) == [MIB // 2] * together


@pytest.mark.parametrize("breaks_after", [None, 700])
def test_what_came_before_a_client_left_is_kept(breaks_after: int | None) -> None:
    body = Body(Network(CONTENT[:700], breaks_after=breaks_after), 5000)
    assert body.pieces([500, 500, 500]) == [CONTENT[:500], CONTENT[500:700]]
    assert (body.is_cut, body.pieces([500])) == (True, [])


def test_a_body_without_a_checksum_is_not_copied() -> None:
    body = Body(Network(CONTENT), 10)
    with checked(body, None) as same:
        assert same is body


@pytest.mark.parametrize("breaks_after", [None, 699])
def test_a_body_with_a_checksum_is_whole_and_right(breaks_after: int | None) -> None:
    right = Checksum("sha1", hashlib.new("sha1", CONTENT[:700], usedforsecurity=False).digest())
    body = Body(Network(CONTENT[:700], breaks_after=breaks_after), 700)
    if breaks_after is None:
        with checked(body, right) as copy:
            assert copy.pieces([1000]) == [CONTENT[:700]]
        return
    with pytest.raises(Rejected) as caught, checked(body, right):
        pass
    assert caught.value.status == 460


def test_a_body_that_is_cut_is_never_right() -> None:
    came = Checksum("sha256", hashlib.sha256(CONTENT[:5]).digest())
    body = Body(Network(CONTENT[:5]), 700)
    with pytest.raises(Rejected), checked(body, came):
        pass
