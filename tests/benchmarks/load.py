"""The load generator: ``wrk`` for many small requests, sockets for large files and slow readers.

``wrk`` reads 8 KiB at a time, which would measure it and not the server where files are large.
There a client of ours reads 1 MiB at a time, and its work is the kernel's.
"""

import http.client
import re
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.servers.unavailable import find_program

#: After so many seconds without an answer a request has failed.
_PATIENCE = 30

_PIECE = 1024 * 1024

_REQUESTS = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_P99 = re.compile(r"^\s+99%\s+([\d.]+)(us|ms|s|m) *$", re.MULTILINE)
_ERRORS = re.compile(r"^\s*((?:Non-2xx|Socket errors).*)$", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}


class LoadFailed(Exception):
    """Raised when not every answer was a good one: then there is nothing to be measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server stood."""

    requests_per_second: float
    #: 99 of 100 requests took no longer.
    p99_milliseconds: float


def median(loads: list[Load]) -> Load:
    """Return the medians of several rounds."""
    return Load(
        statistics.median(load.requests_per_second for load in loads),
        statistics.median(load.p99_milliseconds for load in loads),
    )


def press(url: str, *, clients: int, seconds: int, cookie: str = "") -> Load:
    """Let *clients* ask for the same small file all the time, on connections that stay open.

    Args:
        url: Where the file is.
        clients: How many there are.
        seconds: How long they ask.
        cookie: What each of them sends.

    Raises:
        Unavailable: wrk is not installed.
        LoadFailed: an answer was not of 2xx or 3xx, or did not come.

    """
    command: list[str | Path] = [
        *(find_program("wrk", package="wrk"), "--latency", "--threads", "1"),
        *("--connections", str(clients), "--duration", f"{seconds}s"),
        *("--timeout", f"{_PATIENCE}s"),
        *(("--header", f"Cookie: {cookie}") if cookie else ()),
        url,
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    requests, p99 = _REQUESTS.search(output), _P99.search(output)
    errors = _ERRORS.findall(output)
    if errors or requests is None or p99 is None or float(requests[1]) == 0:
        raise LoadFailed("; ".join(errors) or f"no answer within {seconds} s")
    return Load(float(requests[1]), float(p99[1]) * _MILLISECONDS[p99[2]])


def processor_seconds(pid: int) -> float:
    """Return what a server's process and its workers have used of the processor."""
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return sum(float(each.user + each.system) for each in times)


def fetch(url: str, size: int, *, clients: int = 1, cookie: str = "") -> None:
    """Let *clients* fetch the whole of a file at the same time.

    Args:
        url: Where the file is.
        size: Its length in bytes.
        clients: How many there are.
        cookie: What each of them sends.

    Raises:
        LoadFailed: somebody did not get 200 and exactly *size* bytes.

    """
    if clients == 1:
        _fetch(url, size, cookie)
        return
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(_fetch, [url] * clients, [size] * clients, [cookie] * clients))


class Visitor:
    """Asks for one small file again and again, on a connection that stays open."""

    def __init__(self, url: str, size: int) -> None:
        """Connect.

        Args:
            url: Where the file is.
            size: Its length in bytes.

        """
        parts = urlsplit(url)
        self._size = size
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=_PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = url.partition(parts.netloc)[2]
        self._request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()

    def ask(self) -> float:
        """Fetch the file, and return how many seconds that took.

        Raises:
            LoadFailed: the answer was not 200, or not as long as the file.

        """
        began = time.perf_counter()
        self._socket.sendall(self._request)
        answer, end = b"", -1
        while end < 0 or len(answer) < end + 4 + self._size:
            received = self._socket.recv(_PIECE)
            if not received:
                raise LoadFailed("The server has closed the connection")
            answer += received
            end = answer.find(b"\r\n\r\n") if end < 0 else end
        seconds = time.perf_counter() - began
        if not answer.startswith(b"HTTP/1.1 200 ") or len(answer) != end + 4 + self._size:
            raise LoadFailed(f"{answer[:80]!r}")
        return seconds

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@contextmanager
def slow_readers(url: str, count: int, *, bytes_per_second: int) -> Iterator[None]:
    """Let *count* clients read a large file slowly meanwhile.

    Raises:
        LoadFailed: a server closed a connection, or refused; not where it lets readers wait.

    """
    end = threading.Event()
    with ThreadPoolExecutor(max(1, count)) as pool:
        readers = [pool.submit(_read_slowly, url, bytes_per_second, end) for _ in range(count)]
        time.sleep(0.5 if count else 0)  # Until they have begun.
        try:
            yield
        finally:
            end.set()
    for reader in readers:
        reader.result()


def _fetch(url: str, size: int, cookie: str) -> None:
    connection, target = _connect(url)
    try:
        connection.request("GET", target, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        buffer = memoryview(bytearray(_PIECE))
        received = 0
        while length := response.readinto(buffer):
            received += length
    except (OSError, http.client.HTTPException) as error:
        raise LoadFailed(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if (response.status, received) != (HTTPStatus.OK, size):
        raise LoadFailed(f"{response.status} with {received} bytes instead of {size}")


def _read_slowly(url: str, bytes_per_second: int, end: threading.Event) -> None:
    parts = urlsplit(url)
    with socket.socket() as reader:
        # Else the kernel would take megabytes for us at once.
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, bytes_per_second)
        reader.settimeout(1)
        reader.connect((parts.hostname, parts.port))
        target = url.partition(parts.netloc)[2]
        reader.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        first = b""
        while not end.wait(1):
            try:
                piece = reader.recv(bytes_per_second)
            except TimeoutError:
                continue  # It waits for its turn.
            first = first or piece
            if not piece or not first.startswith(b"HTTP/1.1 200"):
                raise LoadFailed(f"A slow reader was left: {first[:80]!r}")


def _connect(url: str) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
    return connection, url.partition(parts.netloc)[2]
