"""easy-thumbnails and sorl-thumbnail make small pictures of those in our storage."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage, storages
from django.template import Context, Template
from django.test import Client
from easy_thumbnails.files import get_thumbnailer
from easy_thumbnails.models import Source, Thumbnail
from PIL import Image
from sorl.thumbnail import delete, get_thumbnail
from sorl.thumbnail.images import ImageFile
from sorl.thumbnail.kvstores.cached_db_kvstore import KVStore

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.pruning import prune_unreferenced
from tests.integrations.models import Picture
from tests.integrations.pictures import SIZE, body, files, picture

pytestmark = pytest.mark.django_db


@pytest.fixture
def noise() -> Picture:
    made: Picture = Picture.objects.create(title="noise", image=picture())
    return made


@pytest.mark.parametrize("keep", [("cache",), ()])
def test_no_field_names_a_thumbnail_so_pruning_must_be_told(
    noise: Picture, keep: tuple[str, ...]
) -> None:
    thumbnail = get_thumbnail(noise.image, "80x80")
    storage = noise.image.storage
    pruned = prune_unreferenced(storage, older_than=timedelta(0), keep=keep, dry_run=False)
    assert [item.name for item in pruned] == ([] if keep else [thumbnail.name])
    # The package does not look again: it believes its own table.
    assert get_thumbnail(noise.image, "80x80").name == thumbnail.name
    assert storage.exists(thumbnail.name) is bool(keep)


class TestEasyThumbnails:
    """With a separate, public storage."""

    def test_a_thumbnail_is_made_once_and_served(self, noise: Picture, client: Client) -> None:
        thumbnail = get_thumbnailer(noise.image).get_thumbnail({"size": (80, 80), "crop": True})
        thumbnails = storages["easy_thumbnails"]
        assert thumbnails.exists(thumbnail.name)
        assert not default_storage.exists(thumbnail.name)
        assert (thumbnail.width, thumbnail.height) == (80, 80)
        assert thumbnail.url == f"/thumbnails/{thumbnail.name}"
        with Image.open(body(client.get(thumbnail.url))) as image:
            assert image.size == (80, 80)

        modified = thumbnails.get_modified_time(thumbnail.name)
        again = get_thumbnailer(noise.image).get_thumbnail({"size": (80, 80), "crop": True})
        assert again.name == thumbnail.name
        assert thumbnails.get_modified_time(thumbnail.name) == modified

    def test_a_template_shows_one(self, noise: Picture, client: Client) -> None:
        template = Template("{% load easy_thumbnails_tags %}{% thumbnail picture.image 50x50 %}")
        url = template.render(Context({"picture": noise}))
        with Image.open(body(client.get(url))) as image:
            assert image.width == 50

    def test_thumbnails_go_when_they_are_deleted(self, noise: Picture) -> None:
        thumbnailer = get_thumbnailer(noise.image)
        names = [thumbnailer.get_thumbnail({"size": (side, side)}).name for side in (20, 40)]
        assert Thumbnail.objects.count() == 2
        assert thumbnailer.delete_thumbnails() == 2
        assert not any(map(storages["easy_thumbnails"].exists, names))
        assert Source.objects.count() == 1

    def test_a_replaced_picture_gets_a_new_thumbnail(self, noise: Picture) -> None:
        thumbnail = get_thumbnailer(noise.image).get_thumbnail({"size": (80, 80)})
        assert (thumbnail.width, thumbnail.height) == (80, 60)
        noise.image.save("a.png", picture(size=(100, 200)))
        again = get_thumbnailer(noise.image).get_thumbnail({"size": (80, 80)})
        assert (again.width, again.height) == (40, 80)


class TestSorl:
    """With the default storage."""

    def test_a_thumbnail_is_made_once_and_served(self, noise: Picture, client: Client) -> None:
        thumbnail = get_thumbnail(noise.image, "80x80", crop="center")
        assert files("cache") == [thumbnail.name]
        assert (thumbnail.width, thumbnail.height) == (80, 80)
        with Image.open(body(client.get(thumbnail.url))) as image:
            assert image.size == (80, 80)
        assert get_thumbnail(noise.image, "80x80", crop="center").name == thumbnail.name
        assert files("cache") == [thumbnail.name]

    def test_a_template_shows_one(self, noise: Picture, client: Client) -> None:
        template = Template(
            "{% load sorl_thumbnail %}"
            "{% thumbnail picture.image '50x50' as small %}{{ small.url|safe }}{% endthumbnail %}"
        )
        url = template.render(Context({"picture": noise}))
        with Image.open(body(client.get(url))) as image:
            assert image.width == 50

    def test_thumbnails_go_with_their_picture(self, noise: Picture) -> None:
        get_thumbnail(noise.image, "80x80")
        get_thumbnail(noise.image, "40x40")
        assert len(files("cache")) == 2
        delete(noise.image)
        assert files() == []

    def test_a_storage_with_an_alias_is_found_again(self, client: Client) -> None:
        """Its table stores the alias of a picture's storage."""
        storage = storages["easy_thumbnails"]
        assert isinstance(storage, DatabaseStorage)
        storage.save("large.png", picture())
        source = ImageFile("large.png", storage)
        thumbnail = get_thumbnail(source, "80x80")
        kept = KVStore().get(source)
        assert kept.storage is storage
        assert tuple(kept.size) == SIZE
        assert body(client.get(thumbnail.url)).read(2) == b"\xff\xd8"
