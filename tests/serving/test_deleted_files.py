"""No request is answered with a deleted file."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client

from secure_dbstorage.storage import DatabaseStorage
from tests.support.serving import Store, body_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def storage(store: Store) -> DatabaseStorage:
    return store(keep_deleted=DAY, allow_overwrite=True, rate_limits={"refused": None})


def links(storage: DatabaseStorage) -> list[str]:
    """Return a link of each kind that opens a/b.txt."""
    return [
        storage.url("a/b.txt"),
        storage.url("a/b.txt", uses=1),
        storage.url("a/b.txt", attachment=True, filename="c.txt"),
        f"{storage.folder_url('a')}b.txt",
    ]


def test_no_url_of_it_opens_anything(storage: DatabaseStorage, get: Callable[..., Any]) -> None:
    storage.save("a/b.txt", b"content")
    storage.set_public("a/b.txt", True)
    storage.save("kept.txt", b"kept")
    storage.delete("a/b.txt")
    row = storage.catalog.trash.files().get()
    # Even if somebody made it public.
    storage.catalog.trash.files().update(is_public=True)
    names = ["a/b.txt", str(row.name), f"~/{row.name}", f"~{row.name}", f"%7E/{row.name}"]
    for name in names:
        assert get(f"/files/{name}").status_code == 404, name
        assert (
            get(f"/files/{storage.folder_url('a').split('/files/')[1]}{name}").status_code == 403
        )
    for name in (str(row.name), f"~/{row.name}"):
        assert get(storage.url(name)).status_code == 404, name


def test_links_stay_dead_when_it_comes_back(
    storage: DatabaseStorage, get: Callable[..., Any]
) -> None:
    storage.save("a/b.txt", b"content")
    old = links(storage)
    storage.delete("a/b.txt")
    assert [get(link).status_code for link in old] == [403] * len(old)
    storage.undelete("a/b.txt")
    assert [get(link).status_code for link in old] == [403] * len(old)
    for link in links(storage):
        answer = get(link)
        assert (answer.status_code, body_of(answer)) == (200, b"content")


def test_no_link_of_a_file_opens_its_earlier_content(
    storage: DatabaseStorage, client: Client
) -> None:
    storage.save("a/b.txt", b"first")
    before = storage.url("a/b.txt")
    storage.save("a/b.txt", b"second")
    assert body_of(client.get(before)) == b"second"
    first = storage.versions("a/b.txt")[0]
    storage.delete("a/b.txt")
    storage.undelete("a/b.txt", version=first)
    assert client.get(before).status_code == 403


def test_a_browser_that_has_other_content_gets_the_restored_one(
    storage: DatabaseStorage, client: Client
) -> None:
    for content in (b"first", b"other"):
        storage.save("a/b.txt", content)
    old = client.get(storage.url("a/b.txt"))
    storage.delete("a/b.txt")
    storage.undelete("a/b.txt", version=storage.versions("a/b.txt")[-1])
    asked = {"If-None-Match": old["ETag"]}
    answer = client.get(storage.url("a/b.txt"), headers=asked)
    assert (answer.status_code, body_of(answer)) == (200, b"first")


def test_no_archive_holds_it(storage: DatabaseStorage, client: Client) -> None:
    storage.save("a/b.txt", b"content")
    storage.save("a/c.txt", b"other")
    url = storage.zip_url(prefix="a")
    storage.delete("a/b.txt")
    for link in (url, storage.zip_url(prefix="a")):
        assert names_in(client.get(link)) == ["c.txt"]
    storage.undelete("a/b.txt")
    assert names_in(client.get(url)) == ["c.txt"]
    assert names_in(client.get(storage.zip_url(prefix="a"))) == ["b.txt", "c.txt"]


def names_in(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return sorted(ZipFile(io.BytesIO(body_of(answer))).namelist())
