"""The field of a form: what it takes for a file, and what it never believes."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.exception import convert_exception_to_response
from django.core.validators import FileExtensionValidator
from django.db import transaction
from django.db.models import FileField
from django.forms.formsets import formset_factory
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_post_parameters
from pytest_django import Settings

from secure_dbstorage.exceptions import UploadGone
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.forms import UploadField, received
from secure_dbstorage.models import StoredFile
from tests.support.forms import codes, form_with, ours, sent
from tests.support.uploads import CONTENT, Uploader, metadata
from tests.testapp.models import Book, Letter

pytestmark = pytest.mark.django_db

SIZE = len(CONTENT)


def named(url: str, name: str) -> str:
    """Return the URL of the same upload with a name that is refused today."""
    storage, token = ours(), url.partition("token=")[2]
    grant = storage.signer.unsign_upload("~", token, storage.audience, max_lifetime=0, now=0)
    grant = replace(grant, metadata=metadata(filename=name)["Upload-Metadata"])
    return str(storage.links.part(grant, storage.audience))


class BookForm(forms.ModelForm):  # type: ignore[type-arg]
    """The usual code."""

    text = UploadField(max_size=10**6)

    class Meta:
        model = Book
        fields = ["text"]


class TestFile:
    """What comes out of a form."""

    def test_an_upload_is_the_file(self) -> None:
        form = form_with(UploadField(max_size=SIZE), sent())
        assert form.is_valid(), form.errors
        file = form.cleaned_data["file"]
        assert isinstance(file, ReceivedFile)
        assert (file.name, file.size, file.read()) == ("a.txt", SIZE, CONTENT)

    def test_a_model_form_saves_it_without_a_copy(self) -> None:
        form = BookForm({"text-upload": sent()})
        assert form.is_valid(), form.errors
        before = set(StoredFile.rows.values_list("pk", flat=True))
        book = form.save()
        assert book.text.name == "books/a.txt"
        assert set(StoredFile.rows.values_list("pk", flat=True)) == before
        assert ours().stat("books/a.txt").sha256 == hashlib.sha256(CONTENT).hexdigest()

    def test_a_form_without_a_script_brings_the_file_itself(self) -> None:
        file = SimpleUploadedFile("b.txt", b"b")
        form = form_with(UploadField(max_size=1), files={"file": file})
        assert form.is_valid(), form.errors
        assert form.cleaned_data["file"] is file

    def test_a_file_in_the_form_is_newer_than_an_upload(self) -> None:
        form = form_with(
            UploadField(max_size=SIZE), sent(), files={"file": SimpleUploadedFile("b.txt", b"b")}
        )
        assert form.is_valid()
        assert form.cleaned_data["file"].name == "b.txt"

    def test_nothing_is_missing_only_if_it_is_required(self) -> None:
        assert codes(form_with(UploadField(max_size=1))) == ["required"]
        assert codes(form_with(UploadField(max_size=1), "")) == ["required"]
        form = form_with(UploadField(max_size=1, required=False))
        assert form.is_valid()
        assert form.cleaned_data["file"] is None

    def test_a_file_of_an_instance_stays_is_replaced_and_is_cleared(self) -> None:
        book = BookForm({"text-upload": sent()}).save()
        form = BookForm({}, instance=book)
        assert not form.has_changed()
        assert form.save().text.name == "books/a.txt"
        form = BookForm({"text-upload": sent(b"b", "b.txt")}, instance=book)
        assert form.has_changed()
        assert form.save().text.read() == b"b"
        form.fields["text"].required = False
        both = BookForm({"text-upload": sent(), "text-clear": "on"}, instance=book)
        both.fields["text"].required = both.fields["text"].widget.is_required = False
        assert codes(both, "text") == ["contradiction"]

    def test_validators_and_the_limits_of_django_hold(self) -> None:
        url = sent(b"", "x" * 90 + ".exe")
        assert codes(form_with(UploadField(max_size=1), url)) == ["empty"]
        assert form_with(UploadField(max_size=1, allow_empty_file=True), url).is_valid()
        field = UploadField(max_size=9, max_length=20, allow_empty_file=True)
        assert codes(form_with(field, url)) == ["max_length"]
        only_text = [FileExtensionValidator(["txt"])]
        field = UploadField(max_size=9, validators=only_text, allow_empty_file=True)
        assert codes(form_with(field, url)) == ["invalid_extension"]

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("../../etc/passwd.txt", "passwd.txt"),
            ("..\\b.txt", "b.txt"),
            ("n" * 300 + ".txt", "n" * 251 + ".txt"),
            ("é" * 150 + ".txt", "é" * 150 + ".txt"),
        ],
    )
    def test_odd_names_are_saved(self, name: str, kept: str) -> None:
        form = form_with(UploadField(max_size=SIZE), sent(name=name))
        assert form.is_valid(), form.errors
        file = form.cleaned_data["file"]
        assert file.name == kept
        book = Book.objects.create(text=file)
        assert book.text.name.startswith(f"books/{kept[:5]}")
        assert book.text.read() == CONTENT


class TestHostileValues:
    """Each is an error of the form."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda url: "x",
            lambda url: "x" * 100_000,
            lambda url: "//[",
            lambda url: "\0\ud800?token=\0",
            lambda url: url.partition("?")[0],
            lambda url: url[:-1] + ("A" if url[-1] != "A" else "B"),
            lambda url: url + "&" + url.partition("?")[2],
            lambda url: url.replace("/~?", "/a.txt?"),
            lambda url: ours().upload_url(max_size=9),
            lambda url: ours().url("a.txt"),
            lambda url: Uploader().begun(ours().upload_url("~", max_size=9), 9),
            lambda url: Uploader().begun(ours().upload_url(prefix="", max_size=9), 9),
            lambda url: Uploader().sent(ours().upload_url("b.txt", max_size=9), b"b"),
            lambda url: sent(alias="invoices"),
        ],
    )
    def test_what_is_no_upload_for_a_form_is_invalid(self, change: Callable[[str], str]) -> None:
        ours().save("a.txt", b"x")
        form = form_with(UploadField(max_size=SIZE), change(sent()))
        assert codes(form) == ["upload_invalid"]
        assert "hidden" not in form.as_p()

    def test_of_another_audience_is_invalid(self, settings: Settings) -> None:
        url = sent()
        settings.SECURE_DBSTORAGE = {"AUDIENCE": "another"}
        assert codes(form_with(UploadField(max_size=SIZE), url)) == ["upload_invalid"]

    def test_taken_deleted_and_late_ones_are_gone(self) -> None:
        taken, deleted, late = sent(), sent(), sent()
        BookForm({"text-upload": taken}).save()
        Uploader().tus("DELETE", deleted)
        StoredFile.rows.unfinished().update(expires=timezone.now() - timedelta(seconds=1))
        for url in (taken, deleted, late):
            assert codes(form_with(UploadField(max_size=SIZE), url)) == ["upload_gone"]

    @pytest.mark.parametrize("multiple", [False, True])
    def test_one_that_is_deleted_while_a_validator_reads_is_gone(self, *, multiple: bool) -> None:
        def scan(file: ReceivedFile) -> None:
            assert Uploader().tus("DELETE", url).status_code == 204
            for _ in file.chunks():
                pass

        url, words = sent(), {"upload_gone": "Too late"}
        field = UploadField(max_size=SIZE, multiple=multiple, validators=[scan])
        form = form_with(field, url)
        assert codes(form) == ["upload_gone"]
        assert url not in form.as_p()
        url = sent()
        field = UploadField(max_size=SIZE, validators=[scan], error_messages=words)
        assert form_with(field, url).errors["file"] == ["Too late"]

    def test_one_that_goes_before_it_is_saved_is_a_bad_request(self) -> None:
        url = sent()

        def view(_request: HttpRequest) -> HttpResponse:
            form = BookForm({"text-upload": url})
            assert form.is_valid()
            assert Uploader().tus("DELETE", url).status_code == 204
            with transaction.atomic():
                form.save()
            return HttpResponse()

        answer = convert_exception_to_response(view)(RequestFactory().post("/"))
        assert answer.status_code == 400

    def test_an_unfinished_one_is_incomplete(self) -> None:
        url = Uploader().begun(ours().upload_url(max_size=SIZE), SIZE)
        Uploader().patch(url, 0, CONTENT[:-1])
        assert codes(form_with(UploadField(max_size=SIZE), url)) == ["upload_incomplete"]

    def test_size_and_type_are_those_of_this_field(self) -> None:
        url = sent(name="a.exe")
        assert codes(form_with(UploadField(max_size=SIZE - 1), url)) == ["too_large"]
        field = UploadField(max_size=SIZE, types=["text/*", "image/png"])
        assert codes(form_with(field, url)) == ["file_type"]
        assert form_with(field, sent(name="a.png")).is_valid()
        assert form_with(field, sent(name="a.csv")).is_valid()

    def test_size_and_type_hold_for_a_file_in_the_form(self) -> None:
        file = SimpleUploadedFile("a.exe", b"abc")
        form = form_with(UploadField(max_size=2), files={"file": file})
        assert codes(form) == ["too_large"]
        assert "The limit is 2\xa0bytes." in form.errors["file"][0]
        field = UploadField(max_size=3, types=["text/plain"])
        assert codes(form_with(field, files={"file": file})) == ["file_type"]

    @pytest.mark.parametrize("name", ["x.pd★f", "x.ht?ml", "page.p★n★g"])
    def test_a_type_is_that_of_the_file_that_a_model_saves(self, name: str) -> None:
        types = ["application/octet-stream"]
        field = UploadField(max_size=SIZE, types=types)
        file = SimpleUploadedFile(name, b"abc")
        assert codes(form_with(field, sent(name=name))) == ["file_type"]
        assert codes(form_with(field, files={"file": file})) == ["file_type"]
        with pytest.raises(ValidationError) as caught:
            received(sent(name=name), ours(), types=types)
        assert caught.value.code == "file_type"

    @pytest.mark.parametrize("name", ["★★★", "💩"])
    def test_a_name_of_which_nothing_is_left_is_an_error(self, name: str) -> None:
        field = UploadField(max_size=SIZE)
        files = {"file": SimpleUploadedFile(name, b"abc")}
        assert codes(form_with(field, files=files)) == ["file_name"]
        url = named(sent(), name)
        assert codes(form_with(field, url)) == ["file_name"]
        with pytest.raises(ValidationError) as caught:
            received(url, ours())
        assert caught.value.code == "file_name"

    @pytest.mark.parametrize("length", [185, 186, 187, 194, 195, 250])
    def test_a_name_that_can_not_be_shortened_for_the_models_field_is_an_error(
        self, length: int
    ) -> None:
        """All of it is one extension, which keeps its type."""
        name = "n" + ".x" * ((length - 5) // 2) + "." + "x" * ((length - 5) % 2 + 3)
        assert len(name) == length
        for longest in (194, 186):  # The second one finds the name taken.
            form = BookForm({"text-upload": sent(name=name)})
            assert form.is_valid() == (length <= longest)
            if form.is_valid():
                assert form.save().text.read() == CONTENT
            else:
                assert codes(form, "text") == ["file_name"]

    def test_a_models_field_that_makes_names_from_the_instance_is_not_asked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Numbered(FileField):
            def generate_filename(self, instance: Any, filename: Any) -> str:
                return f"{instance.pk}-{filename}"

        field: Any = Book._meta.get_field("text")
        monkeypatch.setattr(field, "__class__", Numbered)
        form = BookForm({"text-upload": sent(name="a.txt")})
        assert form.is_valid(), form.errors
        assert form.save().text.name == "None-a.txt"

    def test_two_hidden_values_are_one_file(self) -> None:
        form = form_with(UploadField(max_size=SIZE), sent(b"a"), sent(b"b"))
        assert form.is_valid()
        assert form.cleaned_data["file"].read() == b"b"

    def test_one_upload_fills_one_field(self) -> None:
        class Both(forms.Form):
            one = UploadField(max_size=SIZE)
            two = UploadField(max_size=SIZE)

        url = sent()
        other = f"https://example.com{url}"
        form = Both({"one-upload": url, "two-upload": other})
        assert (codes(form, "one"), codes(form, "two")) == ([], ["upload_gone"])

    def test_a_project_has_its_own_words(self) -> None:
        field = UploadField(max_size=SIZE, error_messages={"upload_invalid": "Nope"})
        assert form_with(field, "x").errors["file"] == ["Nope"]

    def test_nobody_claims_an_upload_to_another_kind_of_storage(self, settings: Settings) -> None:
        url = sent()
        memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
        settings.STORAGES = {**settings.STORAGES, "default": memory}
        assert codes(form_with(UploadField(), url)) == ["upload_gone"]


class TestUsers:
    """A field for one user."""

    @pytest.fixture
    def ada(self) -> User:
        return User.objects.create_user("ada")

    def form(self, user: Any, url: str = "") -> forms.Form:
        form = form_with(UploadField(max_size=SIZE), url)
        field = form.fields["file"]
        assert isinstance(field, UploadField)
        field.user = user
        return form

    def sent_by(self, user: User) -> str:
        (client := Client()).force_login(user)
        return Uploader(client).sent(ours().upload_url(max_size=SIZE, user=user))

    def test_the_link_is_for_them(self, ada: User) -> None:
        form = self.form(ada)
        begin = form["file"].as_widget().partition('data-begin="')[2].partition('"')[0]
        assert Uploader().create(begin, 1).status_code == 403
        (client := Client()).force_login(ada)
        assert Uploader(client).create(begin, 1).status_code == 201

    def test_only_they_may_send_it(self, ada: User) -> None:
        url = self.sent_by(ada)
        assert self.form(ada, url).is_valid()
        assert self.form(ada.pk, url).is_valid()
        for other in (User.objects.create_user("grace"), None):
            assert codes(self.form(other, url)) == ["upload_invalid"]
        assert codes(self.form(ada, sent())) == ["upload_invalid"]


class TestSeveral:
    """Of a field with ``multiple=True``."""

    def form(self, *urls: str, files: Any = None, **more: Any) -> forms.Form:
        field = UploadField(max_size=SIZE, multiple=True, types=["text/plain"], **more)
        return form_with(field, *urls, files=files)

    def test_all_ways_come_together(self) -> None:
        file = SimpleUploadedFile("c.txt", b"c")
        files = MultiValueDict[str, Any]({"file": [file]})
        form = self.form(sent(b"a"), sent(b"b", "b.txt"), files=files)
        assert form.is_valid(), form.errors
        assert [each.read() for each in form.cleaned_data["file"]] == [b"c", b"a", b"b"]
        assert form.has_changed()

    def test_none_is_an_empty_list(self) -> None:
        assert codes(self.form()) == ["required"]
        form = self.form(required=False)
        assert form.is_valid()
        assert form.cleaned_data["file"] == []
        assert "file" not in form.changed_data

    def test_one_that_is_refused_is_named_and_the_others_stay(self) -> None:
        good, bad = sent(b"a"), sent(b"b", "b.exe")
        form = self.form(good, bad)
        assert form.errors["file"] == ["b.exe: Files of this type are not accepted here."]
        assert codes(form) == ["file_type"]
        html = form.as_p()
        assert good in html
        assert bad not in html

    def test_the_same_twice_is_refused(self) -> None:
        url = sent()
        form = self.form(url, url)
        assert codes(form) == ["upload_gone"]
        assert form.as_p().count(url) == 1


class TestShownAgain:
    """The form beside an error in another field."""

    def test_the_upload_stays_with_its_name(self) -> None:
        url = sent(name="<b>.txt")
        form = form_with(UploadField(max_size=SIZE), url)
        form.data["title"] = ""
        assert codes(form, "title") == ["required"]
        html = form["file"].as_widget()
        assert f'<input type="hidden" name="file-upload" value="{url}">' in html
        assert "&lt;b&gt;.txt" in html
        assert " required" not in html
        again = form_with(UploadField(max_size=SIZE), url)
        assert again.is_valid()

    def test_it_is_not_in_another_form(self) -> None:
        field = UploadField(max_size=SIZE)
        url = sent()
        assert url in form_with(field, url).as_p()
        assert url not in form_with(field).as_p()
        assert " required" in form_with(field)["file"].as_widget()

    def test_a_rollback_makes_it_an_upload_again(self) -> None:
        url = sent()
        with transaction.atomic():
            assert BookForm({"text-upload": url}).save()
            transaction.set_rollback(True)
        assert not Book.objects.exists()
        assert BookForm({"text-upload": url}).save().text.read() == CONTENT

    def test_two_tabs_with_one_value_make_one_book(self) -> None:
        url = sent()
        tabs = [BookForm({"text-upload": url}) for _ in range(2)]
        tabs[0].save()
        assert codes(tabs[1], "text") == ["upload_gone"]


@pytest.mark.parametrize("is_hidden", [True, False])
def test_an_error_report_shows_no_hidden_value_if_the_view_says_so(*, is_hidden: bool) -> None:
    request = RequestFactory().post("/", {"title": "x", "file-upload": sent()})

    class OneFile(forms.Form):
        file = UploadField(max_size=SIZE)

    def view(request: HttpRequest) -> HttpResponse:
        form = OneFile(request.POST)
        raise RuntimeError(form.is_valid())

    with pytest.raises(RuntimeError, match="True") as caught:
        (sensitive_post_parameters("file-upload")(view) if is_hidden else view)(request)
    trace = caught.tb.tb_next  # Without this frame.
    reporter = ExceptionReporter(request, caught.type, caught.value, trace, is_email=True)
    report = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert (request.POST["file-upload"][-40:] in report) is not is_hidden


class TestFormsets:
    """Several forms of a kind on one page."""

    def test_each_form_has_its_upload(self) -> None:
        formset = formset_factory(BookForm, extra=3)
        data = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "0"}
        for number in (0, 2):
            data[f"form-{number}-text-upload"] = sent(b"%d" % number)
        filled: Any = formset(data)
        assert filled.is_valid(), filled.errors
        assert [form.has_changed() for form in filled] == [True, False, True]
        assert filled[2].cleaned_data["text"].read() == b"2"

    def test_one_upload_fills_one_of_them(self) -> None:
        data = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "0"}
        url = sent()
        data |= {f"form-{number}-text-upload": url for number in range(3)}
        first, *others = formset_factory(BookForm, extra=3)(data)
        assert all(form.is_valid() for form in (first, *others))
        first.save()
        for form in others:
            with pytest.raises(UploadGone), transaction.atomic():
                form.save()
        assert StoredFile.objects.count() == 1


class TestStorages:
    """Which of them receives."""

    def test_a_model_form_takes_that_of_its_field(self) -> None:
        class LetterForm(forms.ModelForm):  # type: ignore[type-arg]
            scan = UploadField(max_size=SIZE)

            class Meta:
                model = Letter
                fields = ["scan"]

        with pytest.raises(ImproperlyConfigured, match="owned"):  # It has no route for uploads.
            LetterForm().as_p()

    def test_a_form_takes_the_one_it_is_given(self) -> None:
        url = sent(alias="invoices")
        for storage in ("invoices", ours("invoices")):
            field = UploadField(max_size=SIZE, storage=storage)
            assert form_with(field, url).is_valid()
            assert codes(form_with(field, sent())) == ["upload_invalid"]
            assert 'data-begin="/invoices/~?token=' in form_with(field).as_p()

    def test_any_other_kind_gets_a_plain_file_input(self, settings: Settings) -> None:
        memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
        settings.STORAGES = {**settings.STORAGES, "default": memory}
        html = form_with(UploadField(types=["text/plain"]))["file"].as_widget()
        assert html.startswith('<input type="file" name="file" accept="text/plain" required')
        assert "dbstorage" not in html

    def test_a_form_field_of_a_model_can_be_one(self) -> None:
        field: Any = Book._meta.get_field("text")
        made = field.formfield(form_class=UploadField, max_size=SIZE)
        form = form_with(made, sent())
        assert made.max_length == 200
        assert not made.required
        assert form.is_valid()

    def test_without_a_limit_anywhere_it_is_a_mistake(self, settings: Settings) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"AnyForm\.file needs a limit"):
            form_with(UploadField()).as_p()
        settings.SECURE_DBSTORAGE = {"MAX_SIZE": SIZE}
        assert form_with(UploadField(), sent(max_size=SIZE)).is_valid()
        assert f'data-max-size="{SIZE}"' in form_with(UploadField()).as_p()
        with pytest.raises(ValueError, match="max_size must not exceed"):
            form_with(UploadField(max_size=SIZE + 1)).as_p()

    def test_a_mistake_in_types_is_told(self) -> None:
        with pytest.raises(ValueError, match="types must hold media types"):
            form_with(UploadField(max_size=1, types=["pdf"])).as_p()

    @pytest.mark.parametrize(
        "limits", [{"max_size": "5"}, {"max_size": 0}, {"types": "image/*"}, {"types": ["PNG"]}]
    )
    def test_limits_that_no_file_can_keep_are_refused_at_once(self, limits: Any) -> None:
        with pytest.raises(ValueError, match=r"(max_size|types) must"):
            UploadField(**limits)
