"""The user and the network that a link is for."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.db import models

from secure_dbstorage.storage import DatabaseStorage
from tests.support.storages import saved
from tests.support.tokens import grant_of

_UUID = UUID("12345678-9abc-def0-1234-56789abcdef0")

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "given", [lambda user: user, lambda user: user.pk, lambda user: str(user.pk)]
)
def test_a_link_can_be_for_a_user(given: Callable[[User], object]) -> None:
    user = given(User.objects.create_user("ada", pk=42))
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", user=user))
    assert storage.signer.is_for_user(grant, "42")
    assert not storage.signer.is_for_user(grant, "4")
    assert grant.network is None


@pytest.mark.parametrize(
    ("ip", "inside", "outside"),
    [
        ("203.0.113.9", ["203.0.113.9"], ["203.0.113.8", "::1"]),
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255"], ["203.0.114.0", "2001:db8::1"]),
        ("::ffff:203.0.113.9", ["203.0.113.9"], ["203.0.113.8"]),
        (ip_address("2001:db8::1"), ["2001:db8::1"], ["2001:db8::2", "1.2.3.4"]),
        (ip_network("2001:db8::/32"), ["2001:db8:ffff::1"], ["2001:db9::1", "32.1.13.184"]),
    ],
)
def test_a_link_can_be_for_an_address_or_a_network(
    ip: Any, inside: list[str], outside: list[str]
) -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", ip=ip))
    for text in inside:
        assert storage.signer.is_for_address(grant, ip_address(text))
    for text in outside:
        assert not storage.signer.is_for_address(grant, ip_address(text))


@pytest.mark.parametrize("key", ["ada", "ada@example.com", "4.2", "\u00b2"])
def test_what_no_user_can_have_is_not_a_primary_key(key: str) -> None:
    with pytest.raises(ValueError, match="not the primary key of a user"):
        DatabaseStorage().url("a.txt", user=key)


@pytest.mark.parametrize(
    ("field", "spellings", "meant"),
    [
        (models.BigAutoField(), [42, "42", "042", " 42"], "42"),
        (models.UUIDField(), [_UUID, str(_UUID), str(_UUID).upper(), _UUID.hex], str(_UUID)),
        (models.CharField(), ["Ada"], "Ada"),
    ],
    ids=["number", "UUID", "text"],
)
def test_any_spelling_of_a_primary_key_is_the_one_that_the_user_has(
    field: "models.Field[Any, Any]",
    spellings: list[object],
    meant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(User._meta, "pk", field)
    storage = saved("a.txt")
    for spelling in spellings:
        grant = grant_of(storage, "a.txt", storage.url("a.txt", user=spelling))
        assert storage.signer.is_for_user(grant, meant)


def test_a_row_of_another_model_is_not_a_user() -> None:
    with pytest.raises(ValueError, match="not a saved user"):
        DatabaseStorage().url("a.txt", user=Group.objects.create(name="staff"))


@pytest.mark.parametrize(
    "ip", ["[127.0.0.1]junk", "127.0.0.1%x", "127.0.0.1:80", "fe80::1%eth0/64", "fe80::1%eth0"]
)
def test_a_text_that_is_almost_an_address_is_refused(ip: str) -> None:
    with pytest.raises(ValueError, match=r"address|host bits"):
        DatabaseStorage().url("a.txt", ip=ip)


def test_an_address_with_the_length_of_a_network_is_told_that_network() -> None:
    text = r"^'203.0.113.7/24' has host bits set: the network is 203.0.113.0/24$"
    with pytest.raises(ValueError, match=text):
        DatabaseStorage().url("a.txt", ip="203.0.113.7/24")


def test_a_mapped_network_is_the_network_of_ipv4() -> None:
    storage = saved("a.txt")
    grant = grant_of(storage, "a.txt", storage.url("a.txt", ip="::ffff:10.0.0.0/104"))
    assert storage.signer.is_for_address(grant, ip_address("10.1.2.3"))
    assert not storage.signer.is_for_address(grant, ip_address("11.1.2.3"))


@pytest.mark.parametrize("ip", ["0.0.0.0/0", "::/0", "::ffff:0:0/96", "::ffff:0.0.0.0/96"])
def test_a_link_for_every_address_is_refused_however_it_is_written(ip: str) -> None:
    storage = saved("a.txt")
    with pytest.raises(ValueError, match="is every address"):
        storage.url("a.txt", ip=ip)
