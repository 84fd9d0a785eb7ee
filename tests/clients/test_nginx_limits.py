"""The nginx of the example limits visitors, each with all addresses from the provider."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import places
from tests.servers.nginx import NginxServer
from tests.servers.process import LOOPBACK
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.support.example import EXAMPLE
from tests.support.http_client import Download, fetch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.servers

#: Tests say where they come from.
_SERVER = """
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;
root {directory};
add_header X-Visitor $visitor always;
location /free { return 204; }
location / { limit_rate 1k; %s }
"""


@pytest.fixture
def port() -> Iterator[int]:
    configuration = (EXAMPLE / "deploy/nginx.conf").read_text()
    limits = re.findall(r"^ +(limit_\w+ .*;)$", configuration, re.MULTILINE)
    assert len(limits) == 4
    directory = places.unused("nginx")
    try:
        front = NginxServer(
            directory, _SERVER % " ".join(limits), http=configuration.partition("server {")[0]
        )
    except Unavailable as reason:
        skip_or_fail(str(reason))
    with front:
        Path(directory, "slow").write_bytes(bytes(1_000_000))
        yield front.port


def _from(address: str) -> list[tuple[str, str]]:
    return [("X-Real-IP", address)]


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:ab01:2:3:4:5", "2001:db8:1:ab"),
        ("2001:db8:1:abff::1", "2001:db8:1:ab"),
        ("2001:db8:1:b01::1", "2001:db8:1:b"),
        ("2001:db8:1:7::1", "2001:db8:1:"),
        ("2001:db8:1::1", "2001:db8:1:"),
        ("2001:db8::1", "2001:db8::"),
        ("::1", "::1"),
    ],
)
def test_a_visitor_is_an_address_or_a_customers_network(
    port: int, address: str, visitor: str
) -> None:
    assert fetch(port, "/free", headers=_from(address)).head["x-visitor"] == visitor


def test_connections_and_requests_of_one_visitor_are_limited(port: int) -> None:
    one, its_neighbour, another = "2001:db8:1:ab01::1", "2001:db8:1:abff::2", "2001:db8:1:ac01::1"
    with ExitStack() as stalled:
        for _ in range(100):
            download = Download(port, "/slow", headers=_from(one))
            assert stalled.enter_context(download).head.status == 200
        assert _status(port, its_neighbour) == 429
        assert _status(port, another) == 404
    requests = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: %b\r\n\r\n" % another.encode()

    def has_had_enough() -> bool:
        with socket.create_connection((LOOPBACK, port), timeout=60) as connection:
            connection.sendall(requests * 900)
            connection.shutdown(socket.SHUT_WR)
            return b" 429 " in b"".join(iter(lambda: connection.recv(65536), b""))

    wait_until(has_had_enough)
    assert _status(port, "198.51.100.7") == 404


def _status(port: int, address: str) -> int:
    return fetch(port, "/missing", headers=_from(address)).head.status
