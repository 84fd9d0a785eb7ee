"""django-cleanup, alone and beside our own ``delete_with_instance``."""

import logging

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from tests.integrations.models import Picture
from tests.integrations.pictures import files, picture
from tests.testapp.models import Letter

pytestmark = pytest.mark.django_db(transaction=True)


def file(name: str) -> "ContentFile[bytes]":
    return ContentFile(b"content", name)


def test_a_file_is_deleted_when_it_is_replaced_cleared_or_deleted() -> None:
    made = Picture.objects.create(title="noise", image=picture())
    made.image = picture("b.png", (20, 10))
    made.save()
    assert files() == ["pictures/noise/b.png"]
    made.image = None
    made.save()
    assert files() == []
    made.image.save("c.png", picture("c.png", (20, 10)))
    assert files() == ["pictures/noise/c.png"]
    made.delete()
    assert files() == []


def test_a_file_is_deleted_at_the_commit_and_not_before() -> None:
    made = Picture.objects.create(title="noise", image=picture())
    with transaction.atomic():
        made.delete()
        assert files() == ["pictures/noise/a.png"]
        transaction.set_rollback(True)
    assert files() == ["pictures/noise/a.png"]
    with transaction.atomic():
        Picture.objects.get().delete()
    assert files() == []


def test_both_together_delete_each_file_once(caplog: pytest.LogCaptureFixture) -> None:
    storage = Letter._meta.get_field("scan").storage

    def names() -> list[str | None]:
        return [row.name for row in storage.catalog.files()]

    letter = Letter.objects.create(scan=file("a.png"), copy=file("b.png"))
    letter.scan = file("c.png")
    letter.copy = None
    with caplog.at_level(logging.INFO):
        letter.save()
    assert names() == ["scans/c.png"]
    with transaction.atomic():
        letter.delete()
        transaction.set_rollback(True)
    assert names() == ["scans/c.png"]
    Letter.objects.get().delete()
    assert names() == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_file_saved_under_the_name_that_went_stays() -> None:
    """Both run after the commit, and must not delete a file saved in the meantime."""
    letter = Letter.objects.create(scan=file("a.png"))
    letter.delete()
    Letter.objects.create(scan=file("a.png"))
    storage = Letter._meta.get_field("scan").storage
    assert storage.exists("scans/a.png")
    assert not default_storage.exists("scans/a.png")
