"""Clients: who sent a request, as far as that can be believed. Made once for each request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

from secure_dbstorage.addresses import Address, Network, parse_address

#: The peer on a unix socket is on this machine. Servers report its address as "" or "localhost".
_LOCAL = IPv4Address("127.0.0.1")

#: More hops than any chain of proxies has; the rest of a longer header is ignored.
_MAX_HOPS = 32


@dataclass(frozen=True, slots=True)
class Client:
    """The sender of a request."""

    #: The address. None behind a local proxy that ``trusted_proxies`` doesn't name: all visitors
    #: would share it, and one of them could use up the budget of all.
    address: Address | None
    #: Whether the address is the visitor's beyond doubt. Behind any proxy that ``trusted_proxies``
    #: doesn't name it may be the proxy's own.
    is_certain: bool

    @classmethod
    def of(cls, meta: Mapping[str, str], trusted_proxies: Sequence[Network]) -> "Client":
        """Return the client that sent a request with these CGI variables. Never raises."""
        return cls(
            address=client_address(meta, trusted_proxies),
            is_certain=bool(trusted_proxies) or not meta.get("HTTP_X_FORWARDED_FOR"),
        )

    @property
    def certain_address(self) -> Address | None:
        """The address if it is certain, else None."""
        return self.address if self.is_certain else None

    @property
    def budget(self) -> str | None:
        """The name of the client's budget; None if clients can't be told apart."""
        return None if self.address is None else budget_of(self.address)


def client_address(meta: Mapping[str, str], trusted_proxies: Sequence[Network]) -> Address | None:
    """Return the address of the client that sent a request with these CGI variables.

    X-Forwarded-For is read from its end, and believed as far as trusted proxies wrote it. A peer
    on a unix socket counts as 127.0.0.1. Never raises. None as in :attr:`Client.address`.
    """
    peer = parse_address(meta.get("REMOTE_ADDR", "")) or _LOCAL
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "")
    if not forwarded:
        return peer
    if not trusted_proxies:
        return None if peer.is_loopback else peer
    return _last_untrusted(peer, forwarded, trusted_proxies)


@lru_cache(maxsize=1024)
def budget_of(address: Address) -> str:
    """Return the name of an address's budget: an IPv6 client has a whole /64."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)


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
