"""Addresses as proxies write them."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.addresses import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:555", "1.2.3.4"),
        (" 1.2.3.4\t", "1.2.3.4"),
        ('"1.2.3.4"', "1.2.3.4"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[::1]:555", "::1"),
        ('"[2001:db8::7]:555"', "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:555", "fe80::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:555", "1.2.3.4"),
        ("::ffff:102:304", "1.2.3.4"),
        ("::1.2.3.4", "::102:304"),
    ],
)
def test_an_address_is_read_as_proxies_write_it(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "unknown",
        "_hidden",
        "localhost",
        "example.com:80",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4/8",
        "\u0661.2.3.4",
        ":::1",
        "[",
        "[]",
        "1.2.3.4\0",
        "1" * 10_000,
        "unix:/run/socket",
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_a_text_that_is_not_an_address_gives_none(text: str) -> None:
    assert parse_address(text) is None


@given(st.ip_addresses().map(str), st.sampled_from(["{}", " {} ", '"{}"']))
def test_every_address_is_read(address: str, spelled: str) -> None:
    read = parse_address(spelled.format(address))
    assert read == (getattr(ip_address(address), "ipv4_mapped", None) or ip_address(address))
