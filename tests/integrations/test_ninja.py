"""django-ninja: an async API resolves a file's URL in the event loop, where nobody can wait."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.urls import include, path
from ninja import ModelSchema, NinjaAPI
from pytest_django import Settings

from tests.testapp.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

api = NinjaAPI()


class BookSchema(ModelSchema):
    """The usual code."""

    class Meta:
        model = Book
        fields = ["id", "text"]


@api.get("/books/{pk}", response=BookSchema)
async def one(request: HttpRequest, pk: int) -> Book:
    """Return a book."""
    return await Book.objects.aget(pk=pk)


@api.get("/books", response=list[BookSchema])
async def every(request: HttpRequest) -> list[Book]:
    """Return all books."""
    return [book async for book in Book.objects.order_by("pk")]


@api.get("/sync/books", response=list[BookSchema])
def every_in_a_thread(request: HttpRequest) -> Any:
    """Return all books."""
    return Book.objects.order_by("pk")


urlpatterns = [
    path("files/", include("secure_dbstorage.urls")),
    path("api/", api.urls),
]


@pytest.fixture
def books(settings: Settings) -> list[Book]:
    settings.ROOT_URLCONF = __name__
    return [Book.objects.create(text=ContentFile(name.encode(), name=name)) for name in "ab"]


@pytest.mark.parametrize("target", ["/api/books", "/api/sync/books"])
def test_a_list_of_models_has_links_that_work(books: list[Book], target: str) -> None:
    answer = async_to_sync(AsyncClient().get)(target).json()
    assert [book["id"] for book in answer] == [book.pk for book in books]
    contents = [b"".join(Client().get(book["text"])) for book in answer]
    assert contents == [b"a", b"b"]


def test_one_model_has_a_link_that_works_until_it_is_revoked(books: list[Book]) -> None:
    book = async_to_sync(AsyncClient().get)(f"/api/books/{books[0].pk}").json()
    assert "?token=" in book["text"]
    assert Client().get(book["text"]).status_code == 200
    default_storage.revoke_urls(books[0].text.name)
    assert Client().get(book["text"]).status_code == 403
