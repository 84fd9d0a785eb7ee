"""The key service of the page speaks the protocol of Vault's Transit engine, over HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.test import Client

from secure_dbstorage.exceptions import KeyServiceUnavailable, SealBroken
from secure_dbstorage.sealing import keyrings
from secure_dbstorage.sealing.cache import KeyCache
from secure_dbstorage.upkeep.rekeying import rewrap
from tests.support.files import LARGE, read
from tests.support.pages import SEALING, blocks
from tests.support.sealing import KEY, Seal
from tests.support.serving import ask
from tests.support.uploads import Uploader

TOKEN = "s.token"


class Vault(ThreadingHTTPServer):
    """A Transit engine with one key, named ``files``, of type aes256-gcm96."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cipher = AESGCM(b"v" * 32)
        #: What it was asked.
        self.asked: list[str] = []
        #: Sent instead of an answer; Vault says 503 while it is sealed, and 403 to a wrong token.
        self.status = 200

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def encrypt(self, fields: dict[str, str]) -> dict[str, str]:
        """Return what Vault says to `encrypt/files`."""
        plain, bound = (
            base64.b64decode(fields[name]) for name in ("plaintext", "associated_data")
        )
        sealed = b"n" * 12 + self.cipher.encrypt(b"n" * 12, plain, bound)
        return {"ciphertext": f"vault:v1:{base64.b64encode(sealed).decode()}", "key_version": "1"}

    def decrypt(self, fields: dict[str, str]) -> dict[str, str]:
        """Return what Vault says to `decrypt/files`."""
        prefix, version, text = fields["ciphertext"].split(":")
        assert (prefix, version) == ("vault", "v1")
        sealed, bound = base64.b64decode(text), base64.b64decode(fields["associated_data"])
        plain = self.cipher.decrypt(sealed[:12], sealed[12:], bound)
        return {"plaintext": base64.b64encode(plain).decode()}


class _Handler(BaseHTTPRequestHandler):
    server: Vault

    def do_POST(self) -> None:
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        *path, what, key = self.path.split("/")
        assert (path, key) == (["", "v1", "transit"], "files")
        self.server.asked.append(what)
        if self.server.status != 200:
            self._answer(self.server.status, {"errors": ["Vault is sealed"]})
        elif self.headers["X-Vault-Token"] != TOKEN:
            self._answer(403, {"errors": ["permission denied"]})
        else:
            try:
                self._answer(200, {"data": getattr(self.server, what)(fields)})
            except InvalidTag:
                self._answer(400, {"errors": ["cipher: message authentication failed"]})

    def _answer(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def vault() -> Iterator[Vault]:
    """Start a Transit engine."""
    with Vault() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def transit(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the key service of the page, with nothing in the cache."""
    monkeypatch.setattr(keyrings, "_cache", KeyCache())
    (block,) = (block for block in blocks(SEALING.read_text(), "python") if "Transit" in block)
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 -- our own
    return names["Transit"](vault.address, "files", token=lambda: TOKEN)


def test_it_unwraps_what_it_has_wrapped_in_the_same_context(transit: Any) -> None:
    sealed = transit.wrap(b"k" * 32, b"here")
    assert sealed.startswith(b"vault:v1:")
    assert transit.unwrap(sealed, b"here") == b"k" * 32
    with pytest.raises(SealBroken):
        transit.unwrap(sealed, b"there")


def test_its_files_are_saved_served_and_uploaded(
    transit: Any, vault: Vault, seal: Seal, database: str, client: Client
) -> None:
    storage = seal(encryption_keys=[transit])
    storage.save("a.bin", LARGE)
    assert vault.asked == ["encrypt"]
    for _ in range(3):
        assert ask(client, storage.url("a.bin")) == (200, LARGE)
        assert ask(client, storage.url("a.bin"), "5-9") == (206, LARGE[5:10])
        assert read(storage, "a.bin") == LARGE
    assert vault.asked == ["encrypt", "decrypt"]
    part = Uploader().begun(storage.upload_url("b.bin", max_size=20_000), len(LARGE))
    for offset in range(0, len(LARGE), 5000):
        assert Uploader().patch(part, offset, LARGE[offset : offset + 5000]).status_code == 204
    assert read(storage, "b.bin") == LARGE
    assert vault.asked.count("encrypt") == 2
    assert vault.asked.count("decrypt") == 2


@pytest.mark.django_db
def test_lists_links_and_heads_ask_for_no_key(
    transit: Any, vault: Vault, seal: Seal, client: Client
) -> None:
    storage = seal(encryption_keys=[transit])
    storage.save("a.bin", LARGE)
    vault.asked.clear()
    assert storage.listdir("") == ([], ["a.bin"])
    url = storage.url("a.bin")
    etag = client.head(url)["ETag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    storage.delete(storage.rename("a.bin", "b.bin"))
    assert vault.asked == []


@pytest.mark.django_db
@pytest.mark.parametrize("status", [503, 403, None])
def test_while_it_is_down_requests_get_a_503_and_use_nothing_up(
    transit: Any,
    vault: Vault,
    seal: Seal,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    status: int | None,
) -> None:
    storage = seal(encryption_keys=[transit])
    for name, content in (("small.bin", b"small"), ("large.bin", LARGE)):
        storage.save(name, content)
    urls = [storage.url("small.bin"), storage.url("large.bin"), storage.url("small.bin", uses=1)]
    urls.append(storage.zip_url(prefix=storage.rename("small.bin", "a/small.bin").split("/")[0]))
    urls[0], urls[2] = storage.url("a/small.bin"), storage.url("a/small.bin", uses=1)
    upload = storage.upload_url("b.bin", max_size=100)
    if status is None:
        address, transit._path = transit._path, "http://127.0.0.1:1/{}"
    else:
        vault.status = status
    for url in urls:
        answer = client.get(url)
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
    assert Uploader().put(upload, b"text").status_code == 503
    with pytest.raises(KeyServiceUnavailable, match="transit/files"):
        storage.save("c.bin", b"text")
    assert not storage.exists("c.bin")
    down = [line for line in caplog.messages if line == "The key service 'transit/files' is down"]
    assert len(down) == 1
    if status is None:
        transit._path = address
    vault.status = 200
    assert [ask(client, url)[0] for url in urls] == [200] * len(urls)
    assert Uploader().put(upload, b"text").status_code == 201
    assert "The key service 'transit/files' is back" in caplog.messages


def test_a_project_goes_from_a_key_to_the_service_and_back(
    transit: Any, vault: Vault, seal: Seal, database: str
) -> None:
    seal().save("a.bin", LARGE)
    for keys in ([transit, KEY], [KEY, transit]):
        storage = seal(encryption_keys=keys)
        assert [item.outcome for item in rewrap(storage)] == ["rewrapped"]
        assert read(seal(encryption_keys=keys[:1]), "a.bin") == LARGE
