"""A site with forms: of one file, of several, of several forms, and the admin."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

from secure_dbstorage.admin import StoredFileAdmin
from secure_dbstorage.forms import UploadField, UploadInput
from secure_dbstorage.models import StoredFile
from tests.testapp.models import Book

MIB = 1024**2

_PAGE = engines["django"].from_string(
    '<!doctype html><html lang="en"><title>Books</title>'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
    'content="light dark">{{ form.media }}<main><h1>Books</h1>'
    '<form method="post" enctype="multipart/form-data">{% csrf_token %}{{ form }}'
    '<button name="by" value="button">Save</button></form></main>'
)


def no_bad_titles(title: str) -> None:
    """Refuse one title."""
    if title == "bad":
        raise forms.ValidationError("That is a bad title")


class BookForm(forms.ModelForm):  # type: ignore[type-arg]
    """One file beside another field."""

    title = forms.CharField(validators=[no_bad_titles])
    text = UploadField(max_size=64 * MIB, label="Text")

    class Meta:
        model = Book
        fields = ["text"]


class ParagraphForm(BookForm):
    """The same in paragraphs, as by ``form.as_p``."""

    template_name = "django/forms/p.html"


class BooksForm(forms.Form):
    """Any number of files."""

    texts = UploadField(max_size=2 * MIB, types=["text/plain"], multiple=True, label="Texts")

    def save(self) -> None:
        """Save a book for each."""
        for text in self.cleaned_data["texts"]:
            Book.objects.create(text=text)


BookFormset = forms.modelformset_factory(Book, form=BookForm, extra=2)


def page(make: Callable[..., Any]) -> Callable[[HttpRequest], HttpResponse]:
    """Return a view of a form."""

    def view(request: HttpRequest) -> HttpResponse:
        form = make(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            form.save()
            return HttpResponse(f"Saved by {request.POST.get('by')}")
        return HttpResponse(_PAGE.render({"form": form}, request))

    return view


def formset(data: Any, files: Any) -> Any:
    """Return forms for new books alone."""
    return BookFormset(data, files, queryset=Book.objects.none())


class BookAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Sends files while the form is filled in."""

    formfield_overrides = {
        models.FileField: {
            "form_class": UploadField,
            "widget": UploadInput,
            "max_size": 64 * MIB,
        }
    }


site = admin.AdminSite()
site.register(Book, BookAdmin)
site.register(StoredFile, StoredFileAdmin)


def strict_policy(answer: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Allow a page nothing but files of the site."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = answer(request)
        response.setdefault("Content-Security-Policy", "default-src 'self'")
        return response

    return middleware


urlpatterns = [
    path("book/", page(BookForm)),
    path("paragraph/", page(ParagraphForm)),
    path("books/", page(BooksForm)),
    path("formset/", page(formset)),
    path("admin/", site.urls),
    path("files/", include("secure_dbstorage.urls")),
    path(
        "invoices/",
        include("secure_dbstorage.urls", namespace="invoices"),
        {"storage": "invoices"},
    ),
    path("static/<path:path>", serve, {"insecure": True}),
]
