"""PUT: a whole file in one request, by any client of HTTP."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.receiving.conftest import Receiver
from tests.support.uploads import CONTENT, Uploader, Wire

pytestmark = pytest.mark.django_db

SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT)
DIGEST = f"sha-256=:{base64.b64encode(SHA256.digest()).decode()}:"
OTHER_DIGEST = f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"
ETAG = f'"{SHA256.hexdigest()}"'

#: A date after that of every file.
NEVER = "Fri, 31 Dec 9999 23:59:59 GMT"


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


@pytest.fixture
def storage(receiver: Receiver) -> DatabaseStorage:
    """Return a storage with small rows."""
    return receiver()


def content_of(name: str) -> bytes:
    with storages["default"].open(name) as file:
        return bytes(file.read())


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, SIZE])
def test_a_file_is_put(storage: DatabaseStorage, uploader: Uploader, size: int) -> None:
    data = CONTENT[:size]
    answer = uploader.put(storage.upload_url("in/é b.pdf", max_size=SIZE), data)
    assert answer.status_code == 201
    assert answer["ETag"] == storage.stat("in/é b.pdf").etag
    assert answer["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert content_of("in/é b.pdf") == data
    assert StoredFile.rows.count() == max(1, -(-size // 4096))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}, 400),
        ({"Repr-Digest": OTHER_DIGEST}, 400),
        ({"Content-Digest": OTHER_DIGEST}, 400),
        ({"Content-Digest": "sha-256=:YQ==:"}, 400),
        ({"Content-Digest": "sha-256=:YQ:"}, 400),
        ({"If-Match": ETAG}, 412),
        ({"If-Match": "*"}, 412),
        ({"If-Match": "nonsense"}, 412),
    ],
)
def test_a_put_that_is_refused_leaves_nothing(
    storage: DatabaseStorage, uploader: Uploader, fields: dict[str, str], status: int
) -> None:
    url = storage.upload_url("a.pdf", max_size=SIZE)
    fields = {} if status == 412 and fields["If-Match"] == "*" else fields
    answer = uploader.put(url, CONTENT, fields or {"If-Match": "*"})
    assert answer.status_code == status
    assert not StoredFile.rows.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"Content-Encoding": "identity"},
        {"Repr-Digest": DIGEST},
        {"Content-Digest": f"md5=:YQ==:, {DIGEST}"},
        {"Repr-Digest": "sha-512=:YQ==:"},
        {"If-None-Match": "*"},
        {"If-None-Match": '"other"'},
    ],
)
def test_a_put_passes_with(
    storage: DatabaseStorage, uploader: Uploader, fields: dict[str, str]
) -> None:
    answer = uploader.put(storage.upload_url("a.pdf", max_size=SIZE), CONTENT, fields)
    assert answer.status_code == 201
    assert content_of("a.pdf") == CONTENT


def test_a_body_that_is_too_large_is_refused_unread(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.pdf", max_size=SIZE - 1)
    assert uploader.put(url, CONTENT).status_code == 413
    assert not StoredFile.rows.exists()


def test_a_body_without_a_length_is_refused(storage: DatabaseStorage, uploader: Uploader) -> None:
    url = storage.upload_url("a.pdf", max_size=SIZE)
    for length in ("", "-1", "x"):
        assert uploader.ask("PUT", url, CONTENT, CONTENT_LENGTH=length).status_code == 411
    chunked = {"Transfer-Encoding": "chunked"}  # As h11 and httptools let it through.
    assert uploader.ask("PUT", url, CONTENT, chunked, CONTENT_LENGTH="5").status_code == 411
    assert not StoredFile.rows.exists()


def test_a_body_that_ends_too_early_leaves_nothing(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.pdf", max_size=2 * SIZE)
    sent = {"CONTENT_LENGTH": str(SIZE + 1), "wsgi.input": Wire(CONTENT)}
    answer = uploader.ask("PUT", url, **sent)
    assert (answer.status_code, answer.json()["reason"]) == (400, "incomplete")
    assert not StoredFile.rows.exists()


def test_a_taken_name_is_a_conflict(storage: DatabaseStorage, uploader: Uploader) -> None:
    storage.save("in/a.pdf", b"old")
    for name in ("in/a.pdf", "in", "in/a.pdf/b.pdf"):
        answer = uploader.put(storage.upload_url(name, max_size=SIZE), CONTENT)
        assert (answer.status_code, answer.json()["reason"]) == (409, "taken")
    url = storage.upload_url("in/a.pdf", max_size=SIZE)
    assert uploader.put(url, CONTENT, {"If-None-Match": "*"}).status_code == 412
    assert content_of("in/a.pdf") == b"old"
    assert StoredFile.rows.count() == 1


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"If-Match": "{etag}"}, (409, "taken")),
        ({"If-Match": "*"}, (409, "taken")),
        ({"If-None-Match": "{etag}"}, (412, "precondition")),
        ({"If-Match": "{etag}", "If-None-Match": "{etag}"}, (412, "precondition")),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}, (409, "taken")),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}, (409, "taken")),
    ],
)
def test_a_link_that_may_not_overwrite_tells_nothing_of_the_content(
    storage: DatabaseStorage,
    uploader: Uploader,
    fields: dict[str, str],
    answer: tuple[int, str],
) -> None:
    storage.save("in/pin.txt", CONTENT)
    url = storage.upload_url("in/pin.txt", max_size=SIZE)
    for etag in (ETAG, f"W/{ETAG}", '"wrong"'):
        given = {name: value.format(etag=etag) for name, value in fields.items()}
        refused = uploader.put(url, b"x", given)
        assert (refused.status_code, refused.json()["reason"]) == answer
    assert content_of("in/pin.txt") == CONTENT


def test_an_overwrite_answers_200(storage: DatabaseStorage, uploader: Uploader) -> None:
    url = storage.upload_url("a.pdf", max_size=SIZE, overwrite=True)
    assert uploader.put(url, b"one").status_code == 201
    assert uploader.put(url, CONTENT).status_code == 200
    assert content_of("a.pdf") == CONTENT
    assert StoredFile.rows.count() == -(-SIZE // 4096)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If-Match": ETAG}, 200),
        ({"If-Match": f'"other", {ETAG}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{ETAG}"}, 412),
        ({"If-Match": "nonsense"}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-None-Match": ETAG}, 412),
        ({"If-None-Match": f"W/{ETAG}"}, 412),
        ({"If-None-Match": f'"other", W/{ETAG}'}, 412),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": 'W/"other"'}, 200),
    ],
)
def test_an_overwrite_keeps_to_its_conditions(
    storage: DatabaseStorage, uploader: Uploader, fields: dict[str, str], status: int
) -> None:
    storage.save("a.pdf", CONTENT)
    url = storage.upload_url("a.pdf", max_size=SIZE, overwrite=True)
    assert uploader.put(url, b"new", fields).status_code == status
    assert content_of("a.pdf") == (b"new" if status == 200 else CONTENT)


#: When the file of the next test was saved, and dates around that.
SAVED = datetime(2026, 5, 6, 7, 8, 9, 500_000, tzinfo=UTC)
SAME_SECOND = "Wed, 06 May 2026 07:08:09 GMT"
BEFORE = "Wed, 06 May 2026 07:08:08 GMT"
AFTER = "Wed, 06 May 2026 07:08:10 GMT"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If-Unmodified-Since": AFTER}, 200),
        ({"If-Unmodified-Since": SAME_SECOND}, 200),  # As Last-Modified has it.
        ({"If-Unmodified-Since": "Wednesday, 06-May-26 07:08:09 GMT"}, 200),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 412),
        ({"If-Unmodified-Since": "Wednesday, 06-May-26 07:08:08 GMT"}, 412),
        # RFC 9110 section 13.1.4: what is no date doesn't count.
        ({"If-Unmodified-Since": "yesterday"}, 200),
        ({"If-Unmodified-Since": f"{BEFORE}, {BEFORE}"}, 200),
        # Section 13.2.2: beside an If-Match, the date doesn't count.
        ({"If-Match": ETAG, "If-Unmodified-Since": BEFORE}, 200),
        ({"If-Match": '"other"', "If-Unmodified-Since": AFTER}, 412),
        ({"If-Match": "nonsense", "If-Unmodified-Since": AFTER}, 412),
        # The If-None-Match counts as well.
        ({"If-Unmodified-Since": BEFORE, "If-None-Match": '"other"'}, 412),
        ({"If-Unmodified-Since": AFTER, "If-None-Match": ETAG}, 412),
        ({"If-Unmodified-Since": AFTER, "If-None-Match": '"other"'}, 200),
        # Section 13.1.3: only of a GET or HEAD.
        ({"If-Modified-Since": AFTER}, 200),
    ],
)
def test_an_overwrite_keeps_to_its_date(
    storage: DatabaseStorage, uploader: Uploader, fields: dict[str, str], status: int
) -> None:
    storage.save("a.pdf", CONTENT)
    StoredFile.objects.update(modified=SAVED)
    url = storage.upload_url("a.pdf", max_size=SIZE, overwrite=True)
    assert uploader.put(url, b"new", fields).status_code == status
    assert content_of("a.pdf") == (b"new" if status == 200 else CONTENT)


def test_the_date_of_an_answer_is_one_for_an_overwrite(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    storage.save("a.pdf", CONTENT)
    date = Client().get(storage.url("a.pdf"))["Last-Modified"]
    url = storage.upload_url("a.pdf", max_size=SIZE, overwrite=True)
    assert uploader.put(url, b"new", {"If-Unmodified-Since": date}).status_code == 200
    StoredFile.objects.update(modified=timezone.now() + timedelta(seconds=2))
    assert uploader.put(url, b"newer", {"If-Unmodified-Since": date}).status_code == 412
    assert content_of("a.pdf") == b"new"


def test_a_file_that_was_deleted_is_not_unmodified(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.pdf", max_size=SIZE, overwrite=True)
    assert uploader.put(url, b"new", {"If-Unmodified-Since": AFTER}).status_code == 412
    assert not StoredFile.rows.exists()


@pytest.mark.parametrize(
    ("old", "new", "overwrite", "fields", "status"),
    [
        (None, b"another", False, {}, 409),
        (None, b"another", True, {"If-None-Match": "*"}, 412),
        (None, b"another", True, {"If-None-Match": etag_of(b"another")}, 412),
        (None, b"another", True, {"If-None-Match": f"W/{etag_of(b'another')}"}, 412),
        (b"x", b"another", True, {"If-Match": etag_of(b"x")}, 412),
        (b"x", b"another", True, {"If-Match": "*"}, 412),
        (b"x", b"another", True, {"If-None-Match": etag_of(b"another")}, 412),
        (b"x", b"another", True, {"If-Unmodified-Since": NEVER}, 412),
        (b"x", None, True, {"If-Match": "*"}, 412),
        (b"x", None, True, {"If-Unmodified-Since": NEVER}, 412),
        (b"x", b"another", True, {}, 200),
        (b"x", b"another", True, {"If-Unmodified-Since": "no date"}, 200),
    ],
)
def test_what_happens_while_the_body_comes_counts(
    database: str,
    receiver: Receiver,
    uploader: Uploader,
    old: bytes | None,
    new: bytes | None,
    overwrite: bool,  # noqa: FBT001
    fields: dict[str, str],
    status: int,
) -> None:
    storage = receiver()
    if old is not None:
        storage.save("a.pdf", old)

    def another_save() -> None:
        storage.delete("a.pdf")
        if new is not None:
            storage.save("a.pdf", new)

    url = storage.upload_url("a.pdf", max_size=SIZE, overwrite=overwrite)
    sent = {"CONTENT_LENGTH": "3", "wsgi.input": Wire(b"new", meanwhile=another_save)}
    answer = uploader.ask("PUT", url, fields=fields, **sent)
    assert answer.status_code == status
    rows = StoredFile.rows.using(database)
    if status != 200 and new is None:
        assert not rows.exists()
    else:
        assert content_of("a.pdf") == (b"new" if status == 200 else new)
        assert rows.count() == 1


@pytest.mark.parametrize("name", ["in", "in/a.txt/b.txt"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_name_without_room_is_refused_before_the_body_is_read(
    storage: DatabaseStorage,
    uploader: Uploader,
    name: str,
    overwrite: bool,  # noqa: FBT001
) -> None:
    storage.save("in/a.txt", b"x")
    url = storage.upload_url(name, max_size=SIZE, overwrite=overwrite)
    answer = uploader.ask("PUT", url, CONTENT_LENGTH="3")  # The body doesn't come.
    assert (answer.status_code, answer.json()["reason"]) == (409, "taken")


def test_a_link_for_one_content_takes_no_other(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.pdf", max_size=SIZE, sha256=SHA256.hexdigest().upper())
    answer = uploader.put(url, b"other")
    assert (answer.status_code, answer.json()["reason"]) == (422, "content")
    assert uploader.put(url, CONTENT).status_code == 201


@pytest.mark.parametrize("arguments", [{"prefix": "in"}, {}], ids=["below", "nowhere"])
def test_a_link_without_a_name_takes_no_put(
    storage: DatabaseStorage, uploader: Uploader, arguments: dict[str, Any]
) -> None:
    answer = uploader.put(storage.upload_url(max_size=SIZE, **arguments), CONTENT)
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


def test_the_type_is_ours_and_not_the_clients(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    uploader.put(storage.upload_url("a.pdf", max_size=SIZE), CONTENT)
    assert storage.stat("a.pdf").content_type == "application/pdf"


def test_a_put_without_a_token_is_not_allowed() -> None:
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        answer = Client().generic(method, "/files/a.pdf", b"x")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert "Tus-Resumable" not in answer
