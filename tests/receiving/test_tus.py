"""tus 1.0.0: each request, and each answer that it can get."""

import base64
import hashlib
import posixpath
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from django.utils.http import parse_http_date
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import MAX_LENGTH
from secure_dbstorage.receiving.claims import claim
from secure_dbstorage.storage import DatabaseStorage
from tests.receiving.conftest import Receiver
from tests.support.clocks import frozen
from tests.support.uploads import CONTENT, PIECE, Uploader, metadata

pytestmark = pytest.mark.django_db

NOW = 1785240000
SIZE = len(CONTENT)


@pytest.fixture
def storage(receiver: Receiver) -> DatabaseStorage:
    """Return a storage with small rows."""
    return receiver()


def content_of(name: str) -> bytes:
    with storages["default"].open(name) as file:
        return bytes(file.read())


def rows() -> list[tuple[int, str | None]]:
    """Return the position and the name of every row."""
    found = StoredFile.rows.order_by("position").values_list("position", "name")
    return list(found)


# --- POST ----------------------------------------------------------------------------------------


def test_an_upload_begins(storage: DatabaseStorage, uploader: Uploader) -> None:
    with frozen(NOW):
        answer = uploader.create(storage.upload_url("in/a.txt", max_size=SIZE), SIZE)
    assert answer.status_code == 201
    assert answer["Location"].startswith("/files/in/a.txt?token=1")
    assert parse_http_date(answer["Upload-Expires"]) == NOW + 24 * 3600
    assert "Upload-Offset" not in answer
    first = StoredFile.rows.get()
    assert (first.name, first.size, bytes(first.data)) == (None, SIZE, b"")
    assert first.expires == datetime.fromtimestamp(NOW, tz=UTC) + timedelta(days=1)


def test_who_sends_something_else_is_told_what_to_send(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    form = Client().post(storage.upload_url("a.txt", max_size=SIZE), {"file": ContentFile(b"x")})
    assert form.status_code == 412
    assert "A link for a single file also accepts PUT." in form.json()["detail"]
    answer = uploader.create(storage.upload_url(prefix="in", max_size=SIZE), SIZE)
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith("(Upload-Metadata: filename)")


def test_a_long_link_gives_an_upload_as_much_time(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    with frozen(NOW):
        url = storage.upload_url(max_size=9, expires_in=timedelta(days=3))
        answer = uploader.create(url, 9)
    assert parse_http_date(answer["Upload-Expires"]) == NOW + 3 * 24 * 3600


def test_an_upload_may_come_with_its_beginning(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    answer = uploader.create(storage.upload_url("a.txt", max_size=SIZE), SIZE, CONTENT[:5000])
    assert (answer.status_code, answer["Upload-Offset"]) == (201, "5000")
    assert uploader.offset(answer["Location"]) == 5000


def test_a_whole_file_may_come_with_the_beginning(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    answer = uploader.create(storage.upload_url("in/a.txt", max_size=SIZE), SIZE, CONTENT)
    assert (answer.status_code, answer["Upload-Offset"]) == (201, str(SIZE))
    assert "Upload-Expires" not in answer
    assert content_of("in/a.txt") == CONTENT


def test_an_empty_file_is_there_at_once(storage: DatabaseStorage, uploader: Uploader) -> None:
    answer = uploader.create(storage.upload_url("a.txt", max_size=SIZE), 0)
    assert answer.status_code == 201
    assert storage.stat("a.txt").sha256 == hashlib.sha256().hexdigest()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Upload-Length": ""}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "+5"}, 400),
        ({"Upload-Length": "5, 5"}, 400),
        ({"Upload-Length": "\u0665"}, 400),
        ({"Upload-Length": "0x10"}, 400),
        ({"Upload-Length": "9" * 41}, 400),
        ({"Upload-Length": "9" * 20}, 413),
        ({"Upload-Length": "21"}, 413),
        ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Concat": "partial"}, 400),
        ({"Upload-Metadata": ""}, 400),
        ({"Upload-Metadata": "type YQ=="}, 400),
        ({"Upload-Metadata": "filename"}, 400),
        ({"Upload-Metadata": "filename !"}, 400),
        ({"Upload-Metadata": "filename YQ"}, 400),
        ({"Upload-Metadata": "filename YQ==,filename Yg=="}, 400),
        ({"Upload-Metadata": "filename YQ==,,"}, 400),
        ({"Upload-Metadata": "filename /w=="}, 400),
        ({"Upload-Metadata": "filename Li4="}, 400),
        ({"Upload-Metadata": "filename YQAK"}, 400),
        ({"Upload-Metadata": f"filename YS50eHQ=,more {'YWFh' * 260}"}, 400),
        ({"Upload-Metadata": "filename YS5leGU="}, 415),
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Tus-Resumable": ""}, 412),
    ],
)
def test_an_upload_does_not_begin_with(
    storage: DatabaseStorage, uploader: Uploader, fields: dict[str, str], status: int
) -> None:
    url = storage.upload_url(prefix="in", max_size=20, types=["text/plain"])
    usual = {"Upload-Length": "5", **metadata(filename="a.txt")}
    answer = uploader.tus("POST", url, headers={**usual, **fields})
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert not rows()
    if status == 413:
        assert answer["Tus-Max-Size"] == "20"
    if status == 412:
        assert answer["Tus-Version"] == "1.0.0"


def test_the_option_lowers_what_older_links_allow(receiver: Receiver, uploader: Uploader) -> None:
    url = receiver().upload_url("a.txt", max_size=20)
    receiver(max_size=10)
    answer = uploader.create(url, 11)
    assert (answer.status_code, answer["Tus-Max-Size"]) == (413, "10")


def test_a_taken_name_is_refused_before_anything_is_sent(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    storage.save("in/a.txt", b"x")
    for name in ("in/a.txt", "in"):
        answer = uploader.create(storage.upload_url(name, max_size=9), 9)
        assert (answer.status_code, answer.json()["reason"]) == (422, "taken")


@pytest.mark.parametrize(
    ("data", "kind", "status"), [(b"abc", "text/plain", 415), (b"abcdef", PIECE, 413)]
)
def test_a_beginning_that_does_not_fit_is_refused(
    storage: DatabaseStorage, uploader: Uploader, data: bytes, kind: str, status: int
) -> None:
    url = storage.upload_url("a.txt", max_size=5)
    answer = uploader.tus("POST", url, data, {"Upload-Length": "5"}, content_type=kind)
    assert answer.status_code == status
    assert not rows()


@pytest.mark.parametrize(("checksum", "status"), [("sha1 YQ==", 400), (f"sha1 {'A' * 27}=", 460)])
def test_a_beginning_that_is_damaged_leaves_nothing(
    storage: DatabaseStorage, uploader: Uploader, checksum: str, status: int
) -> None:
    url = storage.upload_url("a.txt", max_size=5)
    answer = uploader.create(url, 5, b"abc", Upload_Checksum=checksum)
    assert answer.status_code == status
    assert not rows()


def test_a_body_without_a_length_is_refused(storage: DatabaseStorage, uploader: Uploader) -> None:
    url = storage.upload_url("a.txt", max_size=5)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Transfer-Encoding": "chunked"}
    answer = uploader.ask("POST", url, b"", headers, CONTENT_TYPE=PIECE, CONTENT_LENGTH="")
    assert answer.status_code == 411


# --- names ---------------------------------------------------------------------------------------


def test_names_below_a_directory_are_made_as_a_save_makes_them(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url(prefix="in/42", max_size=SIZE)
    uploader.sent(url, b"one", "image.jpg")
    answer = uploader.create(url, 3, b"two", **metadata(filename="C:\\x\\../image.jpg"))
    assert content_of("in/42/image.jpg") == b"one"
    name = answer["Content-Location"].removeprefix("/files/")
    assert name.startswith("in/42/image_")
    assert content_of(name) == b"two"


def test_a_root_is_a_directory_too(storage: DatabaseStorage, uploader: Uploader) -> None:
    uploader.sent(storage.upload_url(prefix="", max_size=SIZE), b"one", "a b.txt")
    assert content_of("a_b.txt") == b"one"


def test_uppys_key_for_the_name_is_known(storage: DatabaseStorage, uploader: Uploader) -> None:
    url = storage.upload_url(prefix="in", max_size=9)
    uploader.create(url, 3, b"one", **metadata(name="b.txt", type="text/html"))
    assert storage.stat("in/b.txt").content_type == "text/plain"


def test_an_option_that_overwrites_gives_no_link_the_right_to(
    receiver: Receiver, uploader: Uploader
) -> None:
    storage = receiver(allow_overwrite=True)
    storage.save("in/a.txt", b"old")
    answer = uploader.create(storage.upload_url("in/a.txt", max_size=9), 3, b"new")
    assert answer.status_code == 422
    answer = uploader.create(
        storage.upload_url(prefix="in", max_size=9), 3, b"new", **metadata(filename="a.txt")
    )
    name = answer["Content-Location"].removeprefix("/files/")
    assert name.startswith("in/a_")
    assert content_of(name) == b"new"
    assert content_of("in/a.txt") == b"old"


def test_an_upload_never_takes_the_name_of_a_directory(
    receiver: Receiver, uploader: Uploader
) -> None:
    for overwrites in (False, True):
        storage = receiver(allow_overwrite=overwrites)
        storage.save("in/taken/a.txt", b"old")
        url = storage.upload_url(prefix="in", max_size=9)
        answer = uploader.create(url, 3, b"new", **metadata(filename="taken"))
        assert answer["Content-Location"].startswith("/files/in/taken_")
        assert all(name.startswith("taken_") for name in storage.listdir("in")[1])


def test_an_upload_whose_name_is_as_long_as_can_be_gets_another_too(
    receiver: Receiver, uploader: Uploader
) -> None:
    storage = receiver(allow_overwrite=True)
    taken = posixpath.join("in", "d" * 200, "e" * 200, "a" * 103 + ".txt")
    assert len(taken) == MAX_LENGTH
    storage.save(taken, b"old")
    directory, filename = posixpath.split(taken)
    url = storage.upload_url(prefix=directory, max_size=9)
    answer = uploader.create(url, 3, b"new", **metadata(filename=filename))
    assert content_of(answer["Content-Location"].removeprefix("/files/")) == b"new"
    assert content_of(taken) == b"old"


@pytest.mark.parametrize("place", [{}, {"prefix": "in"}])
@pytest.mark.parametrize("name", ["x.pd★f", "x.ht?ml", "page.p★n★g"])
def test_a_type_is_that_of_the_cleaned_name(
    storage: DatabaseStorage, uploader: Uploader, place: Any, name: str
) -> None:
    url = storage.upload_url(max_size=9, types=["application/octet-stream"], **place)
    answer = uploader.create(url, 3, b"abc", **metadata(filename=name))
    assert (answer.status_code, answer.json()["reason"]) == (415, "type")
    assert not rows()


def test_a_type_is_that_of_a_clients_name_too_if_a_form_waits(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url(max_size=9, types=["application/pdf"])
    assert uploader.create(url, 3, **metadata(filename="x.pd★f")).status_code == 415
    below = storage.upload_url(prefix="in", max_size=9, types=["application/pdf"])
    assert uploader.create(below, 3, **metadata(filename="x.pd★f")).status_code == 201


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_is_refused_before_anything_is_sent(
    storage: DatabaseStorage,
    uploader: Uploader,
    overwrite: bool,  # noqa: FBT001
) -> None:
    storage.save("in/a.txt", b"x")
    answer = uploader.create(storage.upload_url("in", max_size=9, overwrite=overwrite), 9)
    assert (answer.status_code, answer.json()["reason"]) == (422, "taken")
    assert rows() == [(0, "in/a.txt")]


@pytest.mark.parametrize(
    "place",
    [{"name": "in/a.txt/b.txt"}, {"name": "in/a.txt/c/b.txt"}, {"prefix": "in/a.txt"}],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_lies_below_a_file_is_refused_before_anything_is_sent(
    storage: DatabaseStorage,
    uploader: Uploader,
    place: Any,
    overwrite: bool,  # noqa: FBT001
) -> None:
    storage.save("in/a.txt", b"x")
    more = {} if "prefix" in place else {"overwrite": overwrite}
    url = storage.upload_url(max_size=9, **place, **more)
    answer = uploader.create(url, 9, **metadata(filename="b.txt"))
    assert (answer.status_code, answer.json()["reason"]) == (422, "taken")
    assert rows() == [(0, "in/a.txt")]


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("", "a." + "b" * 600),
        ("in", "a." + "b" * 509),
        ("d" * 510, "a.txt"),
        ("d" * 512, "a.txt"),
    ],
)
def test_a_name_that_is_too_long_is_refused_before_anything_is_sent(
    storage: DatabaseStorage, uploader: Uploader, prefix: str, name: str
) -> None:
    url = storage.upload_url(prefix=prefix, max_size=9)
    answer = uploader.create(url, 9, **metadata(filename=name))
    assert (answer.status_code, answer.json()["reason"]) == (422, "name")
    assert answer.json()["detail"] == "This file name can’t be used. Rename the file."
    assert not rows()


def test_a_name_that_is_too_long_is_refused_in_the_end_too(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    """Here, a shorter one is not found until then."""
    directory = "d" * 505
    part = uploader.begun(storage.upload_url(prefix=directory, max_size=9), 3, "a.txt")
    storage.save(f"{directory}/a.txt", b"old")
    answer = uploader.patch(part, 0, b"abc")
    assert (answer.status_code, answer.json()["reason"]) == (422, "name")
    assert StoredFile.rows.count() == 1


@pytest.mark.parametrize("place", [{}, {"prefix": "in"}])
@pytest.mark.parametrize("name", ["★★★", "💩", ".★."])
def test_a_name_of_which_nothing_is_left_is_refused_before_anything_is_sent(
    storage: DatabaseStorage, uploader: Uploader, place: Any, name: str
) -> None:
    url = storage.upload_url(max_size=9, **place)
    answer = uploader.create(url, 3, **metadata(filename=name))
    assert (answer.status_code, answer.json()["reason"]) == (422, "name")
    assert not rows()


@pytest.mark.parametrize("overwrites", [False, True])
@pytest.mark.parametrize("end", ["zzzz.", ".htmlzzzz.", ".zzzz."])
def test_a_name_that_is_shortened_keeps_its_type(
    receiver: Receiver,
    uploader: Uploader,
    overwrites: bool,  # noqa: FBT001
    end: str,
) -> None:
    storage = receiver(allow_overwrite=overwrites)
    url = storage.upload_url(prefix="in", max_size=9, types=["application/octet-stream"])
    for cut in range(MAX_LENGTH - 20, MAX_LENGTH):
        name = "a" * cut + ".html" + end
        answer = uploader.create(url, 3, b"abc", **metadata(filename=name))
        assert answer.status_code == 201
        given = answer["Content-Location"].removeprefix("/files/")
        assert len(given) <= MAX_LENGTH
        assert storage.stat(given).content_type == "application/octet-stream"


class Renaming(DatabaseStorage):
    """Gives a file whose name is taken another extension."""

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        """Return a page."""
        return super().get_alternative_name(file_root, ".html")


class Hasty(Renaming):
    """Finds that out when the file is saved."""

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Return True for every name as it was sent."""
        return name.endswith(".txt") or super().is_name_available(name, max_length)


@pytest.mark.parametrize("kind", [Renaming, Hasty])
@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_type_is_that_of_the_name_in_the_end(
    settings: Settings,
    uploader: Uploader,
    kind: type[DatabaseStorage],
    in_pieces: bool,  # noqa: FBT001
) -> None:
    backend = {"BACKEND": f"{kind.__module__}.{kind.__qualname__}"}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    storage = storages["default"]
    assert isinstance(storage, kind)
    storage.save("in/a.txt", b"old")
    url = storage.upload_url(prefix="in", max_size=9, types=["text/plain"])
    if in_pieces:
        part = uploader.begun(url, 3)
        answer = uploader.patch(part, 0, b"abc")
        assert uploader.tus("HEAD", part).status_code == 410
    else:
        answer = uploader.create(url, 3, b"abc", **metadata(filename="a.txt"))
    assert (answer.status_code, answer.json()["reason"]) == (415, "type")
    assert rows() == [(0, "in/a.txt")]


def test_an_overwrite_keeps_what_a_save_keeps(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    storage.save("a.txt", b"old")
    storage.set_public("a.txt", public=True)
    before = storage.catalog.get("a.txt")
    uploader.sent(storage.upload_url("a.txt", max_size=SIZE, overwrite=True))
    after = storage.catalog.get("a.txt")
    assert content_of("a.txt") == CONTENT
    assert after.link_epoch == before.link_epoch
    assert (after.stat.created, after.stat.is_public) == (before.stat.created, True)
    assert StoredFile.rows.of(before.content.key).count() == 0


def test_a_new_file_has_all_that_a_saved_one_has(receiver: Receiver, uploader: Uploader) -> None:
    storage = receiver(default_public=True, delete_after=60)
    uploader.sent(storage.upload_url("in/a.txt", max_size=SIZE))
    storage.save("in/b.txt", CONTENT)
    sent, saved = storage.catalog.get("in/a.txt"), storage.catalog.get("in/b.txt")
    assert sent.stat.is_public
    assert sent.stat.expires
    assert (sent.stat.sha256, sent.stat.size) == (saved.stat.sha256, saved.stat.size)
    assert sent.stat.content_type == "text/plain"
    assert abs(sent.link_epoch - saved.link_epoch) < 60 * 10**6


# --- HEAD ----------------------------------------------------------------------------------------


def test_it_is_told_how_far_an_upload_is(storage: DatabaseStorage, uploader: Uploader) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE, "é.txt")
    uploader.patch(part, 0, CONTENT[:10])
    answer = uploader.tus("HEAD", part)
    assert answer.status_code == 200
    assert (answer["Upload-Offset"], answer["Upload-Length"]) == ("10", str(SIZE))
    assert answer["Upload-Metadata"] == metadata(filename="é.txt")["Upload-Metadata"]
    assert "Upload-Expires" in answer
    assert answer["Content-Length"] == "0"


def test_a_finished_upload_is_there_while_its_content_is_the_files(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.txt", max_size=SIZE, overwrite=True)
    part = uploader.sent(url)
    assert uploader.offset(part) == SIZE
    assert uploader.patch(part, SIZE, b"").status_code == 410
    assert uploader.tus("DELETE", part).status_code == 410
    assert content_of("a.txt") == CONTENT
    assert uploader.tus("HEAD", part)["Content-Location"] == "/files/a.txt"
    storage.rename("a.txt", "b.txt")
    assert uploader.offset(part) == SIZE
    assert "Content-Location" not in uploader.tus("HEAD", part)
    storage.delete("b.txt")
    assert uploader.tus("HEAD", part).status_code == 410


@pytest.mark.parametrize("prefix", ["", "in"])
def test_a_client_that_lost_the_last_answer_learns_the_name(
    storage: DatabaseStorage, uploader: Uploader, prefix: str
) -> None:
    url = storage.upload_url(prefix=prefix, max_size=SIZE)
    for client_name in ("a b.tar.gz", "a b.tar.gz", f"{'n' * 300}.txt"):
        part = uploader.begun(url, SIZE, client_name)
        assert "Content-Location" not in uploader.tus("HEAD", part)
        location = uploader.patch(part, 0, CONTENT)["Content-Location"]
        assert uploader.tus("HEAD", part)["Content-Location"] == location


@pytest.mark.parametrize("prefix", ["", "in"])
@pytest.mark.parametrize("directory", ["", "in/", "in/secret/", "inward/", "secret/"])
@pytest.mark.parametrize(
    "name",
    ["secret.txt", "a_secret1.pdf", "a-secret1.txt", "a_secret.txt", "a_secret12.txt", "b.txt"],
)
def test_no_client_learns_where_else_its_file_went(
    storage: DatabaseStorage, uploader: Uploader, prefix: str, directory: str, name: str
) -> None:
    part = uploader.sent(storage.upload_url(prefix=prefix, max_size=SIZE), name="a.txt")
    storage.rename(f"{prefix}/a.txt" if prefix else "a.txt", f"{directory}{name}")
    assert uploader.offset(part) == SIZE
    assert "Content-Location" not in uploader.tus("HEAD", part)
    if directory.rstrip("/") != prefix:
        storage.rename(f"{directory}{name}", f"{directory}a.txt")
        assert "Content-Location" not in uploader.tus("HEAD", part)


def test_what_a_form_has_saved_has_no_name_for_the_client(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    part = uploader.sent(storage.upload_url(max_size=SIZE))
    storage.save("secret.txt", claim(part, storage))
    assert uploader.offset(part) == SIZE
    assert "Content-Location" not in uploader.tus("HEAD", part)


def test_an_upload_is_gone_when_its_time_is_over(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    with frozen(NOW):
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    with frozen(NOW + 24 * 3600 - 1):
        assert uploader.patch(part, 0, b"x").status_code == 204
    with frozen(NOW + 24 * 3600):
        assert uploader.tus("HEAD", part).status_code == 410
        assert uploader.patch(part, 1, b"x").status_code == 410
        assert uploader.tus("DELETE", part).status_code == 410


def test_the_end_of_the_link_ends_no_upload(storage: DatabaseStorage, uploader: Uploader) -> None:
    with frozen(NOW):
        url = storage.upload_url("a.txt", max_size=SIZE, expires_in=60)
        part = uploader.begun(url, SIZE)
    with frozen(NOW + 3600):
        assert uploader.create(url, SIZE).status_code == 403
        assert uploader.patch(part, 0, CONTENT).status_code == 204
    assert content_of("a.txt") == CONTENT


# --- PATCH ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 8192, 20000])
@pytest.mark.parametrize("piece", [1000, 4096, 5000, 20000])
def test_pieces_of_any_length_make_the_file(
    storage: DatabaseStorage, uploader: Uploader, size: int, piece: int
) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), size)
    offset = 0
    while offset < size:
        answer = uploader.patch(part, offset, CONTENT[offset : min(offset + piece, size)])
        assert answer.status_code == 204
        assert "Content-Length" not in answer.headers
        offset = int(answer["Upload-Offset"])
        assert uploader.offset(part) == offset
    assert content_of("a.txt") == CONTENT[:size]
    storage.save("b.txt", CONTENT[:size])
    made, saved = (
        list(
            StoredFile.rows.of(storage.catalog.get(name).content.key)
            .order_by("position")
            .values_list("position", "data")
        )
        for name in ("a.txt", "b.txt")
    )
    assert made == saved


def test_every_answer_tells_how_long_there_is(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    assert "Upload-Expires" in uploader.patch(part, 0, b"x")


def test_three_hundred_appends_of_a_byte(storage: DatabaseStorage, uploader: Uploader) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=300), 300)
    for offset in range(300):
        assert uploader.patch(part, offset, CONTENT[offset : offset + 1]).status_code == 204
    assert content_of("a.txt") == CONTENT[:300]


@pytest.mark.parametrize(
    ("fields", "data", "status"),
    [
        ({"Upload-Offset": "9"}, b"x", 409),
        ({"Upload-Offset": "11"}, b"x", 409),
        ({"Upload-Offset": "9" * 20}, b"x", 409),
        ({"Upload-Offset": ""}, b"x", 400),
        ({"Upload-Offset": "-1"}, b"x", 400),
        ({}, b"x" * (SIZE - 9), 413),
        ({"Content-Type": "application/octet-stream"}, b"x", 415),
        ({"Upload-Checksum": "md5 YQ=="}, b"x", 400),
        ({"Upload-Checksum": "sha1 !"}, b"x", 400),
        ({"Upload-Checksum": "sha1 YQ=="}, b"x", 400),
        ({"Upload-Checksum": f"sha1 {base64.b64encode(bytes(20)).decode()}"}, b"x", 460),
        ({"Tus-Resumable": "0.9"}, b"x", 412),
    ],
)
def test_a_piece_that_is_refused_leaves_nothing(
    storage: DatabaseStorage,
    uploader: Uploader,
    fields: dict[str, str],
    data: bytes,
    status: int,
) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    uploader.patch(part, 0, CONTENT[:10])
    kind = fields.get("Content-Type", PIECE)
    headers = {"Upload-Offset": "10", **fields}
    answer = uploader.tus("PATCH", part, data, headers, content_type=kind)
    assert answer.status_code == status
    assert "Upload-Offset" not in answer
    assert uploader.offset(part) == 10


def test_a_piece_without_a_length_is_refused(storage: DatabaseStorage, uploader: Uploader) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    answer = uploader.ask("PATCH", part, b"", headers, CONTENT_TYPE=PIECE, CONTENT_LENGTH="")
    assert answer.status_code == 411


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_piece_that_is_what_its_checksum_says_is_taken(
    storage: DatabaseStorage, uploader: Uploader, algorithm: str
) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    digest = base64.b64encode(hashlib.new(algorithm, CONTENT).digest()).decode()
    answer = uploader.patch(part, 0, CONTENT, Upload_Checksum=f"{algorithm} {digest}")
    assert answer.status_code == 204
    assert content_of("a.txt") == CONTENT


# --- DELETE and others ---------------------------------------------------------------------------


def test_an_upload_can_be_abandoned(storage: DatabaseStorage, uploader: Uploader) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    uploader.patch(part, 0, CONTENT[:9000])
    assert uploader.tus("DELETE", part).status_code == 204
    assert not rows()
    assert uploader.tus("DELETE", part).status_code == 410
    assert uploader.patch(part, 9000, b"x").status_code == 410


@pytest.mark.parametrize("override", ["PATCH", "DELETE"])
def test_a_post_may_stand_for(storage: DatabaseStorage, uploader: Uploader, override: str) -> None:
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    headers = {"X-HTTP-Method-Override": override, "Upload-Offset": "0"}
    answer = uploader.tus("POST", part, CONTENT, headers, content_type=PIECE)
    assert answer.status_code == 204
    assert bool(rows()) == (override == "PATCH")


@pytest.mark.parametrize("override", ["PUT", "HEAD", "POST", "patch", ""])
def test_a_post_may_not_stand_for(
    storage: DatabaseStorage, uploader: Uploader, override: str
) -> None:
    url = storage.upload_url("a.txt", max_size=SIZE)
    answer = uploader.tus("POST", url, headers={"X-HTTP-Method-Override": override})
    assert answer.status_code == 400


def test_a_project_that_wants_nothing_from_middleware_gets_no_length_in_a_204(
    storage: DatabaseStorage,
) -> None:
    part = Uploader(Client()).begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    answer = Uploader().patch(part, 0, b"x")
    assert (answer.status_code, answer.has_header("Content-Type")) == (204, False)
    assert "Content-Length" not in answer.headers
