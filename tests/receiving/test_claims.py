"""Uploads that a form takes over: the file, the save, and whatever comes between."""

import hashlib
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.core.validators import FileExtensionValidator
from django.db import connections, transaction
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from secure_dbstorage.exceptions import BadToken, FileTooLarge, UploadGone, UploadIncomplete
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.models import StoredFile
from secure_dbstorage.receiving.claims import claim
from secure_dbstorage.signals import file_saved
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import adopting, uploads
from tests.receiving.conftest import Receiver
from tests.support.uploads import CONTENT, Uploader
from tests.testapp.models import Book

SIZE = len(CONTENT)

#: More than everyone may read for its digest.
LARGE = CONTENT * (5 * 2**20 // SIZE)


def sent(storage: DatabaseStorage, data: bytes = CONTENT, name: str = "a.txt") -> str:
    """Return the URL of an upload that waits for a form."""
    return Uploader().sent(storage.upload_url(max_size=SIZE), data, name)


def sent_in_two(storage: DatabaseStorage) -> str:
    """Return the URL of a large upload whose digest is not known yet, but wanted by its link."""
    url = storage.upload_url(max_size=len(LARGE), sha256=hashlib.sha256(LARGE).hexdigest())
    part = Uploader().begun(url, len(LARGE))
    Uploader().patch(part, 0, LARGE[:-1])
    Uploader().patch(part, len(LARGE) - 1, LARGE[-1:])
    return part


def content_of(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        return bytes(file.read())


@pytest.mark.django_db
class TestFile:
    """What a form gets."""

    def test_it_is_read_as_any_uploaded_file(self, receiver: Receiver) -> None:
        file = claim(sent(receiver(), name="dir/Fé.TXT"), receiver())
        assert (file.name, file.size, file.content_type) == ("Fé.TXT", SIZE, "text/plain")
        assert file.read(10) == CONTENT[:10]
        file.seek(5000)
        assert file.read(5) == CONTENT[5000:5005]
        assert b"".join(file.chunks(1000)) == CONTENT
        file.close()
        with file.open() as again:
            assert again.read() == CONTENT

    def test_a_client_may_give_no_name(self, receiver: Receiver, uploader: Uploader) -> None:
        answer = uploader.create(receiver().upload_url(max_size=9), 3, b"abc")
        assert claim(answer["Location"], receiver()).name == "upload"

    def test_its_type_is_that_of_the_file_that_a_model_saves(self, receiver: Receiver) -> None:
        storage = receiver()
        file = claim(sent(storage, name="a b.p★df"), storage)
        assert (file.name, file.content_type) == ("a b.p★df", "application/pdf")
        book = Book.objects.create(text=file)
        assert book.text.name == "books/a_b.pdf"

    def test_validators_work(self, receiver: Receiver) -> None:
        file = claim(sent(receiver(), name="a.exe"), receiver())
        with pytest.raises(ValidationError):
            FileExtensionValidator(["txt"])(file)

    def test_a_url_with_a_host_is_the_same(self, receiver: Receiver) -> None:
        assert claim(f"https://example.com{sent(receiver())}", receiver()).read() == CONTENT

    @pytest.mark.parametrize(
        "change",
        [
            lambda url: "",
            lambda url: "x" * 10000,
            lambda url: "//[",
            lambda url: url.partition("?")[0],
            lambda url: url[:-1] + ("A" if url[-1] != "A" else "B"),
            lambda url: url + "&" + url.partition("?")[2],
            lambda url: url.replace("/~?", "/a.txt?"),
            lambda url: storages["default"].upload_url(max_size=9),
            lambda url: storages["default"].url("a.txt"),
            lambda url: Uploader().begun(storages["default"].upload_url("~", max_size=9), 9),
            lambda url: Uploader().begun(storages["default"].upload_url(prefix="", max_size=9), 9),
            lambda url: sent(storages["invoices"]),
        ],
    )
    def test_what_is_no_such_upload_is_not_believed(self, receiver: Receiver, change: Any) -> None:
        storage = receiver()
        storage.save("a.txt", b"x")
        with pytest.raises(BadToken):
            claim(change(sent(storage)), storage)

    def test_a_link_for_one_content_brings_no_other(self, receiver: Receiver) -> None:
        storage, sha256 = receiver(), hashlib.sha256(CONTENT).hexdigest()
        url = storage.upload_url(max_size=SIZE, sha256=sha256)
        assert claim(Uploader().sent(url), storage).read() == CONTENT
        with pytest.raises(BadToken):
            claim(Uploader().sent(url, CONTENT[:-1] + b"x"), storage)

    @pytest.mark.django_db(transaction=True)
    def test_one_request_at_a_time_reads_a_large_one_for_its_digest(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage, read, digest = receiver(chunk_size=256 * 1024), list[bool](), adopting._digest
        part = sent_in_two(storage)

        def slow(*arguments: Any) -> str:
            read.append(True)
            with pytest.raises(UploadIncomplete):
                claim(part, storage)
            return digest(*arguments)

        monkeypatch.setattr(adopting, "_digest", slow)
        assert claim(part, storage).size == len(LARGE)
        assert claim(part, storage).size == len(LARGE)
        assert read == [True]
        assert not StoredFile.rows.use_marks().exists()

    def test_an_upload_is_claimed_when_all_of_it_is_there(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        part = uploader.begun(receiver().upload_url(max_size=SIZE), SIZE)
        uploader.patch(part, 0, CONTENT[:-1])
        with pytest.raises(UploadIncomplete):
            claim(part, receiver())
        uploader.patch(part, SIZE - 1, CONTENT[-1:])
        assert claim(part, receiver()).read() == CONTENT

    def test_an_upload_that_is_gone_is_not_claimed(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        storage = receiver()
        taken, deleted, late = sent(storage), sent(storage), sent(storage)
        storage.save("a.txt", claim(taken, storage))
        uploader.tus("DELETE", deleted)
        StoredFile.rows.unfinished().update(expires=timezone.now())
        for url in (taken, deleted, late):
            with pytest.raises(UploadGone):
                claim(url, storage)


@pytest.mark.django_db
class TestAdoption:
    """``save()`` takes the rows over."""

    @pytest.fixture
    def storage(self, database: str, receiver: Receiver) -> DatabaseStorage:
        """Return a storage in each of the databases."""
        return receiver()

    def test_no_byte_is_written(self, storage: DatabaseStorage, database: str) -> None:
        file = claim(sent(storage), storage)
        before = {row.pk for row in StoredFile.rows.using(database)}
        with CaptureQueriesContext(connections[database]) as captured:
            name = storage.save("x/a.txt", file)
        statements = [query["sql"].split()[0] for query in captured.captured_queries]
        assert statements.count("UPDATE") == 1
        assert "INSERT" not in statements
        assert {row.pk for row in StoredFile.rows.using(database)} == before
        assert content_of(storage, name) == CONTENT
        stat = storage.stat(name)
        assert stat.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert (stat.size, stat.content_type, stat.is_public) == (SIZE, "text/plain", False)
        assert stat.expires is None

    def test_a_taken_name_gets_another(self, storage: DatabaseStorage) -> None:
        storage.save("a.txt", b"old")
        name = storage.save("a.txt", claim(sent(storage), storage))
        assert name != "a.txt"
        assert content_of(storage, name) == CONTENT

    def test_a_rollback_makes_it_an_upload_again(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        url = sent(storage)
        with transaction.atomic(using=database):
            storage.save("a.txt", claim(url, storage))
            transaction.set_rollback(True, using=database)
        assert not storage.exists("a.txt")
        file = claim(url, storage)
        assert content_of(storage, storage.save("b.txt", file)) == CONTENT

    def test_a_second_save_of_the_file_copies_it(self, storage: DatabaseStorage) -> None:
        file = claim(sent(storage), storage)
        one, two = storage.save("a.txt", file), storage.save("a.txt", file)
        assert one != two
        storage.delete(one)
        assert content_of(storage, two) == CONTENT

    @pytest.mark.parametrize("overwrites", [False, True])
    def test_of_two_that_take_one_upload_at_a_moment_one_has_it(
        self, receiver: Receiver, storage: DatabaseStorage, *, overwrites: bool
    ) -> None:
        """Or one upload and many small forms would make many files."""
        storage = receiver(allow_overwrite=overwrites)
        url = sent(storage)
        one, two = claim(url, storage), claim(url, storage)
        storage.save("a.txt", one)
        for _ in range(2):
            with pytest.raises(UploadGone):
                storage.save("b.txt", two)
        assert storage.listdir("") == ([], ["a.txt"])
        assert content_of(storage, storage.save("b.txt", one)) == CONTENT

    @pytest.mark.parametrize("overwrites", [False, True])
    @pytest.mark.parametrize("failure", ["rollback", "too large", "below a file"])
    def test_a_save_that_failed_entitles_to_no_copy(
        self, receiver: Receiver, database: str, failure: str, *, overwrites: bool
    ) -> None:
        """Or two files would come from one upload."""
        storage = receiver(allow_overwrite=overwrites)
        storage.save("file", b"")
        url = sent(storage)
        one, two = claim(url, storage), claim(url, storage)
        if failure == "rollback":
            with transaction.atomic(using=database):
                storage.save("a.txt", one)
                transaction.set_rollback(True, using=database)
        elif failure == "too large":
            with pytest.raises(FileTooLarge):
                receiver(max_size=SIZE - 1).save("a.txt", one)
            storage = receiver(max_size=None)
        else:
            with pytest.raises(FileExistsError):
                storage.save("file/a.txt", one)
        storage.save("b.txt", two)
        for _ in range(2):
            with pytest.raises(UploadGone):
                storage.save("c.txt", one)
        assert storage.listdir("") == ([], ["b.txt", "file"])

    def test_an_upload_that_was_deleted_meanwhile_is_gone(
        self, storage: DatabaseStorage, database: str
    ) -> None:
        file = claim(sent(storage), storage)
        assert uploads.delete(file.upload.content.key, using=database)
        with pytest.raises(UploadGone):
            storage.save("a.txt", file)
        assert not storage.exists("a.txt")

    def test_an_upload_takes_the_place_of_a_file(
        self, receiver: Receiver, storage: DatabaseStorage
    ) -> None:
        storage = receiver(allow_overwrite=True)
        storage.save("a.txt", b"old")
        storage.set_public("a.txt", public=True)
        before = storage.catalog.get("a.txt")
        assert storage.save("a.txt", claim(sent(storage), storage)) == "a.txt"
        after = storage.catalog.get("a.txt")
        assert content_of(storage, "a.txt") == CONTENT
        assert (after.link_epoch, after.stat.is_public) == (before.link_epoch, True)


@pytest.mark.django_db
class TestSaving:
    """What else a save does."""

    def test_any_other_storage_copies_it(self, receiver: Receiver, tmp_path: Any) -> None:
        file = claim(sent(receiver()), receiver())
        invoices = storages["invoices"]
        for storage in (invoices, FileSystemStorage(tmp_path)):
            assert content_of(storage, storage.save("a.txt", file)) == CONTENT
        assert StoredFile.rows.unfinished().count() == 1
        assert receiver().save("b.txt", file) == "b.txt"
        assert not StoredFile.rows.unfinished().exists()

    def test_a_limit_of_the_storage_holds(self, receiver: Receiver) -> None:
        url = sent(receiver())
        storage = receiver(max_size=SIZE - 1)
        with pytest.raises(FileTooLarge):
            storage.save("a.txt", claim(url, storage))

    def test_a_time_for_new_files_holds(self, receiver: Receiver) -> None:
        storage = receiver(delete_after=60)
        name = storage.save("a.txt", claim(sent(storage), storage))
        assert storage.stat(name).expires

    def test_it_is_announced_as_a_save(
        self, receiver: Receiver, django_capture_on_commit_callbacks: Any
    ) -> None:
        heard: list[Any] = []

        def hear(sender: object, **told: Any) -> None:
            heard.append((told["name"], told["created"]))

        file_saved.connect(hear)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                receiver().save("a.txt", claim(sent(receiver()), receiver()))
        finally:
            file_saved.disconnect(hear)
        assert heard == [("a.txt", True)]

    def test_a_model_field_takes_it(self, receiver: Receiver) -> None:
        book = Book.objects.create(text=claim(sent(receiver()), receiver()))
        assert content_of(receiver(), book.text.name) == CONTENT
        assert StoredFile.rows.unfinished().count() == 0

    def test_an_instance_that_is_saved_again_after_a_rollback_has_it(
        self, receiver: Receiver
    ) -> None:
        book = Book(text=claim(sent(receiver()), receiver()))
        with transaction.atomic():
            book.save()
            transaction.set_rollback(True)
        book.pk, book._state.adding = None, True
        book.save()
        assert content_of(receiver(), str(book.text)) == CONTENT
        assert StoredFile.rows.unfinished().count() == 0

    def test_a_pieced_wrapper_is_copied(self, receiver: Receiver) -> None:
        file = claim(sent(receiver()), receiver())
        receiver().save("a.txt", ContentFile(file.read()))
        assert StoredFile.rows.unfinished().count() == 1


class TestInTestCase(TestCase):
    """A TestCase of Django's, which rolls everything back."""

    def test_an_upload_goes_all_the_way(self) -> None:
        storage = storages["default"]
        file: ReceivedFile = claim(sent(storage), storage)
        assert content_of(storage, storage.save("a.txt", file)) == CONTENT

    def test_nothing_is_left_of_the_other_test(self) -> None:
        assert not StoredFile.rows.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
def test_nobody_waits_for_a_transaction_in_which_a_large_one_is_read(
    database: str, receiver: Receiver
) -> None:
    """As with ATOMIC_REQUESTS, whose transaction ends with the request. SQLite has no locks."""
    storage, met = receiver(chunk_size=256 * 1024), list[object]()
    part = sent_in_two(storage)

    def claim_too() -> None:
        try:
            with transaction.atomic(using=database):
                claim(part, storage)
        except UploadIncomplete as error:
            met.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=claim_too)
    with transaction.atomic(using=database):
        assert claim(part, storage).size == len(LARGE)
        other.start()
        other.join(5)
        is_done = not other.is_alive()
    other.join(60)
    assert (is_done, len(met)) == (True, 1)
    assert claim(part, storage).size == len(LARGE)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(2))
def test_a_prune_beside_an_adoption_loses_nothing(
    database: str, receiver: Receiver, number: int
) -> None:
    storage = receiver()
    url = sent(storage)
    file = claim(url, storage)
    start = threading.Barrier(2)
    pruned: list[bool] = []

    def prune() -> None:
        try:
            start.wait(60)
            later = timezone.now() + timedelta(days=2)
            key = file.upload.content.key
            pruned.append(uploads.delete_expired(key, now=later, using=database))
        finally:
            connections.close_all()

    thread = threading.Thread(target=prune)
    thread.start()
    start.wait(60)
    try:
        name = storage.save("a.txt", file)
    except UploadGone:
        name = ""
    thread.join(60)
    assert pruned == [not name]
    if name:
        assert content_of(storage, name) == CONTENT
    else:
        assert not StoredFile.rows.using(database).exists()


def test_a_token_stands_in_the_query_alone(receiver: Receiver, db: None) -> None:
    url = sent(receiver())
    assert [name for name, _ in parse_qsl(urlsplit(url).query)] == ["token"]
