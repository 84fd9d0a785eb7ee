"""The recipe for a virus scanner, against something that speaks as ClamAV does."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from secure_dbstorage.storage import DatabaseStorage
from tests.receiving.conftest import Receiver
from tests.servers.process import LOOPBACK, free_port
from tests.servers.unavailable import skip_or_fail
from tests.support.pages import UPLOADS, blocks, section
from tests.support.uploads import CONTENT, Uploader

pytestmark = pytest.mark.django_db

EICAR, CUT = b"a virus", b"what makes the scanner crash"


class Scanner(socketserver.StreamRequestHandler):
    """Answers to INSTREAM: pieces with their lengths in front, until one has none."""

    def handle(self) -> None:
        """Tell whether the stream holds what we call a virus."""
        assert self.rfile.readline() == b"nINSTREAM\n"
        stream = b""
        while length := struct.unpack("!L", self.rfile.read(4))[0]:
            stream += self.rfile.read(length)
        found = b"Eicar FOUND" if EICAR in stream else b"OK"
        if CUT not in stream:
            self.wfile.write(b"stream: " + found + b"\n")


@pytest.fixture
def clamd(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the package, which looks for its scanner on a port where nobody is."""
    try:
        import clamd
    except ImportError:
        skip_or_fail("clamd is not installed (pip install '.[test]')")
    monkeypatch.setattr(
        clamd.ClamdNetworkSocket.__init__, "__defaults__", (LOOPBACK, free_port(), 5)
    )
    return clamd


@pytest.fixture
def storage(clamd: Any, receiver: Receiver) -> DatabaseStorage:
    """Return a storage with the hook of the page."""
    (recipe,) = blocks(section(UPLOADS, "Hooks"), "python")
    module: dict[str, Any] = {}
    exec(recipe, module)  # noqa: S102 -- ours
    return receiver(upload_hooks=[module["no_virus"]])


@pytest.fixture
def _scanner(clamd: Any) -> Iterator[None]:
    port = clamd.ClamdNetworkSocket().port
    with socketserver.ThreadingTCPServer((LOOPBACK, port), Scanner) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join(60)


@pytest.mark.usefixtures("_scanner")
def test_a_virus_is_refused_and_anything_else_is_not(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.bin", max_size=len(CONTENT) + 9)
    assert uploader.put(url, CONTENT + EICAR).status_code == 403
    assert not storage.exists("a.bin")
    assert uploader.put(url, CONTENT).status_code == 201


@pytest.mark.usefixtures("_scanner")
def test_a_scanner_that_crashes_puts_the_upload_off(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.bin", max_size=len(CUT))
    assert uploader.put(url, CUT).status_code == 503
    assert not storage.exists("a.bin")


def test_a_scanner_that_is_down_puts_the_upload_off(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    part = uploader.begun(storage.upload_url("a.bin", max_size=len(CONTENT)), len(CONTENT))
    assert uploader.patch(part, 0, CONTENT).status_code == 503
    assert not storage.exists("a.bin")
