"""django-import-export: names are exported and imported, and uploads wait in the storage."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from import_export.resources import ModelResource
from tablib import Dataset

from tests.integrations.models import Picture
from tests.integrations.pictures import SIZE, files, picture

pytestmark = pytest.mark.django_db(transaction=True)


class PictureResource(ModelResource):
    """The usual code."""

    class Meta:
        model = Picture
        fields = ("id", "title", "image")


def test_names_are_exported_and_imported() -> None:
    made = Picture.objects.create(title="noise", image=picture())
    exported = PictureResource().export().csv
    assert "pictures/noise/a.png" in exported

    Picture.objects.filter(pk=made.pk).update(title="other", image="")
    result = PictureResource().import_data(Dataset().load(exported, format="csv"))
    assert not result.has_errors()
    again = Picture.objects.get()
    assert (again.title, again.image.name) == ("noise", "pictures/noise/a.png")
    assert (again.width, again.height) == SIZE
    with again.image.open() as file:
        assert file.read() == default_storage.open("pictures/noise/a.png").read()


def test_a_table_is_saved_in_the_storage_and_read_from_there() -> None:
    dataset = Dataset(["Müller", "a.png"], headers=["title", "image"])
    default_storage.save("table.xlsx", ContentFile(dataset.export("xlsx")))
    with default_storage.open("table.xlsx") as file:
        assert Dataset().load(file, format="xlsx").dict == dataset.dict
    with default_storage.open("table.csv", "w") as file:
        file.write(dataset.export("csv"))
    with default_storage.open("table.csv", "r") as file:
        assert Dataset().load(file, format="csv").dict == dataset.dict


@pytest.mark.parametrize("format_name", ["csv", "xlsx"])
def test_an_import_in_the_admin_waits_in_the_storage(format_name: str) -> None:
    """With ``MediaStorage``, so that the second request may reach another server."""
    client = Client()
    client.force_login(User.objects.create_superuser("editor"))
    dataset = Dataset(["", "Müller"], headers=["id", "title"])
    content = dataset.export(format_name)
    upload = ContentFile(content.encode() if isinstance(content, str) else content)
    upload.name = f"table.{format_name}"
    page = client.get("/admin/integrations/picture/import/")
    choices = dict(page.context["form"].fields["format"].choices)
    [number] = [key for key, label in choices.items() if label == format_name]
    page = client.post(
        "/admin/integrations/picture/import/",
        {"format": number, "import_file": upload, "resource": ""},
    )
    assert page.status_code == 200
    assert not page.context["result"].has_errors()
    [waiting] = files("django-import-export")
    assert default_storage.size(waiting) == upload.size
    assert not Picture.objects.exists()

    confirm = page.context["confirm_form"].initial
    done = client.post("/admin/integrations/picture/process_import/", confirm)
    assert done.status_code == 302, done.content
    assert Picture.objects.get().title == "Müller"
    assert files() == []


def test_an_admin_exports_the_columns_it_shows() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("editor"))
    Picture.objects.create(title="noise", image=picture())
    page = client.get("/admin/integrations/picture/export/")
    choices = dict(page.context["form"].fields["format"].choices)
    [number] = [key for key, label in choices.items() if label == "csv"]
    every = {f"{name}": "on" for name in page.context["form"].fields if name.startswith("picture")}
    done = client.post("/admin/integrations/picture/export/", {"format": number, **every})
    assert b"pictures/noise/a.png" in done.content
