"""django-filer: public files in the default storage, private ones in a separate namespace."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage, storages
from django.test import Client
from filer.models import File, Folder, Image
from PIL import Image as Pillow

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.pruning import prune_unreferenced
from tests.integrations.pictures import SIZE, body, files, picture

pytestmark = pytest.mark.django_db(transaction=True)


def private() -> DatabaseStorage:
    storage = storages["filer_private"]
    assert isinstance(storage, DatabaseStorage)
    return storage


def image(*, is_public: bool) -> Image:
    folder, _ = Folder.objects.get_or_create(name="holidays")
    made = Image(folder=folder, original_filename="a.png", file=picture(), is_public=is_public)
    made.save()
    return made


def test_a_public_picture_is_measured_shown_small_and_served(client: Client) -> None:
    made = Image.objects.get(pk=image(is_public=True).pk)
    assert default_storage.exists(made.file.name)
    assert (made.width, made.height) == SIZE
    assert made.size == default_storage.size(made.file.name)
    assert len(made.sha1) == 40
    assert body(client.get(made.url)).getvalue() == picture_bytes(made)
    with Pillow.open(body(client.get(made.icons["64"]))) as icon:
        assert icon.size == (64, 64)


def test_a_private_picture_opens_for_users_the_hook_lets_in(client: Client) -> None:
    made = image(is_public=False)
    assert private().exists(made.file.name)
    assert not default_storage.exists(made.file.name)
    assert made.url.startswith("/private/")
    assert client.get(made.url).status_code == 403
    client.force_login(User.objects.create_user("user"))
    assert body(client.get(made.url)).getvalue() == picture_bytes(made)


def test_a_picture_that_becomes_private_moves_with_its_thumbnails(client: Client) -> None:
    made = image(is_public=True)
    content, before = picture_bytes(made), made.file.name
    old_url, old_icon = made.url, made.icons["64"]
    made.is_public = False
    made.save()
    assert private().exists(made.file.name)
    assert not default_storage.exists(before)
    assert client.get(old_url).status_code == client.get(old_icon).status_code == 403
    assert files() == []
    assert picture_bytes(Image.objects.get()) == content


def test_a_file_is_deleted_with_its_row() -> None:
    for is_public in (True, False):
        made = image(is_public=is_public)
        storage, name = made.file.storage, made.file.name
        assert storage.exists(name)
        made.delete()
        assert not storage.exists(name)
    assert File.objects.count() == 0


def test_filers_files_count_as_referred_to_in_every_storage() -> None:
    """Its FileField names the default storage, but keeps private files in another."""
    made = [image(is_public=is_public) for is_public in (True, False)]
    private().save("forgotten.txt", b"forgotten")
    pruned = [
        item.name
        for storage in (default_storage, private())
        for item in prune_unreferenced(storage, older_than=timedelta(0), dry_run=False)  # type: ignore[arg-type]
    ]
    assert pruned == ["forgotten.txt"]
    assert all(each.file.exists() for each in made)


def picture_bytes(made: Image) -> bytes:
    with made.file.storage.open(made.file.name) as file:
        return bytes(file.read())
