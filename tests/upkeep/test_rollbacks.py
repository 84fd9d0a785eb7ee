"""An instance is saved, rolled back and saved again: its file is there, as on a disk."""

import copy
import gc
import io
import pickle
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import IntegrityError, OperationalError, connections, models, transaction
from django.test.utils import CaptureQueriesContext, isolate_apps
from PIL import Image
from pytest_django import Settings

from tests.support.files import captured
from tests.testapp.models import Book, Letter

pytestmark = pytest.mark.django_db(transaction=True, databases=["default"])

CONTENT = b"my only copy"


class Rollback(Exception):
    """Raised to roll back."""


def file(name: str = "cv.txt") -> "ContentFile[bytes]":
    return ContentFile(CONTENT, name)


def rolled_back(work: Callable[[], object], using: str = "default", **arguments: Any) -> None:
    """Do some work in a transaction that rolls back."""
    with suppress(Rollback), transaction.atomic(using=using, **arguments):
        work()
        raise Rollback


def assert_has_file(book: Book, content: bytes = CONTENT) -> None:
    name = Book._base_manager.get(pk=book.pk).text.name
    assert book.text.name == name
    with default_storage.open(name) as stored:
        assert stored.read() == content


def overwriting(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": settings.STORAGES["default"] | {"OPTIONS": {"allow_overwrite": True}}
    }


# The storage's database decides, so the models stay in the default one.


def test_saved_again(database: str) -> None:
    book = Book(text=file())
    rolled_back(book.save, database)
    book.save()
    assert_has_file(book)
    assert book.text.name == "books/cv.txt"


def test_in_a_savepoint(database: str) -> None:
    book = Book(text=file())
    with transaction.atomic(using=database):
        rolled_back(book.save, database)
        book.save()
    assert_has_file(book)


def test_nested_twice(database: str) -> None:
    book = Book(text=file())

    def inside() -> None:
        with transaction.atomic(using=database):
            book.save()

    with transaction.atomic(using=database):
        rolled_back(inside, database)
    book.save()
    assert_has_file(book)


def test_without_a_savepoint(database: str) -> None:
    book = Book(text=file())

    def inside() -> None:
        with transaction.atomic(using=database, savepoint=False):
            book.save()

    rolled_back(inside, database)
    book.save()
    assert_has_file(book)


def test_a_savepoint_by_hand(database: str) -> None:
    book = Book(text=file())
    with transaction.atomic(using=database):
        savepoint = connections[database].savepoint()
        book.save()
        connections[database].savepoint_rollback(savepoint)
        book.save()
    assert_has_file(book)


def test_without_autocommit(database: str) -> None:
    book = Book(text=file())
    transaction.set_autocommit(False, using=database)
    try:
        book.save()
        transaction.rollback(using=database)
        book.save()
        transaction.commit(using=database)
    finally:
        transaction.set_autocommit(True, using=database)
    assert_has_file(book)


def test_the_connection_breaks(database: str) -> None:
    book = Book(text=file())
    with transaction.atomic(using=database):
        book.save()
        connections[database].close()
    book.save()
    assert_has_file(book)


def test_many_times(database: str) -> None:
    book = Book(text=file())
    for _ in range(3):
        rolled_back(book.save, database)
    book.save()
    assert_has_file(book)


@pytest.mark.parametrize("save", [True, False])
def test_the_file_saved_by_itself(database: str, save: bool) -> None:  # noqa: FBT001
    book = Book()
    rolled_back(lambda: book.text.save("cv.txt", file("other.txt"), save=save), database)
    book.save()
    assert_has_file(book)
    assert book.text.name == "books/cv.txt"


def test_a_retry_with_another_title() -> None:
    Book._base_manager.create(pk=5)
    book = Book(pk=5, text=file())
    with pytest.raises(IntegrityError), transaction.atomic():
        book.save(force_insert=True)
    book.pk = 6
    book.save()
    assert_has_file(book)


@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
def test_a_retry_after_a_deadlock(database: str) -> None:
    for name in ("one.txt", "two.txt"):
        default_storage.save(name, file())
    both = threading.Barrier(2)
    is_first_done = threading.Event()

    def save(first: str, second: str) -> tuple[Book, int]:
        book = Book(text=file(f"{first}.pdf"))
        for tries in range(1, 10):
            try:
                with transaction.atomic(using=database):
                    default_storage.set_public(first, public=True)
                    book.save()
                    if tries == 1:
                        both.wait(30)
                    default_storage.set_public(second, public=True)
            except OperationalError:
                # Tried again at once, it could take its first lock before the other one wakes up.
                is_first_done.wait(30)
                continue
            is_first_done.set()
            break
        connections.close_all()
        return book, tries

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(save, ["one.txt", "two.txt"], ["two.txt", "one.txt"]))
    assert sum(tries for _, tries in done) == 3
    for book, _ in done:
        assert_has_file(book)


def test_an_upload_on_the_disk() -> None:
    upload = TemporaryUploadedFile("cv.txt", "text/plain", len(CONTENT), None)
    upload.write(CONTENT)
    book = Book(text=upload)
    rolled_back(book.save)
    assert not Path(upload.temporary_file_path()).exists()
    book.save()
    assert_has_file(book)
    upload.close()


async def test_in_async_code() -> None:
    from asgiref.sync import sync_to_async

    book = Book(text=file())
    await sync_to_async(rolled_back)(book.save)
    await book.asave()
    await sync_to_async(assert_has_file)(book)


def test_a_replaced_file() -> None:
    letter = Letter.objects.create(scan=file("old.txt"))
    letter.scan = file("new.txt")  # type: ignore[assignment]
    rolled_back(letter.save)
    letter.save()
    storage = letter.scan.storage
    assert [row.name for row in storage.catalog.files()] == ["scans/new.txt"]


def test_a_file_between_two_checks_of_the_form() -> None:
    book = Book(text=file())
    rolled_back(book.save)
    book.full_clean(exclude=["id"])
    book.save()
    assert_has_file(book)


def test_a_name_that_depends_on_the_name_is_the_same_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``upload_to`` is not asked again: it would put its prefix before its prefix."""
    field = Book._meta.get_field("text")
    book = Book(text=file())
    monkeypatch.setattr(field, "generate_filename", lambda book, name: f"{book.pk}-{name}")
    rolled_back(book.save)
    book.save()
    assert_has_file(book)
    assert book.text.name == "None-cv.txt"


def test_another_one_has_taken_the_name_meanwhile(database: str) -> None:
    book, other = Book(text=file()), Book(text=ContentFile(b"theirs", "cv.txt"))
    rolled_back(book.save, database)
    other.save()
    book.pk = None
    book.save()
    with default_storage.open(other.text.name) as stored:
        assert stored.read() == b"theirs"
    with default_storage.open(book.text.name) as stored:
        assert stored.read() == CONTENT
    assert book.text.name != other.text.name


def test_a_file_assigned_anew_is_saved_once() -> None:
    book = Book(text=file())
    rolled_back(book.save)
    book.text = ContentFile(b"better", "better.txt")  # type: ignore[assignment]
    book.save()
    assert_has_file(book, b"better")
    assert default_storage.listdir("books") == ([], ["better.txt"])


def test_a_file_that_is_there_is_not_saved_again(database: str) -> None:
    book = Book(text=file())
    with transaction.atomic(using=database):
        book.save()
        default_storage.revoke_urls(book.text.name)
        with book.text.open("wb") as changed:
            changed.write(b"changed")
        book.save()
    book.save()
    assert_has_file(book, b"changed")
    assert default_storage.listdir("books") == ([], ["cv.txt"])


def test_other_fields_leave_the_file_alone() -> None:
    book = Book.objects.create()
    book.text = file()  # type: ignore[assignment]
    rolled_back(book.save)
    book.save(update_fields=["is_hidden"])
    assert not default_storage.exists("books")
    book.save(update_fields=["text"])
    assert_has_file(book)


@pytest.mark.parametrize("close", [True, False])
def test_content_that_is_gone_is_an_error(close: bool, tmp_path: Path) -> None:  # noqa: FBT001
    class Stream(io.RawIOBase):
        """Can be read once."""

        def __init__(self) -> None:
            self.left = [CONTENT]

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self.left.pop() if self.left else b""

    path = tmp_path / "cv.txt"
    path.write_bytes(CONTENT)
    with path.open("rb") if close else Stream() as stream:
        book = Book(text=File(stream, "cv.txt"))
        rolled_back(book.save)
        if not close:
            with pytest.raises(FileNotFoundError, match="rolled back"):
                book.save()
    with pytest.raises(FileNotFoundError, match="rolled back"):
        book.save()
    assert not Book._base_manager.exists()


def test_without_time_zones(settings: Settings, database: str) -> None:
    settings.USE_TZ = False
    with transaction.atomic(using=database):
        book = Book(text=file())
        book.save()
        book.save()
    assert default_storage.listdir("books") == ([], ["cv.txt"])


def test_a_storage_that_overwrites(settings: Settings) -> None:
    overwriting(settings)
    book = Book(text=file())
    rolled_back(book.save)
    book.save()
    assert_has_file(book)
    with transaction.atomic():
        book = Book(text=file())
        book.save()
        book.save()
    assert default_storage.listdir("books") == ([], ["cv.txt"])


@isolate_apps("tests.testapp")
def test_a_picture_with_its_size() -> None:
    class Photo(models.Model):
        image = models.ImageField(width_field="width")
        width = models.IntegerField(null=True)

        class Meta:
            app_label = "testapp"

        def __str__(self) -> str:
            return str(self.image.name)

    picture = io.BytesIO()
    Image.new("RGB", (7, 5)).save(picture, "PNG")
    with connections["default"].schema_editor() as editor:
        editor.create_model(Photo)
    try:
        photo = Photo(image=ContentFile(picture.getvalue(), "a.png"))
        rolled_back(photo.save)
        photo.save()
        assert Photo.objects.get().width == 7
        assert default_storage.exists(Photo.objects.get().image.name)
    finally:
        with connections["default"].schema_editor() as editor:
            editor.delete_model(Photo)


def test_it_costs_no_query_before_the_second_save() -> None:
    with captured("default") as outside:
        book = Book.objects.create(text=file())
    with transaction.atomic(), captured("default") as inside:
        other = Book.objects.create(text=file("other.txt"))
    assert inside.verbs == outside.verbs
    with CaptureQueriesContext(connections["default"]) as again:
        book.save()
        other.save()
    assert len(again) == 2


def test_the_content_is_let_go_with_the_instance_or_the_commit() -> None:
    with transaction.atomic():
        content = file()
        reference = weakref.ref(content)
        book = Book.objects.create(text=content)
        content = file("other.txt")
        gone = weakref.ref(content)
        Book.objects.create(text=content)
        del content
        gc.collect()
        assert reference() is not None
        assert gone() is None
    gc.collect()
    assert reference() is None
    assert book.text.name == "books/cv.txt"


def test_a_name_is_copied_and_pickled_as_text() -> None:
    with transaction.atomic():
        assert type(default_storage.save("c.txt", file())) is str
        name = default_storage.save("a.txt", file(), max_length=100)
        assert type(name) is not str
        for copied in (copy.copy(name), copy.deepcopy(name), pickle.loads(pickle.dumps(name))):  # noqa: S301
            assert (type(copied), copied) == (str, "a.txt")
    assert type(default_storage.save("b.txt", file(), max_length=100)) is str


def test_an_overwrite_that_was_rolled_back_is_repeated(settings: Settings) -> None:
    overwriting(settings)
    default_storage.save("books/cv.txt", ContentFile(b"old"))
    book = Book(text=file())
    rolled_back(book.save)
    assert default_storage.open("books/cv.txt").read() == b"old"
    book.save()
    assert_has_file(book)


def test_a_file_that_was_deleted_on_purpose_is_not_saved_again(database: str) -> None:
    book = Book(text=file())
    with transaction.atomic(using=database):
        book.save()
        default_storage.delete(book.text.name)
        default_storage.save("books/cv.txt", ContentFile(b"small"))
        book.save()
    assert default_storage.listdir("books") == ([], ["cv.txt"])
    assert_has_file(book, b"small")


def test_a_file_that_was_renamed_is_not_saved_again(database: str) -> None:
    book = Book(text=file())
    with transaction.atomic(using=database):
        book.save()
        default_storage.rename("books/cv.txt", "books/final.txt")
        book.save()
    assert default_storage.listdir("books") == ([], ["final.txt"])


def test_a_deleted_file_comes_back_with_a_rollback_of_both(database: str) -> None:
    book = Book(text=file())

    def saved_and_deleted() -> None:
        book.save()
        default_storage.delete(book.text.name)

    rolled_back(saved_and_deleted, database)
    book.save()
    assert_has_file(book)


def test_rows_and_attributes_that_share_a_name_share_the_file(database: str) -> None:
    one, other = Book(text=file()), Book()

    def both_saved() -> None:
        one.save()
        other.text = one.text.name
        one.last = one.text
        other.save()

    for _ in range(2):
        rolled_back(both_saved, database)
    one.save()
    other.save()
    assert other.text.name == one.text.name
    assert type(one.last) is type(one.text)
    assert default_storage.listdir("books") == ([], [Path(one.text.name).name])
