"""The client's address: who is asking, as far as that can be believed."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The peer on a unix socket is on this machine. Servers tell its address as "" or "localhost".
_LOCAL = IPv4Address("127.0.0.1")

#: More hops than any chain of proxies has; the rest of a long header is not read.
_MAX_HOPS = 32

#: Characters of an address with brackets, a zone, a port and some space.
_MAX_LENGTH = 100

_logger = logging.getLogger(__name__)


def client_address(meta: Mapping[str, str], trusted_proxies: Sequence[Network]) -> Address | None:
    """Return the address of the client that sent a request with these CGI variables.

    X-Forwarded-For is read from its end, and believed as far as trusted proxies wrote it. A peer
    on a unix socket counts as 127.0.0.1. Never raises.

    :returns: None behind a local proxy that nobody configured: there all visitors would share one
        address, and one of them could use up the budget of all.
    """
    peer = parse_address(meta.get("REMOTE_ADDR", "")) or _LOCAL
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "")
    if not forwarded:
        return peer
    if not trusted_proxies:
        if not peer.is_loopback:
            return peer
        _warn_of_unknown_proxy(peer)
        return None
    return _last_untrusted(peer, forwarded, trusted_proxies)


def certain_address(meta: Mapping[str, str], trusted_proxies: Sequence[Network]) -> Address | None:
    """Return the address of a client, as :func:`client_address` does, if there is no doubt of it.

    :returns: None behind any proxy that nobody configured: it may have the visitor's address or be
        the way to all of them.
    """
    if meta.get("HTTP_X_FORWARDED_FOR") and not trusted_proxies:
        return None
    return client_address(meta, trusted_proxies)


def parse_address(text: str) -> Address | None:
    """Return the address that *text* spells, or None.

    Understands what proxies write: ``1.2.3.4:555``, ``[::1]:555``, ``fe80::1%eth0``; an IPv4
    address mapped into IPv6 is the IPv4 address.
    """
    # A longer text is none, and not worth a place in the cache.
    return _parsed(text) if len(text) <= _MAX_LENGTH else None


@lru_cache(maxsize=1024)
def budget_of(address: Address) -> str:
    """Return the text that names a client's budget: an IPv6 client has its /64 to itself."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


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


@cache  # Said once, and not for each request.
def _warn_of_unknown_proxy(peer: Address) -> None:
    _logger.warning(
        "Requests come through a proxy at %s that trusted_proxies does not name: "
        "limits by address are not applied.",
        peer,
    )
