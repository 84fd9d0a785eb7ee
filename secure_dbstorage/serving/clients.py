"""Clients: who sent a request, as far as it can be known."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from secure_dbstorage.addresses import MAX_LENGTH, Address, Network, parse_address

#: The peer on a unix socket is on this machine.
_LOCAL = IPv4Address("127.0.0.1")

#: What servers write for a unix socket: gunicorn and ASGI nothing, waitress "localhost", and nginx
#: "unix:" in what it passes on. Anything else that is no address is not known to be local.
_UNIX_SOCKETS = ("", "localhost", "unix:")

#: The budget that all clients share whose peer has no address.
_UNKNOWN = "unknown"

#: More hops than any chain of proxies has; the rest of a longer header is ignored.
_MAX_HOPS = 32


class Client(NamedTuple):
    """The sender of a request."""

    #: The address. None if there is no telling.
    address: Address | None
    #: Whether the address is the visitor's beyond doubt. Behind any proxy that ``trusted_proxies``
    #: doesn't name it may be the proxy's own.
    is_certain: bool
    #: The name of the client's budget. None behind a local proxy that ``trusted_proxies`` doesn't
    #: name: all visitors would share it, and one of them could use up the budget of all.
    budget: str | None

    @classmethod
    def of(cls, meta: Mapping[str, str], trusted_proxies: Sequence[Network]) -> "Client":
        """Return the client that sent a request with these CGI variables. Never raises."""
        written, forwarded = meta.get("REMOTE_ADDR") or "", meta.get("HTTP_X_FORWARDED_FOR") or ""
        if not forwarded and len(written) <= MAX_LENGTH:
            return _direct(written)
        return _client(written, forwarded, trusted_proxies)

    @property
    def certain_address(self) -> Address | None:
        """The address if it is certain, else None."""
        return self.address if self.is_certain else None


@lru_cache(maxsize=1024)  # Whoever asks once asks again.
def _direct(written: str) -> Client:
    """Return the client that is connected to the server itself."""
    return _client(written, "", ())


def _client(written: str, forwarded: str, trusted_proxies: Sequence[Network]) -> Client:
    """Return the client, from REMOTE_ADDR and X-Forwarded-For."""
    peer = _peer(written)
    if peer is None:
        return Client(address=None, is_certain=False, budget=_UNKNOWN)
    address = _address(peer, forwarded, trusted_proxies)
    return Client(
        address=address,
        is_certain=bool(trusted_proxies) or not forwarded,
        budget=None if address is None else budget_of(address),
    )


def is_from_proxy(meta: Mapping[str, str], trusted_proxies: Sequence[Network]) -> bool:
    """Tell whether a proxy that ``trusted_proxies`` names is connected to the server."""
    peer = _peer(meta.get("REMOTE_ADDR") or "")
    return peer is not None and any(peer in network for network in trusted_proxies)


@lru_cache(maxsize=1024)
def budget_of(address: Address) -> str:
    """Return the name of an address's budget: an IPv6 client has a whole /64."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)


def _peer(written: str) -> Address | None:
    """Return the address of whoever is connected to the server; None if that is not known."""
    return _LOCAL if written in _UNIX_SOCKETS else parse_address(written)


def _address(peer: Address, forwarded: str, trusted_proxies: Sequence[Network]) -> Address | None:
    """Return the address of the client.

    X-Forwarded-For is read from its end, and believed as far as trusted proxies wrote it.
    """
    if not forwarded:
        return peer
    if not trusted_proxies:
        return None if peer.is_loopback else peer
    return _last_untrusted(peer, forwarded, trusted_proxies)


def _last_untrusted(peer: Address, forwarded: str, trusted_proxies: Sequence[Network]) -> Address:
    client = peer
    for hop in reversed(forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
        if not any(client in network for network in trusted_proxies):
            break
        address = parse_address(hop)
        if address is None:
            break
        client = address
    return client
