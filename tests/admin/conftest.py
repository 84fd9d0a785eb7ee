"""Users and files that the admin's tests share."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from secure_dbstorage.models import StoredFile
from tests.support.admin import PNG, save


@pytest.fixture
def chief() -> Client:
    """Return the browser of a user who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("chief"))
    return client


@pytest.fixture
def crowd(database: str) -> list[StoredFile]:
    """Return files of several types, one of which has several rows."""
    return [
        save("a/picture.png", PNG),
        save("a/large.bin", b"x" * 600_000),
        save("b/text.txt", b"text"),
        save("paper.pdf", b""),
    ]
