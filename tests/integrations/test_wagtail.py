"""Wagtail: documents, images and renditions."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from PIL import Image as Pillow
from pytest_django import Settings
from wagtail.documents.models import Document
from wagtail.images.models import Image
from wagtail.models import Collection, Locale, Page, Site

from tests.integrations.pictures import SIZE, body, files, picture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _site() -> None:
    """Create what Wagtail's migrations create."""
    Locale.objects.create(language_code="en")
    Collection.add_root(name="Root")
    root = Page.add_root(title="Root", slug="root")
    Site.objects.create(hostname="localhost", root_page=root, is_default_site=True)


def test_a_document_is_served_by_a_link() -> None:
    document = Document.objects.create(title="report", file=ContentFile(b"report", "a.pdf"))
    assert document.get_file_size() == 6
    assert len(document.get_file_hash()) == 40
    response = Client().get(document.url)
    assert response.status_code == 302
    assert response.url.startswith("/files/documents/a.pdf?token=")
    assert body(Client().get(response.url)).getvalue() == b"report"


def test_a_document_may_pass_through_wagtails_own_view(settings: Settings) -> None:
    settings.WAGTAILDOCS_SERVE_METHOD = "serve_view"
    document = Document.objects.create(title="report", file=ContentFile(b"report", "a.pdf"))
    assert body(Client().get(document.url)).getvalue() == b"report"


def test_a_document_is_deleted_with_its_row() -> None:
    document = Document.objects.create(title="report", file=ContentFile(b"report", "a.pdf"))
    assert files("documents") == ["documents/a.pdf"]
    document.delete()
    assert files("documents") == []


def test_renditions_of_a_picture_are_made_once_served_and_gone_with_it() -> None:
    image = Image.objects.create(title="noise", file=picture())
    image = Image.objects.get()
    assert (image.width, image.height) == SIZE
    assert image.get_file_size() == default_storage.size(image.file.name)
    rendition = image.get_rendition("fill-80x80")
    with Pillow.open(body(Client().get(rendition.url))) as small:
        assert small.size == (80, 80)
    modified = default_storage.get_modified_time(rendition.file.name)
    assert Image.objects.get().get_rendition("fill-80x80").file.name == rendition.file.name
    assert default_storage.get_modified_time(rendition.file.name) == modified
    assert files("images") == [rendition.file.name]
    image.delete()
    assert files() == []


@pytest.mark.parametrize("model", [Image, Document])
def test_an_editor_uploads_and_replaces_a_file(model: Any) -> None:
    app = model._meta.app_label
    client = Client()
    client.force_login(User.objects.create_superuser("editor"))
    upload = {"title": "noise", "file": picture(), "collection": Collection.objects.get().pk}
    response = client.post(reverse(f"{app}:add"), upload)
    assert response.status_code == 302, response.content
    made = model.objects.get()
    assert default_storage.exists(made.file.name)
    page = client.get(reverse(f"{app}:edit", args=[made.pk]))
    assert page.status_code == 200
    other = picture("b.png", (20, 10))
    response = client.post(reverse(f"{app}:edit", args=[made.pk]), upload | {"file": other})
    assert response.status_code == 302, response.content
    replaced = model.objects.get()
    assert replaced.get_file_size() == other.size
    assert files() == [replaced.file.name]
    assert client.get(reverse(f"{app}:index")).status_code == 200
