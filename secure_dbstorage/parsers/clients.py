"""Parsers of how clients are told apart, and of how often each may ask."""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from types import MappingProxyType

from secure_dbstorage.addresses import Network
from secure_dbstorage.parsers.callables import callable_from

#: The kinds of request that bring an upload.
UPLOAD_KINDS = ("upload", "begun")

#: Rates by kind of request. They are generous: a page may show a hundred pictures, and a form may
#: take eighty photographs, each in pieces.
RATE_LIMITS: Mapping[str, str | None] = MappingProxyType(
    {
        "signed": "600/m",
        "plain": "1200/m",
        "refused": "60/m",
        "upload": "1200/m",
        "begun": "600/h",
    }
)

#: A rate of django-ratelimit: "600/m", "5/10s". Python refuses to parse very long numbers.
_RATE = re.compile(r"[0-9]{1,9}/(?!0+[smhd]?$)[0-9]{0,9}[smhd]?", re.ASCII)

#: django-ratelimit's names of a client, and ours.
_RATE_LIMIT_KEY = re.compile(r"ip|link|user|user_or_ip|(header|get):.+")


def rate_limits(raw: object) -> Mapping[str, str | None]:
    """Return a rate, or None, for each kind of request."""
    if not isinstance(raw, Mapping) or not raw.keys() <= RATE_LIMITS.keys():
        raise ValueError(f"must be a dictionary with keys among {', '.join(RATE_LIMITS)}")
    for rate in raw.values():
        if rate is not None and not (isinstance(rate, str) and _RATE.fullmatch(rate)):
            raise ValueError("must contain rates like '600/m', or None")
    return {**RATE_LIMITS, **raw}


def rate_limit_key(raw: object) -> str | Callable[..., str]:
    """Return a key of django-ratelimit, ``link``, or a function that makes one.

    There, all who are not signed in share one budget of ``user``, and a stranger could use it up
    for everybody else who has a link. Here their addresses count, as with ``user_or_ip``.
    """
    if isinstance(raw, str) and _RATE_LIMIT_KEY.fullmatch(raw):
        return raw
    return callable_from(
        raw, besides="'ip', 'user', 'user_or_ip', 'link', 'header:...', 'get:...'"
    )


def trusted_proxies(raw: object) -> tuple[Network, ...]:
    """Return networks. None of them covers all addresses."""
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise ValueError("must be a list of networks, like '10.0.0.0/8'")
    return tuple(map(_proxy_network, raw))


def _proxy_network(raw: object) -> Network:
    if not isinstance(raw, str):  # `ip_network()` takes numbers and bytes too.
        raise ValueError("must contain networks as text, like '10.0.0.0/8'")
    try:
        network = ip_network(raw)
    except ValueError as error:
        raise ValueError(f"must contain networks, like '10.0.0.0/8': {error}") from error
    if network.prefixlen == 0:
        raise ValueError(f"must not contain {raw}, which would trust every client")
    # `parse_address()` makes mapped addresses IPv4, so no client would be in such a network.
    if mapped := getattr(network.network_address, "ipv4_mapped", None):
        raise ValueError(f"must contain {raw} as IPv4: {mapped}/{network.prefixlen - 96}")
    return network
