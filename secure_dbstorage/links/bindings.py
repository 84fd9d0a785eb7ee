"""Bindings: the user and the network that a link is for, as its maker names them."""

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, TypedDict
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError

from secure_dbstorage.addresses import Network


class Bindings(TypedDict):
    """The user and the network that a link is for; None for everybody, and for everywhere."""

    #: Primary key of the user.
    user: str | None
    network: Network | None


def bindings_of(given: Mapping[str, object]) -> Bindings:
    """Return the bindings among the arguments of a link.

    :raises ValueError: for an impossible value; nothing is ever read as "for everybody".
    """
    return {
        "user": _user(given["user"]) if "user" in given else None,
        "network": _network(given["ip"]) if "ip" in given else None,
    }


def _user(value: object) -> str:
    """Return the primary key of a user, as text."""
    key = getattr(value, "pk", value)
    is_key = isinstance(key, int | str | UUID) and not isinstance(key, bool) and key != ""
    # An unsaved user may have a key too: a UUID is usually generated before saving.
    is_saved = not getattr(getattr(value, "_state", None), "adding", False)
    # A row of another model has a key too, which may be the key of another user.
    is_user = not hasattr(value, "_meta") or isinstance(value, get_user_model())
    if not (is_key and is_saved and is_user) or getattr(value, "is_anonymous", False):
        raise ValueError(f"{value!r} is not a saved user or a primary key")
    return str(_primary_key(key))


def _network(value: object) -> Network:
    """Return an address or a network as a network. One of mapped IPv4 becomes IPv4."""
    if not isinstance(value, str | IPv4Address | IPv4Network | IPv6Address | IPv6Network):
        raise ValueError(f"{value!r} is not an address or a network")
    try:
        network = ip_network(value)
    except ValueError as error:
        raise ValueError(_fault_of_network(value)) from error
    if isinstance(network.network_address, IPv6Address) and network.network_address.scope_id:
        raise ValueError(f"{value!r} has a zone; clients' addresses have none")
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped:
        network = ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise ValueError(f"{value!r} is every address")
    return network


def _primary_key(key: object) -> object:
    """Return a user's primary key as the model has it. Spelled otherwise, it opens for nobody."""
    try:
        field: Any = get_user_model()._meta.pk
    except ImproperlyConfigured:  # A project without users.
        return key
    try:
        return field.to_python(key)
    except ValidationError as error:
        raise ValueError(f"{key!r} is not the primary key of a user") from error


def _fault_of_network(
    value: str | IPv4Address | IPv4Network | IPv6Address | IPv6Network,
) -> str:
    with suppress(ValueError):
        return f"{value!r} has host bits set: the network is {ip_network(value, strict=False)}"
    return f"{value!r} is not an address or a network"
