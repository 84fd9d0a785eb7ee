"""The sender of a request, as far as it can be known."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_dbstorage.addresses import parse_address
from secure_dbstorage.serving.clients import Client, budget_of

PROXIES = [ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8"), ip_network("fd00::/8")]


def client(peer: str | None, forwarded: str | None = None, *, trusted: bool = True) -> str | None:
    """Return the text of the client's address."""
    meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    given = {name: value for name, value in meta.items() if value is not None}
    address = Client.of(given, PROXIES if trusted else []).address
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("1.2.3.4", None, "1.2.3.4"),
        ("1.2.3.4", "5.6.7.8", "1.2.3.4"),
        ("10.0.0.1", "5.6.7.8", "5.6.7.8"),
        ("10.0.0.1", "1.1.1.1, 5.6.7.8", "5.6.7.8"),
        ("10.0.0.1", "1.1.1.1, 5.6.7.8, 10.0.0.2", "5.6.7.8"),
        ("10.0.0.1", "5.6.7.8,10.0.0.3 , 10.0.0.2", "5.6.7.8"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "5.6.7.8:555", "5.6.7.8"),
        ("10.0.0.1", "[2001:db8::7]:555", "2001:db8::7"),
        ("10.0.0.1", "::ffff:5.6.7.8", "5.6.7.8"),
        ("::ffff:10.0.0.1", "5.6.7.8", "5.6.7.8"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "5.6.7.8, unknown", "10.0.0.1"),
        ("10.0.0.1", "5.6.7.8, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "unknown, 5.6.7.8", "5.6.7.8"),
        ("", "5.6.7.8", "5.6.7.8"),
        (None, "5.6.7.8", "5.6.7.8"),
        ("localhost", "5.6.7.8", "5.6.7.8"),
        ("unix:", "5.6.7.8", "5.6.7.8"),
    ],
)
def test_the_client_is_the_last_hop_that_no_trusted_proxy_is(
    peer: str | None, forwarded: str | None, expected: str
) -> None:
    assert client(peer, forwarded) == expected


@pytest.mark.parametrize("forwarded", ["5.6.7.8", "127.0.0.1", "unknown", ","])
def test_without_trusted_proxies_the_header_is_not_believed(forwarded: str) -> None:
    assert client("1.2.3.4", forwarded, trusted=False) == "1.2.3.4"


@pytest.mark.parametrize(
    ("peer", "address"),
    [(None, "127.0.0.1"), ("", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1")],
)
def test_a_peer_without_an_address_has_a_constant_one(peer: str | None, address: str) -> None:
    assert client(peer) == address
    assert client(peer, trusted=False) == address


@pytest.mark.parametrize("peer", [None, "", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_behind_an_unnamed_local_proxy_clients_can_not_be_told_apart(
    peer: str | None,
) -> None:
    assert client(peer, "5.6.7.8", trusted=False) is None


@pytest.mark.parametrize(
    "peer",
    ["nonsense", "unknown", "1.2.3", "-", "_hidden", "localhost.evil", "unix:/a", " ", "::g"],
)
@pytest.mark.parametrize("forwarded", [None, "5.6.7.8", "127.0.0.1"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_peer_that_is_no_address_is_nobody(
    peer: str,
    forwarded: str | None,
    trusted: bool,  # noqa: FBT001
) -> None:
    unknown = of(peer, forwarded or "", trusted=trusted)
    assert (unknown.address, unknown.certain_address) == (None, None)
    assert unknown.budget == "unknown"  # One for all of them, and not none.


def test_a_long_header_is_read_from_its_end_and_not_to_its_start() -> None:
    assert client("10.0.0.1", "5.6.7.8" + ", 10.0.0.2" * 31) == "5.6.7.8"
    assert client("10.0.0.1", "5.6.7.8" + ", 10.0.0.2" * 32) == "10.0.0.2"
    assert client("10.0.0.1", "x," * 10**6 + "5.6.7.8") == "5.6.7.8"


@given(peer=st.text(), forwarded=st.text(), trusted=st.booleans())
@example(peer="[", forwarded="[,]", trusted=True)
@example(peer="1.2.3.4:", forwarded=":1.2.3.4", trusted=True)
@example(peer="%", forwarded="%%", trusted=True)
def test_nothing_that_a_client_sends_raises(peer: str, forwarded: str, *, trusted: bool) -> None:
    client(peer, forwarded, trusted=trusted)


@given(st.text(alphabet="0123456789.:,[]% af", max_size=60))
def test_a_client_can_not_change_the_address_a_proxy_saw(written: str) -> None:
    assert client("10.0.0.1", f"{written}, 5.6.7.8") == "5.6.7.8"


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.5", False),
    ],
)
def test_a_client_has_one_budget(one: str, other: str, shared: bool) -> None:  # noqa: FBT001
    budgets = [budget_of(parse_address(text) or IPv4Address(0)) for text in (one, other)]
    assert (budgets[0] == budgets[1]) is shared


def of(peer: str, forwarded: str = "", *, trusted: bool = True) -> Client:
    meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    return Client.of(meta, PROXIES if trusted else [])


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address", "certain"),
    [
        ("1.2.3.4", "", False, "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "", False, "127.0.0.1", "127.0.0.1"),
        ("1.2.3.4", "5.6.7.8", False, "1.2.3.4", None),
        ("127.0.0.1", "5.6.7.8", False, None, None),
        ("10.0.0.1", "5.6.7.8", True, "5.6.7.8", "5.6.7.8"),
        ("1.2.3.4", "5.6.7.8", True, "1.2.3.4", "1.2.3.4"),
    ],
)
def test_an_address_is_certain_where_no_unknown_proxy_is_between(
    peer: str,
    forwarded: str,
    trusted: bool,  # noqa: FBT001
    address: str | None,
    certain: str | None,
) -> None:
    client = of(peer, forwarded, trusted=trusted)
    assert client.address == (address and ip_address(address))
    assert client.certain_address == (certain and ip_address(certain))
    assert client.budget == address
