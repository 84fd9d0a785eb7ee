"""The usual uses of models that have files, and of storages in settings."""

import copy
import pickle
from typing import Any

import pytest
from django import forms
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from django.templatetags.static import static
from django.test import Client, override_settings
from django.test.utils import isolate_apps
from pytest_django import Settings

from secure_dbstorage.storage import DatabaseStorage
from tests.testapp.models import Book, Letter, owned

MEMORY = {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


class BookForm(forms.ModelForm):  # type: ignore[type-arg]
    """The usual code."""

    class Meta:
        model = Book
        fields = ["text"]


def upload(name: str = "a.txt", content: bytes = b"content") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "text/plain")


@pytest.mark.django_db
class TestForms:
    """Uploads in a model's form."""

    def test_a_file_is_uploaded_shown_replaced_and_cleared(self, client: Client) -> None:
        form = BookForm({}, {"text": upload()})
        assert form.is_valid(), form.errors
        book = form.save()
        assert book.text.name == "books/a.txt"
        assert book.text.url.replace("&", "&amp;") in BookForm(instance=book).as_p()
        assert client.get(book.text.url).getvalue() == b"content"

        form = BookForm({}, {"text": upload("b.txt", b"other")}, instance=book)
        form.save()
        assert Book.objects.get().text.read() == b"other"

        form = BookForm({"text-clear": "on"}, instance=book)
        assert form.is_valid(), form.errors
        form.save()
        assert not Book.objects.get().text

    def test_an_unchanged_form_saves_no_file_again(self) -> None:
        book = Book.objects.create(text=ContentFile(b"content", "a.txt"))
        form = BookForm({}, instance=book)
        assert form.is_valid()
        form.save()
        assert default_storage.listdir("books") == ([], ["a.txt"])

    def test_a_name_that_is_too_long_for_the_field_is_shortened(self) -> None:
        form = BookForm({}, {"text": upload("x" * 180 + ".txt")})
        assert form.is_valid(), form.errors
        one = form.save()
        other = Book.objects.create(text=ContentFile(b"other", "x" * 300 + ".txt"))
        assert len(one.text.name) <= len(other.text.name) == 200
        assert other.text.read() == b"other"


@pytest.mark.django_db
class TestInstances:
    """Model instances and their files."""

    def test_a_file_is_saved_before_its_instance(self) -> None:
        book = Book()
        book.text.save("a.txt", ContentFile(b"content"), save=False)
        assert not Book.objects.exists()
        assert default_storage.exists("books/a.txt")
        book.save()
        assert Book.objects.get().text.read() == b"content"
        book.text.delete(save=False)
        assert not default_storage.exists("books/a.txt")

    def test_an_instance_is_pickled_with_its_file(self) -> None:
        book = Book.objects.create(text=ContentFile(b"content", "a.txt"))
        letter = Letter.objects.create(scan=ContentFile(b"scan", "a.png"))
        book.text.open()
        again, letter_again = pickle.loads(pickle.dumps((book, letter)))  # noqa: S301 -- ours
        assert again.text.read() == b"content"
        assert again.text.url == book.text.url
        assert letter_again.scan.storage.options.namespace == "owned"
        assert letter_again.scan.read() == b"scan"

    def test_an_instance_is_copied_with_its_file(self) -> None:
        book = Book.objects.create(text=ContentFile(b"content", "a.txt"))
        book.text.open()
        again = copy.deepcopy(book)
        again.pk = None
        again.save()
        assert again.text.read() == b"content"
        assert Book.objects.count() == 2

    def test_a_file_is_given_to_another_instance(self) -> None:
        book = Book.objects.create(text=ContentFile(b"content", "a.txt"))
        other = Book.objects.create(text=ContentFile(book.text.read(), "a.txt"))
        assert other.text.name != book.text.name
        third = Book()
        third.text.save("third.txt", book.text)
        assert third.text.read() == book.text.open().read() == b"content"

    def test_a_field_is_copied_with_its_storage(self) -> None:
        for field in (Letter._meta.get_field("scan"), Book._meta.get_field("text")):
            copied, cloned = copy.deepcopy(field), field.clone()
            for again in (copied, cloned):
                assert again.storage.options == field.storage.options

    def test_a_storage_may_be_a_callable(self) -> None:
        field = Letter._meta.get_field("scan")
        assert isinstance(field.storage, DatabaseStorage)
        assert field.deconstruct()[3]["storage"] is owned


@pytest.mark.django_db
class TestSettings:
    """A storage that comes and goes."""

    def test_a_test_may_keep_its_files_in_memory(self) -> None:
        with override_settings(STORAGES=MEMORY):
            book = Book.objects.create(text=ContentFile(b"content", "a.txt"))
            assert book.text.read() == b"content"
            assert default_storage.exists("books/a.txt")
            book.delete()
        assert isinstance(storages["default"], DatabaseStorage)
        assert not default_storage.exists("books/a.txt")
        book = Book.objects.create(text=ContentFile(b"content", "a.txt"))
        assert default_storage.exists("books/a.txt")

    def test_a_test_may_take_another_namespace(self, settings: Settings) -> None:
        Book.objects.create(text=ContentFile(b"content", "a.txt"))
        backend = {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"}
        settings.STORAGES = {"default": {**backend, "OPTIONS": {"namespace": "invoices"}}}
        book = Book.objects.create(text=ContentFile(b"other", "a.txt"))
        assert book.text.name == "books/a.txt"
        assert Book.objects.first().text.read() == b"other"  # type: ignore[union-attr]


@pytest.mark.django_db
def test_static_files_are_collected_and_found_but_no_page_applies_them(
    settings: Settings, client: Client
) -> None:
    """Style sheets and scripts of a project belong elsewhere: what is stored runs nowhere."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATIC_URL = "/static/"
    backend = {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"}
    options = {"namespace": "invoices", "default_public": True}
    settings.STORAGES = {
        "default": backend,
        "staticfiles": {**backend, "OPTIONS": options},
        "invoices": {**backend, "OPTIONS": options},
    }
    storage = storages["staticfiles"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["vendor"])
    before = storage.get_modified_time("admin/css/base.css")
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["vendor"])
    assert storage.get_modified_time("admin/css/base.css") == before
    url = static("admin/css/base.css")
    assert url == "/invoices/admin/css/base.css"
    response = client.get(url)
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert b"body" in response.getvalue()


class TestMigrations:
    """The migrations that makemigrations writes."""

    @pytest.mark.parametrize("given", ["instance", "callable", "default"])
    def test_a_storage_in_a_model_makes_one_migration_and_no_more(self, given: str) -> None:
        def state(**options: Any) -> ProjectState:
            storage = {
                "instance": DatabaseStorage(namespace="reports", **options),
                "callable": owned,
                "default": None,
            }[given]

            with isolate_apps("tests.testapp"):

                class Report(models.Model):  # noqa: DJ008 -- never shown
                    file = models.FileField(storage=storage, upload_to="reports")

                    class Meta:
                        app_label = "testapp"

            made = ProjectState()
            made.add_model(ModelState.from_model(Report))
            return made

        [migration] = changes(ProjectState(), state(signing_keys=["x" * 32]))["testapp"]
        text = MigrationWriter(migration).as_string()
        assert "x" * 32 not in text
        names: dict[str, Any] = {}
        exec(text, names)  # noqa: S102 -- as Django loads it
        migrated = names["Migration"]("0001_initial", "testapp").mutate_state(ProjectState())
        assert changes(migrated, state(signing_keys=["y" * 32], expires_in=60)) == {}
        if given == "instance":
            assert changes(migrated, state(base_url="/elsewhere/"))


def changes(before: ProjectState, after: ProjectState) -> dict[str, list[migrations.Migration]]:
    """Return the migrations that makemigrations would write."""
    detector = MigrationAutodetector(before, after, NonInteractiveMigrationQuestioner())
    detected: dict[str, list[migrations.Migration]] = detector._detect_changes()
    return detected
