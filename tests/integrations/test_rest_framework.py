"""Django REST Framework: uploads by a model's serializer; links are another matter."""

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework import serializers, viewsets
from rest_framework.test import APIRequestFactory

from tests.integrations.models import Picture
from tests.integrations.pictures import SIZE, files, picture
from tests.testapp.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

requests = APIRequestFactory()


class PictureSerializer(serializers.ModelSerializer):
    """The usual code."""

    class Meta:
        model = Picture
        fields = ["title", "image", "width", "height"]
        read_only_fields = ["width", "height"]


class Pictures(viewsets.ModelViewSet):
    """The usual code."""

    queryset = Picture.objects.all()
    serializer_class = PictureSerializer
    authentication_classes = ()
    permission_classes = ()


class BookSerializer(serializers.ModelSerializer):
    """Has a FileField."""

    class Meta:
        model = Book
        fields = ["text"]


def test_a_picture_is_uploaded_shown_replaced_and_deleted() -> None:
    create = Pictures.as_view({"post": "create"})
    made = create(requests.post("/", {"title": "noise", "image": picture()}, format="multipart"))
    assert made.status_code == 201, made.data
    assert made.data["image"].startswith("http://testserver/files/pictures/noise/a.png?token=")
    assert (made.data["width"], made.data["height"]) == SIZE

    one = Pictures.as_view({"patch": "partial_update", "delete": "destroy"})
    pk = Picture.objects.get().pk
    upload = {"image": picture("b.png", (20, 10))}
    changed = one(requests.patch("/", upload, format="multipart"), pk=pk)
    assert changed.status_code == 200, changed.data
    assert (changed.data["width"], changed.data["height"]) == (20, 10)
    assert files() == ["pictures/noise/b.png"]  # by django-cleanup
    assert one(requests.delete("/"), pk=pk).status_code == 204
    assert files() == []


def test_a_file_that_is_not_a_picture_is_refused() -> None:
    create = Pictures.as_view({"post": "create"})
    upload = {"title": "x", "image": SimpleUploadedFile("a.png", b"no picture")}
    refused = create(requests.post("/", upload, format="multipart"))
    assert refused.status_code == 400
    assert set(refused.data) == {"image"}
    assert files() == []


def test_a_file_too_large_for_memory_is_uploaded() -> None:
    content = b"0123456789" * 300_000
    serializer = BookSerializer(data={"text": SimpleUploadedFile("a.bin", content)})
    assert serializer.is_valid(), serializer.errors
    serializer.save()
    assert default_storage.size("books/a.bin") == len(content)

    class Books(viewsets.ModelViewSet):
        queryset = Book.objects.all()
        serializer_class = BookSerializer
        authentication_classes = permission_classes = ()

    request = requests.post(
        "/", {"text": SimpleUploadedFile("b.bin", content)}, format="multipart"
    )
    assert Books.as_view({"post": "create"})(request).status_code == 201
    request.close()  # as Django's handler does, which is not asked here
    assert Book.objects.get(text="books/b.bin").text.read() == content
