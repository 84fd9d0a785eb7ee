"""IP addresses and networks: their types, and reading an address as proxies write it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The longest text that can be an address: with brackets, a zone, a port and some space.
MAX_LENGTH = 100


def parse_address(text: str) -> Address | None:
    """Return the address that *text* spells, or None.

    Understands what proxies write: ``1.2.3.4:555``, ``[::1]:555``, ``fe80::1%eth0``. An IPv4
    address mapped into IPv6 is read as the IPv4 address.
    """
    # A longer text deserves no place in the cache.
    return _parsed(text) if len(text) <= MAX_LENGTH else None


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
