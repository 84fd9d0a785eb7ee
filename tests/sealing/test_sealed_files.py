"""Encrypted files work as plain ones do, on each database."""

import dataclasses
import hashlib
import io
import random
import re
import zipfile
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.test import AsyncClient, Client

from secure_dbstorage.exceptions import (
    FileTooLarge,
    KeyLost,
    KeyServiceUnavailable,
    SealBroken,
)
from secure_dbstorage.files import FileStat
from secure_dbstorage.models import StoredFile
from secure_dbstorage.receiving.claims import claim
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.verification import verify
from tests.support.files import LARGE, captured, read
from tests.support.sealing import OLD_KEY, Seal, Service
from tests.support.serving import ask, body_of
from tests.support.uploads import Uploader

#: Around the length of a row, and more rows than one query fetches at first.
SIZES = [0, 1, 4095, 4096, 4097, 8192, 3 * 4096 + 5, 40 * 4096]


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def rows_of(storage: DatabaseStorage, name: str) -> list[bytes]:
    key = storage.catalog.get(name).content.key
    rows = StoredFile.rows.using(storage.catalog.writer).of(key).order_by("position")
    return [bytes(row.data) for row in rows]


def test_what_is_saved_is_read_again_and_is_nowhere_as_it_was(storage: DatabaseStorage) -> None:
    for size in SIZES:
        content = content_of(size)
        storage.save(f"{size}.bin", ContentFile(content))
        assert read(storage, f"{size}.bin") == content
        with storage.open(f"{size}.bin") as file:
            assert b"".join(file.chunks()) == content
        rows = rows_of(storage, f"{size}.bin")
        lengths = [len(content[start : start + 4096]) + 28 for start in range(0, size, 4096)]
        assert list(map(len, rows)) == lengths or (size, rows) == (0, [b""])
        if size >= 16:  # By chance, one byte of 256 is encrypted as itself.
            assert not any(content[:16] in row for row in rows)


def test_any_part_is_read(storage: DatabaseStorage, client: Client) -> None:
    content, pick = content_of(40 * 4096 + 77), random.Random(1)
    storage.save("a.bin", ContentFile(content))
    head = storage.catalog.get("a.bin")
    bounds = [0, 1, 4095, 4096, 4097, 8191, 8192, len(content) - 1, len(content)]
    spans = [(start, stop) for start in bounds for stop in bounds if start <= stop]
    spans += [tuple(sorted(pick.sample(range(len(content) + 1), 2))) for _ in range(40)]
    for start, stop in spans:
        assert b"".join(storage.catalog.stream(head, start, stop)) == content[start:stop]
    with storage.open("a.bin") as file:
        for start, stop in spans[:20]:
            file.seek(start)
            assert file.read(stop - start) == content[start:stop]
    url = storage.url("a.bin")
    for asked, part in (("5-9", content[5:10]), ("4000-4200", content[4000:4201])):
        assert ask(client, url, asked) == (206, part)
    assert ask(client, url, "-5") == (206, content[-5:])


@pytest.mark.parametrize(
    ("start", "stop", "rows"),
    [
        (5, 9, [(0, 1)]),
        (4096, 8192, [(1, 2)]),
        (8191, 8193, [(1, 3)]),
        (163830, 163917, [(39, 41)]),
    ],
)
def test_a_range_fetches_the_rows_that_it_touches_and_no_others(
    storage: DatabaseStorage, database: str, start: int, stop: int, rows: list[tuple[int, int]]
) -> None:
    content = content_of(40 * 4096 + 77)
    storage.save("a.bin", ContentFile(content))
    head = storage.catalog.get("a.bin")
    with captured(database) as queries:
        assert b"".join(storage.catalog.stream(head, start, stop)) == content[start:stop]
    bounds = re.findall(r"position\W+>= (\d+) AND \W?position\W+< (\d+)", queries.text)
    assert [(int(first), int(last)) for first, last in bounds] == rows
    assert queries.verbs == ["SELECT"] * len(rows)


def test_every_mode_of_open_works(storage: DatabaseStorage) -> None:
    with storage.open("a.txt", "x") as file:
        file.write("one\n" * 2000)
    first = storage.catalog.get("a.txt").content
    with storage.open("a.txt", "a") as file:
        file.write("two")
    with storage.open("a.txt", "r+b") as file:
        file.seek(4)
        file.write(b"ONE")
    assert read(storage, "a.txt", "r") == "one\nONE\n" + "one\n" * 1998 + "two"
    with storage.open("a.txt", "w") as file:
        file.write("ü")
    assert read(storage, "a.txt") == "ü".encode()
    # Each is sealed anew: with the key of another content, no row opens.
    assert storage.catalog.get("a.txt").content.key != first.key


def test_its_name_flag_and_links_change_without_a_key(
    storage: DatabaseStorage, seal: Seal, client: Client
) -> None:
    storage.save("a.txt", b"text")
    storage = seal(encryption_keys=[OLD_KEY])  # Nothing opens it now.
    assert storage.rename("a.txt", "b.txt") == "b.txt"
    storage.set_public("b.txt", public=True)
    storage.revoke_urls("b.txt")
    assert storage.listdir("") == ([], ["b.txt"])
    stat = storage.stat("b.txt")
    assert (stat.size, stat.is_public, stat.content_type) == (4, True, "text/plain")
    assert client.head(storage.url("b.txt")).status_code == 200
    storage.delete("b.txt")
    assert not storage.exists("b.txt")


def test_the_digest_is_opened_when_it_is_asked_for(storage: DatabaseStorage, seal: Seal) -> None:
    storage.save("a.txt", b"text")
    digest = hashlib.sha256(b"text").hexdigest()
    stat = storage.stat("a.txt")
    assert isinstance(stat, FileStat)
    assert stat.sha256 == digest
    assert dataclasses.asdict(stat)["sha256"] == digest
    stored = StoredFile.objects.using(storage.catalog.writer).get()
    assert stat.etag == f'"{stored.sha256}"'
    assert digest not in (stored.sha256, repr(stat))
    stat = seal(encryption_keys=[OLD_KEY]).stat("a.txt")
    assert stat.etag == f'"{stored.sha256}"'
    with pytest.raises(KeyLost):
        _ = stat.sha256
    with pytest.raises(AttributeError):
        _ = stat.md5  # type: ignore[attr-defined]


def test_one_content_has_another_tag_each_time(storage: DatabaseStorage) -> None:
    stats = [storage.stat(storage.save(name, b"the same")) for name in ("a.txt", "b.txt")]
    assert stats[0].sha256 == stats[1].sha256
    assert stats[0].etag != stats[1].etag


def test_a_tag_is_a_strong_validator(storage: DatabaseStorage, client: Client) -> None:
    storage.save("a.txt", LARGE)
    url = storage.url("a.txt")
    etag = client.get(url, headers={"Accept-Encoding": "identity"})["ETag"]
    assert etag == storage.stat("a.txt").etag
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    headers = {"If-Range": etag}
    assert ask(client, url, "4090-4100", headers=headers) == (206, LARGE[4090:4101])


def test_a_file_is_served_under_asgi_too(storage: DatabaseStorage) -> None:
    content = content_of(3 * 4096 + 5)
    storage.save("a.bin", ContentFile(content))
    url = storage.url("a.bin")

    async def served() -> bytes:
        answer: Any = await AsyncClient().get(url)
        return b"".join([piece async for piece in answer])

    assert async_to_sync(served)() == content


def test_a_one_time_link_works_once(storage: DatabaseStorage, client: Client) -> None:
    storage.save("a.txt", b"0123456789")
    url = storage.url("a.txt", uses=1)
    assert ask(client, url) == (200, b"0123456789")
    assert client.get(url).status_code == 403


def test_an_archive_holds_plain_and_encrypted_files(
    storage: DatabaseStorage, seal: Seal, client: Client
) -> None:
    contents = {f"a/{size}.bin": content_of(size) for size in SIZES}
    for name, content in contents.items():
        storage.save(name, ContentFile(content))
    plain = seal(encryption_keys=None)
    plain.save("a/plain.txt", b"plain")
    answer = client.get(seal().zip_url(prefix="a"))
    with zipfile.ZipFile(io.BytesIO(body_of(answer))) as packed:
        assert packed.testzip() is None
        assert {f"a/{name}": packed.read(name) for name in packed.namelist()} == {
            **contents,
            "a/plain.txt": b"plain",
        }


@pytest.mark.django_db
def test_an_archive_is_not_begun_while_a_service_is_down(seal: Seal, client: Client) -> None:
    service = Service()
    seal(encryption_keys=None).save("a/1.txt", b"plain")
    storage = seal(encryption_keys=[service])
    storage.save("a/2.txt", b"encrypted")
    service.error = OSError("down")
    url = storage.zip_url(prefix="a")
    assert client.get(url).status_code == 503
    service.error = None
    assert client.get(url).status_code == 200


@pytest.mark.django_db
def test_an_outage_that_an_archive_meets_midway_is_logged_once(
    seal: Seal, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    storage = seal(encryption_keys=[service])
    for name in ("a/1.bin", "a/2.bin"):
        storage.save(name, LARGE)
    url = storage.zip_url(prefix="a")
    answers = [client.get(url) for _ in range(2)]
    service.error = OSError("down")
    for answer in answers:
        with pytest.raises(KeyServiceUnavailable):
            body_of(answer)
    assert caplog.messages.count("The key service 'service/1' is down") == 1
    service.error = None
    assert len(body_of(client.get(url))) > 2 * len(LARGE)
    assert caplog.messages.count("The key service 'service/1' is back") == 1


def test_what_was_plain_stays_readable_and_an_overwrite_seals_it(
    seal: Seal, database: str
) -> None:
    options = {"allow_overwrite": True}
    seal(encryption_keys=None, **options).save("a.txt", LARGE)
    storage = seal(**options)
    assert read(storage, "a.txt") == LARGE
    assert storage.stat("a.txt").etag == f'"{hashlib.sha256(LARGE).hexdigest()}"'
    storage.save("a.txt", LARGE)
    assert storage.catalog.get("a.txt").content.seal is not None
    # And back: no column of an encrypted file is left behind.
    storage = seal(encryption_keys=None, **options)
    storage.save("a.txt", b"plain")
    assert read(storage, "a.txt") == b"plain"
    assert StoredFile.objects.using(database).get().sealed_key is None


def test_a_save_that_fails_or_is_rolled_back_leaves_nothing(seal: Seal, database: str) -> None:
    storage = seal(max_size=10_000)
    with pytest.raises(FileTooLarge):
        storage.save("a.txt", LARGE)
    with transaction.atomic(using=database):
        storage.save("b.txt", b"text")
        transaction.set_rollback(True, using=database)
    assert not StoredFile.rows.using(database).exists()


def test_verification_finds_what_was_changed_and_what_can_not_be_opened(
    storage: DatabaseStorage, seal: Seal, database: str
) -> None:
    for name in ("a.txt", "b.txt"):
        storage.save(name, LARGE)
    assert not any(file.problems for file in verify(storage))
    key = storage.catalog.get("a.txt").content.key
    StoredFile.rows.using(database).of(key).filter(position=1).update(data=b"x" * 4124)
    problems = {file.name: file.problems for file in verify(storage)}
    assert problems["b.txt"] == ()
    assert "encrypted content was changed after 4,096 of 13,312" in problems["a.txt"][0]
    problems = {file.name: file.problems for file in verify(seal(encryption_keys=[OLD_KEY]))}
    assert all("No key in encryption_keys has the id" in found[0] for found in problems.values())


def test_verification_finds_an_entity_tag_of_another_content(
    storage: DatabaseStorage, database: str
) -> None:
    storage.save("a.txt", LARGE)
    StoredFile.rows.using(database).filter(position=0).update(sha256="0" * 64)
    (file,) = verify(storage)
    assert file.problems == ("the entity tag is not that of the content",)


def test_an_upload_grows_and_gets_its_name(storage: DatabaseStorage, client: Client) -> None:
    content, uploader = content_of(3 * 4096 + 5), Uploader(client)
    part = uploader.begun(storage.upload_url("in/a.bin", max_size=20_000), len(content))
    offset = 0
    for length in (10, 0, 4086, 1, 5000, len(content)):
        piece = content[offset : offset + length]
        assert uploader.patch(part, offset, piece).status_code == 204
        offset += len(piece)
        assert uploader.offset(part) == offset
    assert read(storage, "in/a.bin") == content
    stat = storage.stat("in/a.bin")
    assert stat.sha256 == hashlib.sha256(content).hexdigest()
    assert ask(client, storage.url("in/a.bin")) == (200, content)
    assert not any(file.problems for file in verify(storage))


def test_no_nonce_comes_twice_while_a_row_grows(storage: DatabaseStorage, database: str) -> None:
    uploader, nonces = Uploader(), set()
    part = uploader.begun(storage.upload_url("a.bin", max_size=20_000), 100)
    for offset in range(99):
        uploader.patch(part, offset, b"x")
        (row,) = StoredFile.rows.using(database).values_list("data", flat=True)
        nonces.add(bytes(row)[:12])
    assert len(nonces) == 99


@pytest.mark.parametrize("size", [0, 5, 4096, 10_000])
def test_a_put_gets_the_entity_tag_of_the_file(storage: DatabaseStorage, size: int) -> None:
    content = content_of(size)
    url = storage.upload_url("a.bin", max_size=20_000, sha256=hashlib.sha256(content).hexdigest())
    answer = Uploader().put(url, content)
    assert answer.status_code == 201
    assert answer["ETag"] == storage.stat("a.bin").etag
    assert read(storage, "a.bin") == content
    assert storage.stat("a.bin").sha256 == hashlib.sha256(content).hexdigest()


def test_a_form_takes_an_upload_over(storage: DatabaseStorage, database: str) -> None:
    part = Uploader().sent(storage.upload_url(max_size=50_000), LARGE)
    received = claim(f"http://testserver{part}", storage)
    assert received.read() == LARGE
    with captured(database) as queries:
        name = storage.save("a.txt", received)
    assert "INSERT" not in queries.verbs
    assert read(storage, name) == LARGE
    assert storage.stat(name).sha256 == hashlib.sha256(LARGE).hexdigest()
    # A second time, its bytes are copied.
    other = storage.save("b.txt", received)
    assert read(storage, other) == LARGE


def test_a_storage_without_keys_asks_what_it_always_asked(database: str) -> None:
    storage = storages["default"]
    with captured(database) as queries:
        storage.save("a.txt", SimpleUploadedFile("a.txt", b"text"))
        read(storage, "a.txt")
    plain = queries.verbs
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM secure_dbstorage_storedfile WHERE sealed_key IS NULL")
        assert cursor.fetchone() == (1,)
    assert plain.count("INSERT") == 1


@pytest.mark.parametrize("content", [LARGE, b"small"], ids=["rows", "one row"])
def test_encryption_asks_nothing_more(seal: Seal, database: str, content: bytes) -> None:
    def verbs(**options: Any) -> list[str]:
        storage = seal(**options)
        with captured(database) as queries:
            name = storage.save("a.txt", content)
            read(storage, name)
            storage.url(name)
            storage.delete(name)
        return queries.verbs

    assert verbs() == verbs(encryption_keys=None)


def test_what_was_deleted_or_overwritten_comes_back(
    seal: Seal, database: str, client: Client
) -> None:
    storage = seal(keep_deleted=3600, allow_overwrite=True)
    old, new = content_of(3 * 4096 + 5), content_of(10)
    storage.save("a.bin", ContentFile(old))
    storage.save("a.bin", ContentFile(new))
    storage.delete("a.bin")
    last, first = storage.versions("a.bin")
    digests = [hashlib.sha256(content).hexdigest() for content in (new, old)]
    assert [last.sha256, first.sha256] == digests
    assert not {last.etag, first.etag} & {f'"{digest}"' for digest in digests}
    assert not [found.problems for found in verify(storage) if found.problems]
    storage.undelete("a.bin", version=first)
    assert read(storage, "a.bin") == old
    assert ask(client, storage.url("a.bin"), "0-4") == (206, old[:5])
    # A lost key hides no deleted file.
    lost = seal(keep_deleted=3600, encryption_keys=[OLD_KEY])
    (found,) = lost.versions("a.bin")
    with pytest.raises(KeyLost):
        assert found.sha256


@pytest.mark.django_db
def test_an_outage_that_only_uploads_meet_is_logged_once(
    seal: Seal, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(error=OSError("down"))
    storage = seal(encryption_keys=[service])
    urls = [storage.upload_url(f"{number}.bin", max_size=100) for number in range(2)]
    assert [Uploader().put(url, b"text").status_code for url in urls] == [503, 503]
    assert caplog.messages.count("The key service 'service/1' is down") == 1
    service.error = None
    assert Uploader().put(urls[0], b"text").status_code == 201
    assert caplog.messages.count("The key service 'service/1' is back") == 1


@pytest.mark.django_db
def test_a_key_that_was_kept_ends_no_outage(
    seal: Seal, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    storage = seal(encryption_keys=[service, OLD_KEY])
    urls = [storage.url(storage.save(name, b"text")) for name in ("kept.txt", "asked.txt")]
    local = seal(encryption_keys=[OLD_KEY, service])
    urls.append(local.url(local.save("local.txt", b"text")))
    assert client.get(urls[0]).status_code == 200
    service.error = OSError("down")
    statuses = [client.get(url).status_code for url in (urls[1], urls[0], urls[2], urls[1])]
    assert statuses == [503, 200, 200, 503]
    told = [message for message in caplog.messages if message.startswith("The key service")]
    assert told == ["The key service 'service/1' is down"]
    service.error = None
    assert client.get(urls[1]).status_code == 200
    assert caplog.messages.count("The key service 'service/1' is back") == 1


@pytest.mark.django_db
def test_a_key_service_that_refuses_has_answered(
    seal: Seal, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    storage = seal(encryption_keys=[service])
    url = storage.url(storage.save("a.txt", b"text"))
    service.error = OSError("down")
    assert client.get(url).status_code == 503
    service.error = SealBroken("Not wrapped by this key")
    client.raise_request_exception = False
    assert client.get(url).status_code == 500
    assert caplog.messages.count("The key service 'service/1' is back") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OSError("down"), KeyServiceUnavailable("down")])
def test_one_key_service_that_is_down_is_logged_once_while_another_answers(
    seal: Seal, client: Client, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = Service("service/old"), Service("service/new")
    storage = seal(encryption_keys=[old])
    url = storage.url(storage.save("a.txt", b"text"))
    storage = seal(encryption_keys=[new, old])
    old.error = error
    for number in range(2):
        assert client.get(url).status_code == 503
        upload = storage.upload_url(f"{number}.txt", max_size=100)
        assert Uploader().put(upload, b"text").status_code == 201
    old.error = None
    assert client.get(url).status_code == 200
    told = [message for message in caplog.messages if message.startswith("The key service")]
    what = "The key service 'service/old'"
    assert told == [f"{what} is down", f"{what} is back"]
