"""Storages to begin a test with."""

from typing import Any

from django.core.files.base import ContentFile

from secure_dbstorage.storage import DatabaseStorage


def saved(*names: str, **options: Any) -> DatabaseStorage:
    """Return a storage that has these files."""
    storage = DatabaseStorage(**options)
    for name in names:
        assert storage.save(name, ContentFile(b"content")) == name
    return storage
