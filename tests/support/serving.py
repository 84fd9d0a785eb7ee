"""Helpers for tests that ask the serving view: storages, links and answers."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.test import Client

from secure_dbstorage.links.grants import Grant
from secure_dbstorage.storage import DatabaseStorage
from tests.support.tokens import written_for

#: Makes a storage with these options the default one, with a private file and a public one.
Store = Callable[..., DatabaseStorage]

#: Names the parts of a film by relative links.
PLAYLIST = b"#EXTM3U\n#EXTINF:4,\nparts/1.ts\n#EXTINF:4,\nparts/2 b.ts\n#EXT-X-ENDLIST\n"


def signed(storage: DatabaseStorage, name: str, **changes: Any) -> str:
    """Return a link that ``url()`` would not make."""
    epoch = storage.catalog.get(name).link_epoch
    grant = Grant(link_epoch=epoch, issued=int(time.time()), lifetime=3600)
    token = written_for(storage, name, replace(grant, **changes))
    return f"/files/{name}?token={token}"


def ask(client: Client, url: str, byte_range: str = "", **more: Any) -> tuple[int, bytes]:
    headers = {"Range": f"bytes={byte_range}"} if byte_range else {}
    answer = client.get(url, headers={**headers, **more.pop("headers", {})}, **more)
    return answer.status_code, body_of(answer)


def body_of(answer: Any) -> bytes:
    if not answer.streaming:
        return bytes(answer.content)
    return b"".join(answer.streaming_content)
